"""Where a run stands, and so which moments are past and which are still to come."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from t2iflow.nodes.core.ambient import Tick
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.plan.regions import Region

MOST = 5_000
"""Steps or frames that are looked at."""


@dataclass(frozen=True)
class Standing:
    """Where a run stands: the optimiser that is at work (none before the first step), how many steps of its first
    picture are taken, and under a camera the first frame that has not begun."""

    optimizer: str = ""
    step: int = 0
    frame: int = 0

    def __str__(self) -> str:
        if not self.optimizer:
            return "the start"
        return f"frame {self.frame}" if self.frame > 1 else f"step {self.step} of `{self.optimizer}`"

    def begun(self, plan: Plan) -> tuple[Region, ...]:
        """The regions in which steps are taken already, the present one last."""
        names = [region.optimizer for region in plan.regions]
        return plan.regions[: names.index(self.optimizer) + 1] if self.optimizer in names else ()

    def past(self, plan: Plan) -> Iterator[Tick]:
        """The moments that were, of all regions in turn."""
        for region in self.begun(plan):
            yield from (tick for tick in moments(region, self.step, self.frame) if self._has_passed(tick))

    def future(self, plan: Plan) -> Iterator[Tick]:
        """The moments to come."""
        begun = {region.optimizer for region in self.begun(plan)}
        for region in plan.regions:
            later = region.optimizer not in begun
            yield from (tick for tick in moments(region, self.step, self.frame) if later or self._comes(tick))

    def _has_passed(self, tick: Tick) -> bool:
        if tick.optimizer != self.optimizer:
            return True
        return tick.frame < self.frame if tick.frame else tick.step < self.step

    def _comes(self, tick: Tick) -> bool:
        return tick.optimizer == self.optimizer and not self._has_passed(tick)


def standing_at(region: Region, number: int) -> Standing:
    """Where a run stands before a step of an optimiser, or under a camera before a frame."""
    return Standing(region.optimizer, region.steps, number) if region.shot else Standing(region.optimizer, number)


def moments(region: Region, step: int, frame: int) -> Iterator[Tick]:
    """All moments of a region: the steps of its first picture, then the frames of its film. Of more than are looked at,
    as many evenly, and those around a step and a frame."""
    for one in _looked_at(region.steps, step):
        yield region.tick(one)
    for one in _looked_at(region.shot.frames, frame) if region.shot else ():
        if region.shot and one:
            yield region.tick(0, region.shot.steps, one)


def _looked_at(count: int, around: int) -> Iterable[int]:
    if count <= MOST:
        return range(count)
    evenly = range(0, count, -(-count // MOST))
    return sorted({*evenly, count - 1, *range(max(around - 50, 0), min(around + 50, count))})
