"""The losses of a run, drawn: of each optimiser their sum, and small beside each other what adds up to it."""

from collections.abc import Iterator, Mapping
from html import escape

from t2iflow.runner.report.curve import curve
from t2iflow.runner.report.table import TOTAL, Curves, Points


def charts(losses: Mapping[str, Curves], steps: Mapping[str, int]) -> Iterator[str]:
    """As HTML, by optimiser; `steps` are those that each is to take, as far as they are known."""
    for node, curves in losses.items():
        whole = steps.get(node, max(curves[TOTAL]) + 1)
        if len(losses) > 1:
            yield f"<h3>{escape(node)}</h3>"
        yield f'<div class="chart">{curve(curves[TOTAL], whole, f"Loss of {node}")}</div>'
        terms = {name: points for name, points in curves.items() if name != TOTAL}
        if terms:
            yield f'<div class="terms">{"".join(_term(node, name, terms[name], whole) for name in terms)}</div>'


def _term(node: str, name: str, points: Points, steps: int) -> str:
    last = f"{points[max(points)]:.4g}"
    drawn = curve(points, steps, f"{name} in the loss of {node}", marks=3)
    return f'<figure><figcaption><b>{escape(name)}</b> {last}</figcaption><div class="chart">{drawn}</div></figure>'
