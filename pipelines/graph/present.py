"""What a setting is at a moment of a run."""

from typing import Any

from t2iflow.nodes.core.ambient import Tick
from t2iflow.pipelines.graph.continued import Continued
from t2iflow.pipelines.graph.schedule import Keyframes, Schedule


def present(value: Any, tick: Tick) -> Any:
    """The value of a setting now, with that of each schedule in its place."""
    if isinstance(value, list):
        return [present(item, tick) for item in value]
    if not isinstance(value, Schedule):
        return value
    now = _now(value, tick)
    if isinstance(value, Continued):
        return present(value.then if value.begun(*now) else value.before, tick)
    return value.at(*now)


def _now(schedule: Schedule, tick: Tick) -> tuple[float, int, float]:
    """The step or frame by the schedule's clock, of how many, and how many are a second."""
    if schedule.over == "frame":
        return tick.frame % tick.frames, tick.frames, tick.fps
    steps = schedule.then.steps if isinstance(schedule, Continued) else None
    steps = schedule.steps if isinstance(schedule, Keyframes) else steps
    if steps is not None:
        return steps.time(tick.optimizer, tick.step, tick.frame), steps.number, 0.0
    # Schedules over steps are for the making of the first picture; in later frames their end holds.
    return (tick.opening - 1, tick.opening, 0.0) if tick.frame else (tick.step, tick.steps, 0.0)
