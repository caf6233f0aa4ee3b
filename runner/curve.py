"""A curve over the steps of a run, as SVG made here."""

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 720.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 16.0, 12.0, 34.0
"""Pixels of the drawing, and around the plot."""


def curve(points: Mapping[int, float], steps: int, what: str) -> str:
    """The values at steps counted from 0, of `steps`; those that are not finite leave gaps. `what` names the curve."""
    finite = [value for value in points.values() if math.isfinite(value)]
    marks = _ticks(min(finite, default=0.0), max(finite, default=1.0))
    low, high = marks[0], marks[-1]

    def at(step: float, value: float) -> str:
        x = LEFT + (WIDTH - LEFT - RIGHT) * step / max(steps - 1, 1)
        y = TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low)
        return f"{x:.1f} {y:.1f}"

    parts = [f'<svg class="curve" role="img" viewBox="0 0 {WIDTH:g} {HEIGHT:g}"><title>{escape(what)}</title>']
    for mark in marks:
        x, y = at(0, mark).split()
        parts.append(f'<path class="grid" d="M{LEFT:g} {y}H{WIDTH - RIGHT:g}"/>')
        parts.append(f'<text x="{LEFT - 8:g}" y="{y}" text-anchor="end" dy="4">{mark:.6g}</text>')
    for step in dict.fromkeys(round(step) for step in _ticks(0, max(steps - 1, 1))):
        if step <= max(steps - 1, 1):
            x = at(step, low).split()[0]
            parts.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 17:g}" text-anchor="middle">{step}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT:g}" y="{HEIGHT - 2:g}" text-anchor="end">step</text>')
    for piece in _pieces(points):
        places = [at(step, value) for step, value in piece]
        parts.append(f'<path class="line" d="M{"L".join(places if len(places) > 1 else places * 2)}"/>')
    return "".join([*parts, "</svg>"])


def _pieces(points: Mapping[int, float]) -> list[list[tuple[int, float]]]:
    """The points in order, in one piece for each run of finite ones."""
    pieces: list[list[tuple[int, float]]] = [[]]
    for step, value in sorted(points.items()):
        if math.isfinite(value):
            pieces[-1].append((step, value))
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if piece]


def _ticks(low: float, high: float) -> Sequence[float]:
    """Four to eight round numbers that span from low to high."""
    span = high - low or abs(high) or 1.0
    rough = span / 5
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [number * step for number in range(first, max(last, first + 1) + 1)]
