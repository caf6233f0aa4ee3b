"""What makes a function or a class a node, and what its signature declares.

Nodes that differ in one function only, such as optimisers, share a class, their `base`: the function is marked, the
class is made of it (its first argument), and `**own` among the class's parameters stands for those of the function.
"""

import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Literal, TypeVar, overload

from pydantic import ConfigDict, TypeAdapter

from t2iflow.nodes.core.hooks import Rated
from t2iflow.nodes.core.types import Loads, Meaning, Means, Reads, Size

Target = TypeVar("Target", bound=Callable[..., Any])
Role = Literal["function", "canvas", "optimizer", "camera", "sink", "memory"]
Check = Callable[[Mapping[str, Any]], object]
Fits = Callable[[Size, int | None, Mapping[str, Any]], object]
Joins = Callable[[Mapping[str, int], Mapping[str, Any]], object]


@dataclass(frozen=True)
class Mark:
    """What the decorator leaves on a node."""

    role: Role | None
    check: Check | None
    fits: Fits | None
    joins: Joins | None
    base: type | None


@dataclass(frozen=True)
class Port:
    """A place where a wire ends."""

    name: str
    kind: Any
    many: bool = False
    required: bool = True
    once: bool = False
    means: frozenset[Meaning] = frozenset()


@dataclass(frozen=True)
class Setting:
    """A value that a recipe may write."""

    name: str
    annotation: Any
    default: Any
    required: bool
    once: bool

    @cached_property
    def reads(self) -> str | None:
        """What kind of file the value names, if it names one that is read."""
        return next((mark.what for mark in self._marks if isinstance(mark, Reads)), None)

    @cached_property
    def loads(self) -> str | None:
        """The family of weights that the value names, if it names any."""
        return next((mark.family for mark in self._marks if isinstance(mark, Loads)), None)

    @property
    def fixed(self) -> bool:
        """Whether the value holds for the whole run."""
        return bool(self.once or self.reads or self.loads)

    @cached_property
    def means(self) -> frozenset[Meaning]:
        """What the value says that others must know."""
        return meanings_of(self._marks)

    @property
    def _marks(self) -> list[Any]:
        parts = [self.annotation, *typing.get_args(self.annotation)]
        return [mark for part in parts for mark in getattr(part, "__metadata__", ())]

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """Checks a value, giving a reason for refusing it, and describes itself as JSON Schema."""
        return TypeAdapter(self.annotation, config=ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=False))


class SettingError(ValueError):
    """A setting that a node's check refuses by itself, whatever the others say."""

    def __init__(self, setting: str, why: object) -> None:
        super().__init__(setting, why)  # all that it is made of, so that processes can hand it on
        self.setting, self.why = setting, why

    def __str__(self) -> str:
        return str(self.why)


@dataclass(frozen=True)
class Spec:
    """Everything that a signature says of a node."""

    name: str
    target: Callable[..., Any]
    role: Role
    ports: Mapping[str, Port]
    settings: Mapping[str, Setting]
    outputs: Mapping[str, Any]
    ambient: Mapping[str, type]
    ambient_once: Mapping[str, type] = field(default_factory=dict)

    def __reduce__(self) -> tuple[Callable[[str], "Spec"], tuple[str]]:
        """By its name, so that processes can hand on a plan."""
        from t2iflow.nodes.core.catalog import find

        return find, (self.name,)

    @cached_property
    def meanings(self) -> Mapping[Meaning, str]:
        """The name of the setting that says each of these."""
        return {meaning: setting.name for setting in self.settings.values() for meaning in setting.means}

    def check(self, settings: Mapping[str, Any]) -> None:
        """Raise ValueError where settings do not go together, SettingError where one is wrong by itself."""
        if self._mark.check is not None:
            self._mark.check(settings)

    def fits(self, size: Size, count: int | None, settings: Mapping[str, Any]) -> None:
        """Raise ValueError where the node can't take pictures of this size."""
        if self._mark.fits is not None:
            self._mark.fits(size, count, settings)

    def joins(self, wires: Mapping[str, int], settings: Mapping[str, Any]) -> None:
        """Raise ValueError where settings do not go with how many wires end at which port."""
        if self._mark.joins is not None:
            self._mark.joins(wires, settings)

    @property
    def _mark(self) -> Mark:
        mark: Mark = self.target.__node__  # type: ignore[attr-defined]
        return mark

    @property
    def model(self) -> Any:
        """The class of what the node is while it runs; where it has no memory, its function."""
        return self._mark.base or self.target

    @property
    def is_class(self) -> bool:
        """Whether the node has memory."""
        return inspect.isclass(self.model)

    @property
    def make(self) -> Callable[..., Any]:
        """What makes the node; where it has no memory, the node itself."""
        return self.model if self.model is self.target else partial(self.model, self.target)

    @property
    def usual_rate(self) -> float | None:
        """The rate at which Adam trains it well, if it is a canvas that says so."""
        return self.model.usual_rate if isinstance(self.model, Rated) else None

    @property
    def doc(self) -> str:
        """The docstring, unindented; with all but the first paragraph of its base's, which is about the base, and with
        the usual rate of a canvas."""
        shared = (inspect.getdoc(self._mark.base) or "").partition("\n\n")[2] if self._mark.base else ""
        rate = (
            f"The rate of its optimiser is {self.usual_rate:g} where the recipe says none." if self.usual_rate else ""
        )
        return "\n\n".join(part for part in (inspect.getdoc(self.target), shared, rate) if part)

    @property
    def about(self) -> str:
        """The docstring's first paragraph, in one line."""
        return self.doc.split("\n\n")[0].replace("\n", " ")

    @property
    def kind(self) -> Any:
        """The kind of the only (or the first) output; None for a node without one."""
        return next(iter(self.outputs.values()), None)


@overload
def node(target: Target) -> Target: ...
@overload
def node(
    *, role: Role = ..., check: Check = ..., fits: Fits = ..., joins: Joins = ..., base: type = ...
) -> Callable[[Target], Target]: ...
def node(
    target: Any = None,
    *,
    role: Role | None = None,
    check: Check | None = None,
    fits: Fits | None = None,
    joins: Joins | None = None,
    base: type | None = None,
) -> Any:
    """Mark a function or class as a node; it stays what it is and can be called and tested as such.

    `check` is called with the settings before anything runs, and raises ValueError where they do not go together;
    `fits` with the size of the pictures that come in, their number if that is known, and the settings; `joins` with the
    number of wires at each port, and the settings. `base` is the class that is made of the function.
    """

    def mark(target: Any) -> Any:
        target.__node__ = Mark(role, check, fits, joins, base)
        return target

    return mark if target is None else mark(target)


def check_position(position: float, count: int, what: str) -> None:
    """Raise ValueError for a position, counted from 0, past the last of `count` things."""
    if position > count - 1:
        raise ValueError(f"there is no {what} at position {position:g}; the last of {count} is at {count - 1}")


def between(position: float, count: int, what: str) -> tuple[int, float]:
    """Which of `count` things comes before a position among them, and the part of the way from there to the next;
    ValueError past the last."""
    check_position(position, count, what)
    before = min(int(position), max(count - 2, 0))
    return before, position - before


def is_node(thing: object) -> bool:
    """Whether the thing was marked with `node`, itself (a subclass does not inherit it)."""
    return "__node__" in getattr(thing, "__dict__", {})


def kind_name(kind: Any) -> str:
    """What messages and docs call a kind."""
    return getattr(kind, "__name__", str(kind))


def meanings_of(marks: Iterable[Any]) -> frozenset[Meaning]:
    """What marks of a setting or a port say."""
    return frozenset(mark.what for mark in marks if isinstance(mark, Means))
