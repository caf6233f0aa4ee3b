"""How far a run is, from the first and last event in its folder: any process that sees the folder can tell."""

from pathlib import Path
from typing import Any

from t2iflow.runner.folder.history import ends


def headway(run: Path) -> float | None:
    """The part of all optimisers' steps that is done, from 0 to 1; None where the last event doesn't say."""
    first, last = ends(run)
    try:
        totals = {str(node): int(steps) for node, steps in (first or {})["optimizers"]}
        node, done = _at(last or {})
        before = list(totals)[: list(totals).index(node)]
        return (sum(totals[name] for name in before) + done) / max(sum(totals.values()), 1)
    except (KeyError, TypeError, ValueError):
        return None


def _at(event: dict[str, Any]) -> tuple[str, int]:
    """An optimiser, and how many of its steps are taken."""
    kinds = {"fitting": ("first", 0), "stepped": ("step", 1), "fitted": ("steps", 0)}
    key, more = kinds[event["type"]]
    return str(event["node"]), int(event[key]) + more
