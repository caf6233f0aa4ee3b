"""A value that goes on otherwise from a moment on, whatever it was before.

`{before: {0: 0.04, 100%: 0.01, ease: smooth}, 21: 0.05}` follows the keyframes of `before` up to step 20, to the bit,
and is 0.05 from step 21 on. What was before may be a value, keyframes or music, with a clock of its own. That is how a
change is written down that somebody makes while a run goes on: keyframes alone would have to end at the new value, and
so change what is painted already.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

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
    def over(self) -> str | None:  # type: ignore[override]
        """The clock of the keyframes."""
        return self.then.over

    def begun(self, time: float, length: int, fps: float = 0.0) -> bool:
        """Whether the first keyframe is reached."""
        return time >= min(self.then.turns(length, fps))

    def at(self, time: float, length: int, fps: float = 0.0) -> Any:
        """The value at a step or frame of `length`, where both parts have the same clock."""
        if self.begun(time, length, fps):
            return self.then.at(time, length, fps)
        return self.before.at(time, length, fps) if isinstance(self.before, Schedule) else self.before

    @property
    def in_seconds(self) -> bool:
        """Whether the keyframes are in seconds; what was before has a clock of its own."""
        return self.then.in_seconds

    @property
    def values(self) -> tuple[Any, ...]:
        """Those before, then those of the keyframes."""
        return (*(self.before.values if isinstance(self.before, Schedule) else [self.before]), *self.then.values)

    @property
    def reached(self) -> tuple[Any, ...]:
        """Values that it comes to before and after, the lowest and the highest among them."""
        return (*(self.before.reached if isinstance(self.before, Schedule) else [self.before]), *self.then.reached)

    def with_values(self, values: Iterable[Any]) -> "Continued":
        """The same moments with other values, one for each."""
        those = tuple(values)
        count = len(those) - len(self.then.points)
        if isinstance(self.before, Schedule):
            before: Any = self.before.with_values(those[:count])
        else:
            before = Keyframes(((Moment(0), those[0]),)) if formulas(those[0]) else those[0]
        return Continued(before, self.then.with_values(those[count:]))

    def moments(self) -> tuple[Moment | None, ...]:
        """When each of its values is reached; what simply was before, at the start."""
        before = self.before.moments() if isinstance(self.before, Schedule) else (Moment(0),)
        return (*before, *self.then.moments())

    def clocked(self, usual: str, steps: Mapping[str, Steps]) -> "Continued":
        """The same with its clocks."""
        return self.each(lambda part: part.clocked(usual, steps))

    def each(self, change: Callable[[Schedule], Any]) -> "Continued":
        """The same with other keyframes, and another schedule before them if there is one."""
        before = change(self.before) if isinstance(self.before, Schedule) else self.before
        return Continued(before, change(self.then))

    def parts(self) -> Iterator[Schedule]:
        """Itself, the keyframes, and what was before."""
        yield self
        yield self.then
        if isinstance(self.before, Schedule):
            yield from self.before.parts()
