"""A curve over the steps of a run, as SVG made here; as wide as the page lets it be, its letters always of one size."""

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape

MOST = 1e100
"""Larger values, as only a damaged file has them, are drawn no more than those that are not finite."""


def curve(points: Mapping[int, float], steps: int, what: str, marks: int = 5) -> str:
    """The values at steps counted from 0, of `steps`; those that are not finite leave gaps. `what` names the curve,
    `marks` is how many numbers stand at its side, about."""
    finite = [value for value in points.values() if abs(value) < MOST]
    rows = _ticks(min(finite, default=0.0), max(finite, default=1.0), marks)
    last = max(steps - 1, 1)
    columns = [step for step in dict.fromkeys(round(step) for step in _ticks(0, last, marks)) if step <= last]
    return "".join(
        [
            f'<svg class="curve" role="img"><title>{escape(what)}</title>',
            *_axes(rows, columns, last),
            '<svg viewBox="0 0 100 100" preserveAspectRatio="none">',
            *_lines(points, last, rows[0], rows[-1]),
            "</svg></svg>",
        ]
    )


def _axes(rows: Sequence[float], columns: Sequence[int], last: int) -> Iterator[str]:
    """Lines across and their numbers, and the steps below."""
    for row in rows:
        y = f"{_part(rows[-1], row, rows[0]):.2f}%"
        yield f'<line x1="0" x2="100%" y1="{y}" y2="{y}"/>'
        yield f'<text x="0" y="{y}" dx="-8" dy="4" text-anchor="end">{row:.6g}</text>'
    for column in columns:
        x = _part(0, column, last)
        yield f'<text x="{x:.2f}%" y="100%" dy="18" text-anchor="middle">{column}</text>'


def _lines(points: Mapping[int, float], last: int, low: float, high: float) -> Iterator[str]:
    for piece in _pieces(points):
        places = [f"{_part(0, step, last):.2f} {_part(high, value, low):.2f}" for step, value in piece]
        yield f'<path d="M{"L".join(places if len(places) > 1 else places * 2)}"/>'


def _part(start: float, value: float, end: float) -> float:
    """How far a value is on the way from one to another, in percent."""
    return 100 * (value - start) / (end - start)


def _pieces(points: Mapping[int, float]) -> list[list[tuple[int, float]]]:
    """The points in order, in one piece for each run of finite ones."""
    pieces: list[list[tuple[int, float]]] = [[]]
    for step, value in sorted(points.items()):
        if abs(value) < MOST:
            pieces[-1].append((step, value))
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if piece]


def _ticks(low: float, high: float, many: int) -> Sequence[float]:
    """About so many round numbers that span from low to high."""
    span = max(high - low, 1e-4 * max(abs(low), abs(high)), 1e-100) if high or low else 1.0
    rough = span / many
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [number * step for number in range(first, max(last, first + 1) + 1)]
