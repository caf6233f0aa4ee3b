"""A value that takes another course from some moment on, whatever it was before.

`{before: {0: 0.04, 100%: 0.01, ease: smooth}, 21: 0.05}` follows the keyframes of `before` up to step 20, to the bit,
and is 0.05 from step 21 on. What was before may be a value, keyframes or music, with a clock of its own. This is how
a change made during a run is recorded: keyframes alone would have to end at the new value, and so would change what is
already painted.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from t2iflow.nodes.core.ambient import Tick
from t2iflow.pipelines.graph.formula import formulas
from t2iflow.pipelines.graph.schedule import Keyframes, Moment, Schedule, Steps

BEFORE = "before"
"""The word for what a value is before the first keyframe."""


@dataclass(frozen=True)
class Continued(Schedule):
    """Keyframes, and the value or schedule that holds before the first of them."""

    before: Any
    then: Keyframes

    @property
    def over(self) -> str | None:
        """The clock of the keyframes."""
        return self.then.over

    @property
    def steps(self) -> Steps | None:
        """Those of the keyframes' clock."""
        return self.then.steps

    def at(self, time: float, length: int, fps: float = 0.0) -> Any:
        """The value at a step or frame of `length`, where both parts have the same clock."""
        return (self.then if self._begun(time, length, fps) else self._first).at(time, length, fps)

    def present(self, tick: Tick) -> Any:
        """The value at a moment of a run, by the clock of the part that counts then."""
        return (self.then if self._begun(*self._time(tick)) else self._first).present(tick)

    @property
    def in_seconds(self) -> bool:
        """Whether the keyframes are in seconds; what was before has a clock of its own."""
        return self.then.in_seconds

    @property
    def values(self) -> tuple[Any, ...]:
        """Those before, then those of the keyframes."""
        return *self._first.values, *self.then.values

    @property
    def reached(self) -> tuple[Any, ...]:
        """Values that it reaches before and after, including the lowest and the highest."""
        return *self._first.reached, *self.then.reached

    def with_values(self, values: Iterable[Any]) -> "Continued":
        """The same moments with other values, one for each."""
        those = tuple(values)
        count = len(those) - len(self.then.points)
        first = self._first.with_values(those[:count])
        before = first if isinstance(self.before, Schedule) or formulas(those[0]) else those[0]
        return Continued(before, self.then.with_values(those[count:]))

    def moments(self) -> tuple[Moment | None, ...]:
        """When each of its values is reached; a plain value before them, at the start."""
        return *self._first.moments(), *self.then.moments()

    def clocked(self, usual: str, steps: Mapping[str, Steps]) -> "Continued":
        """The same with its clocks."""
        return self.each(lambda part: part.clocked(usual, steps))

    def each(self, change: Callable[[Schedule], Any]) -> "Continued":
        """The same with other keyframes, and another schedule before them if there is one."""
        before = self.before.each(change) if isinstance(self.before, Schedule) else self.before
        return Continued(before, change(self.then))

    def parts(self) -> Iterator[Schedule]:
        """The keyframes, and what was before, if that is a schedule."""
        yield self.then
        if isinstance(self.before, Schedule):
            yield from self.before.parts()

    @property
    def _first(self) -> Schedule:
        """What was before; a value is as a single keyframe."""
        return self.before if isinstance(self.before, Schedule) else Keyframes(((Moment(0), self.before),))

    def _begun(self, time: float, length: int, fps: float) -> bool:
        """Whether the first keyframe is reached."""
        return time >= min(self.then.turns(length, fps))
