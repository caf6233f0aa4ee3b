"""How a value that goes on otherwise from now on can be written down, the plainest way first."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from t2iflow.pipelines.graph.continued import BEFORE
from t2iflow.pipelines.graph.keyframes import WORDS, is_keyframes
from t2iflow.pipelines.graph.settings import is_schedule
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.problems import NOWHERE
from t2iflow.pipelines.steering.standing import Standing
from t2iflow.pipelines.text.located import located


@dataclass(frozen=True)
class Start:
    """The first step or frame in which a change counts, and the clock for it, where that has to be named."""

    moment: int
    over: str | None = None


Write = Callable[[Any, Any, Start], Any]
"""From what was written, the new value and the moment to what is written now; None where it can't be written so."""


def turns(was: Any, value: Any, plan: Plan, standing: Standing) -> Iterator[Any]:
    """All ways to go on with another value where a run stands; only some of them make a sound recipe with the same past
    and the new value at all later moments."""
    if changes(value):
        yield {BEFORE: was, **value}
        return
    for start in _clocks(plan, standing):
        for write in (_held, _continued):
            written = _written(was, value, start, write)
            if written is not None:
                yield written


def _clocks(plan: Plan, standing: Standing) -> Iterator[Start]:
    """The moments to try: at the next step, in the next frame, with the next optimiser."""
    order = [region.optimizer for region in plan.regions]
    for region in plan.regions:
        if region.optimizer == standing.optimizer and standing.step < region.steps:
            yield from (Start(standing.step), Start(standing.step, f"${region.optimizer}"))
        if region.optimizer == standing.optimizer and region.shot and standing.frame < region.shot.frames:
            yield from (Start(standing.frame), Start(standing.frame, "frame"))
    if standing.optimizer in order:
        yield from (Start(0, f"${name}") for name in order[order.index(standing.optimizer) + 1 :])


def _written(was: Any, value: Any, start: Start, write: Write) -> Any:
    """The new value in a list that changes over time item by item, or in place of any other."""
    if isinstance(was, list) and isinstance(value, list) and any(changes(item) for item in was):
        if len(was) != len(value):
            return None
        items = [old if old == new else write(old, new, start) for old, new in zip(was, value, strict=True)]
        return None if None in items else items
    return write(was, value, start)


def _held(was: Any, value: Any, start: Start) -> Any:
    """Keyframes without anything between them, of which the later ones are left out: `{0: a fox, 21: a castle, ease:
    hold}`."""
    if start.moment == 0:
        return None
    if not (isinstance(was, dict) and is_keyframes(located(was, NOWHERE))):
        return None if changes(was) else {0: was, start.moment: value, "ease": "hold", **_over(start)}
    words = {word: was[word] for word in WORDS if word in was}
    points = {at: one for at, one in was.items() if at not in words}
    if any(isinstance(at, str) for at in points) or words.get("over", start.over) != (start.over or words.get("over")):
        return None
    if len(points) > 1 and words.get("ease") != "hold":
        return None
    kept = {at: one for at, one in sorted(points.items()) if at < start.moment}
    if not kept and BEFORE not in words:
        kept = {0: points[min(points)]}
    return {**_before(words), **kept, start.moment: value, "ease": "hold", **_over(start, words)}


def _continued(was: Any, value: Any, start: Start) -> Any:
    """Whatever was, up to the moment: `{before: {0: 0.04, 100%: 0.01}, 21: 0.05}`."""
    return {BEFORE: was, start.moment: value, **_over(start)}


def changes(value: Any) -> bool:
    """Whether what is written changes over time."""
    return isinstance(value, dict) and is_schedule(located(value, NOWHERE))


def _before(words: dict[str, Any]) -> dict[str, Any]:
    return {BEFORE: words[BEFORE]} if BEFORE in words else {}


def _over(start: Start, words: dict[str, Any] | None = None) -> dict[str, str]:
    over = start.over or (words or {}).get("over")
    return {"over": over} if over else {}
