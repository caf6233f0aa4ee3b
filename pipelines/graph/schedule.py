"""A value that changes over time: at steps or frames, at parts of the way, or at seconds of a film."""

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

from t2iflow.nodes.core.ambient import Tick
from t2iflow.nodes.core.easing import smooth
from t2iflow.pipelines.graph.formula import CLOCKS, Now, filled, formulas

Ease = Literal["linear", "smooth", "in", "out", "hold", "exponential"]
"""How to go from one value to the next: evenly; slowly at both ends; slowly at first; slowly at last; not at all until
the next is there; or by equal factors, which suits scales and rates."""

Over = Literal["step", "frame"]
"""Which clock counts: the steps of an optimiser, or the frames of a camera."""


@dataclass(frozen=True)
class Steps:
    """The steps of one optimiser among several, by which a recipe counts (`over: $fit`), whoever else takes steps:
    before them time hasn't begun, after them it stands at the last. `later` are the optimisers that come after it."""

    optimizer: str
    number: int
    later: tuple[str, ...] = ()

    def time(self, optimizer: str, step: int, frame: int) -> int:
        """The step that counts at a step of any optimiser, or in a frame after the first."""
        if optimizer == self.optimizer and not frame:
            return step
        return self.number - 1 if optimizer in (self.optimizer, *self.later) else -1


@dataclass(frozen=True)
class Moment:
    """When: a step or frame counted from 0, a percentage of the way, or seconds."""

    amount: float
    unit: Literal["", "%", "s"] = ""

    def time(self, length: int, fps: float) -> float:
        """The step or frame that this is, of `length`; between two of them for many a percentage."""
        if self.unit == "%":
            return self.amount / 100 * (length - 1)
        return self.amount * fps if self.unit == "s" else self.amount

    def __str__(self) -> str:
        return f"{self.amount:g}{self.unit}"


class Schedule(ABC):
    """A value that changes over time."""

    @property
    @abstractmethod
    def over(self) -> str | None:
        """Its clock: an optimiser's name for the steps of this one alone, None where the recipe leaves it open."""

    @property
    def steps(self) -> Steps | None:
        """Those of the optimiser that is its clock, once they are known."""
        return None

    @property
    def clocks(self) -> set[Over]:
        """What its formulas follow by name."""
        return set()

    @property
    def followed(self) -> str:
        """What it follows besides its clock."""
        return ""

    @abstractmethod
    def at(self, time: float, length: int, fps: float = 0.0) -> Any:
        """The value at a step or frame of `length`, of which `fps` are a second."""

    @property
    @abstractmethod
    def in_seconds(self) -> bool:
        """Whether it goes by seconds, which only a film has."""

    @property
    @abstractmethod
    def values(self) -> tuple[Any, ...]:
        """The values that the recipe names; all others lie between them."""

    @property
    @abstractmethod
    def reached(self) -> tuple[Any, ...]:
        """Values that it reaches, including the lowest and the highest, each as its setting takes it."""

    @abstractmethod
    def with_values(self, values: Iterable[Any]) -> "Schedule":
        """The same with other values, one for each."""

    @abstractmethod
    def moments(self) -> tuple["Moment | None", ...]:
        """When each of its values is reached, if that is at a certain moment."""

    @abstractmethod
    def clocked(self, usual: str, steps: Mapping[str, Steps]) -> "Schedule":
        """The same with the usual clock where the recipe leaves it open, and the steps of the optimiser that it names,
        where these are known."""

    def turns(self, length: int, fps: float = 0.0) -> list[float]:
        """The times at which it may turn back, as far as they are known beforehand."""
        return []

    def present(self, tick: Tick) -> Any:
        """The value at a moment of a run."""
        return self.at(*self._time(tick))

    def parts(self) -> Iterator["Schedule"]:
        """The schedules that follow one another in it: most are a single one."""
        yield self

    def each(self, change: Callable[["Schedule"], Any]) -> Any:
        """The same with its parts changed."""
        return change(self)

    def _time(self, tick: Tick) -> tuple[float, int, float]:
        """The step or frame by its clock, how many there are, and how many make a second."""
        if self.over == "frame":
            return (tick.shown or 0) % tick.frames, tick.frames, tick.fps
        if self.steps is not None:
            return self.steps.time(tick.optimizer, tick.step, tick.frame), self.steps.number, 0.0
        # Schedules over steps are for the making of the first picture; in later frames their end holds.
        return (tick.opening - 1, tick.opening, 0.0) if tick.frame else (tick.step, tick.steps, 0.0)


@dataclass(frozen=True)
class Keyframes(Schedule):
    """Moments with their values, and how to go between them; a formula holds until the next moment."""

    points: tuple[tuple[Moment, Any], ...]
    ease: Ease = "linear"
    over: str | None = None
    steps: Steps | None = None
    ends: tuple[Any, ...] = ()
    """The lowest and the highest value, if formulas are among them; filled in once the number of steps is known."""

    def at(self, time: float, length: int, fps: float = 0.0) -> Any:
        """The value at a step or frame of `length`; numbers are blended, whole ones rounded, all else holds until the
        next. Seconds are made frames by `fps`."""
        first, second, part = self._between(time, length, fps)
        return blend(first, second, part, self.ease) if part else first

    def turns(self, length: int, fps: float = 0.0) -> list[float]:
        """The times of the keyframes themselves."""
        return [moment.time(length, fps) for moment, _ in self.points]

    @property
    def in_seconds(self) -> bool:
        """Whether a moment is in seconds, or a formula follows them."""
        return any(moment.unit == "s" for moment, _ in self.points) or "seconds" in self._names

    @property
    def clocks(self) -> set[Over]:
        """What its formulas follow by name."""
        return {CLOCKS[name] for name in self._names if name in CLOCKS}

    @property
    def _names(self) -> set[str]:
        return {name for formula in formulas(self.values) for name in formula.names}

    @property
    def values(self) -> tuple[Any, ...]:
        """The value of each moment."""
        return tuple(value for _, value in self.points)

    @property
    def reached(self) -> tuple[Any, ...]:
        """The values; where formulas are among them, the lowest and the highest."""
        return self.ends or self.values

    def with_values(self, values: Iterable[Any]) -> "Keyframes":
        """The same moments with other values, one for each."""
        return replace(self, points=tuple((at, value) for (at, _), value in zip(self.points, values, strict=True)))

    def moments(self) -> tuple[Moment | None, ...]:
        """When each of its values is reached."""
        return tuple(moment for moment, _ in self.points)

    def clocked(self, usual: str, steps: Mapping[str, Steps]) -> "Keyframes":
        """The same with its clock."""
        over = self.over or next(iter(self.clocks), usual)
        return replace(self, over=over, steps=steps.get(over))

    def plain(self) -> dict[int | float | str, Any]:
        """The mapping as a recipe would write it."""
        written: dict[int | float | str, Any] = {}
        for moment, value in self.points:
            key = str(moment) if moment.unit else _whole(moment.amount)
            value = filled(value, lambda formula: formula.text)
            written[key] = list(value) if isinstance(value, tuple) else value
        if self.ease != "linear":
            written["ease"] = self.ease
        if self.over is not None:
            written["over"] = self.over if self.over in get_args(Over) else f"${self.over}"
        return written

    def _line(self, length: int, fps: float) -> tuple[list[float], list[Any]]:
        """The times at which values are reached, of as many steps or frames, in order, and the values; sorted once."""
        if (length, fps) not in self._lines:
            points = sorted(((at.time(length, fps), value) for at, value in self.points), key=lambda point: point[0])
            self._lines[length, fps] = [at for at, _ in points], [value for _, value in points]
        return self._lines[length, fps]

    @cached_property
    def _lines(self) -> dict[tuple[int, float], tuple[list[float], list[Any]]]:
        return {}

    def _between(self, time: float, length: int, fps: float) -> tuple[Any, Any, float]:
        """The values before and after a time, and the eased part of the way from one to the other."""
        times, values = self._line(length, fps)
        index = bisect_right(times, time)
        start, first = times[max(index - 1, 0)], values[max(index - 1, 0)]
        value = _at(first, Now(max(time, start), length, fps))
        if index == 0 or index == len(times) or formulas(first):
            return value, value, 0.0
        end, second = times[index], values[index]
        return value, _at(second, Now(end, length, fps)), _eased((time - start) / (end - start), self.ease)


def _at(value: Any, now: Now) -> Any:
    return filled(value, lambda formula: formula.at(now))


def least(value: Any) -> Any:
    """The lowest that a setting ever is."""
    return min(value.reached) if isinstance(value, Schedule) else value


def most(value: Any) -> Any:
    """The highest that a setting ever is; None where it is always null."""
    if not isinstance(value, Schedule):
        return value
    return max((one for one in value.reached if one is not None), default=None)


def _eased(part: float, ease: Ease) -> float:
    if ease == "smooth":
        return smooth(part)
    if ease == "in":
        return part * part
    if ease == "out":
        return part * (2 - part)
    return 0.0 if ease == "hold" else part


def blend(first: Any, second: Any, part: float, ease: Ease = "linear") -> Any:
    """The value part of the way from one to another: numbers are blended, whole ones rounded, all else holds."""
    if isinstance(first, list | tuple) and len(first) == len(second):
        return type(first)(blend(a, b, part, ease) for a, b in zip(first, second, strict=True))
    if isinstance(first, bool) or not isinstance(first, int | float):
        return first
    factors = ease == "exponential" and first > 0 and second > 0
    value = first * (second / first) ** part if factors else first + (second - first) * part
    return round(value) if isinstance(first, int) and isinstance(second, int) else value


def _whole(amount: float) -> int | float:
    return int(amount) if float(amount).is_integer() else amount
