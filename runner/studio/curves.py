"""The curves of a run that goes on, as its report draws them, but up to its last step."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from t2iflow.nodes.core.run_files import LOSSES
from t2iflow.runner.entries import Fitting, Stepped
from t2iflow.runner.folder.history import read
from t2iflow.runner.report.charts import charts
from t2iflow.runner.report.table import Row, curves_of, rows_of


def drawn(folder: Path) -> Iterator[str]:
    """As HTML."""
    steps: dict[str, int] = {}
    rows = {(row.optimizer, row.step): row for row in rows_of(folder / LOSSES)}
    for entry in read(folder):
        match entry:
            case Fitting():
                steps[entry.node] = entry.steps
            case Stepped(loss=int() | float() as loss):
                row = Row(entry.node, entry.step, loss, _numbers(entry.terms))
                rows.setdefault((row.optimizer, row.step), row)
    yield from charts(curves_of(sorted(rows.values(), key=lambda row: row.step)), steps)


def _numbers(terms: Mapping[str, Any]) -> dict[str, float]:
    """Those of a step's terms that are numbers."""
    return {name: value for name, value in terms.items() if isinstance(value, int | float)}
