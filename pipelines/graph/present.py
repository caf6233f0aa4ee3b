"""What a setting is at a moment of a run."""

from typing import Any

from t2iflow.nodes.core.ambient import Tick
from t2iflow.pipelines.graph.schedule import Schedule


def present(value: Any, tick: Tick) -> Any:
    """The value of a setting now, with that of each schedule in its place."""
    if isinstance(value, list):
        return [present(item, tick) for item in value]
    return value.present(tick) if isinstance(value, Schedule) else value
