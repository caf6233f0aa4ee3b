"""The curves of a run that goes on, as its report draws them, but up to its last step."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from t2iflow.runner.folder.history import read
from t2iflow.runner.report.charts import charts
from t2iflow.runner.report.table import NAME, Row, curves_of, rows_of


def drawn(folder: Path) -> Iterator[str]:
    """As HTML."""
    steps: dict[str, int] = {}
    rows = {(row.optimizer, row.step): row for row in rows_of(folder / NAME)}
    for event in read(folder):
        with suppress(KeyError, TypeError, ValueError):  # somebody's edit
            if event["type"] == "fitting":
                steps[str(event["node"])] = int(event["steps"])
            elif event["type"] == "stepped":
                row = Row(str(event["node"]), int(event["step"]), float(event["loss"]), _numbers(event["terms"]))
                rows.setdefault((row.optimizer, row.step), row)
    yield from charts(curves_of(sorted(rows.values(), key=lambda row: row.step)), steps)


def _numbers(terms: object) -> dict[str, float]:
    """Those of a step's terms that are numbers."""
    found = terms.items() if isinstance(terms, dict) else ()
    return {str(name): value for name, value in found if isinstance(value, int | float)}
