"""What makes a function or a class a node, and what its signature declares.

Positional parameters are ports, keyword-only parameters are settings, the return type is the kind of the output (a
`NamedTuple` for several). A class is read the same way twice: the ports of `__init__` are read once, those of
`__call__` at each call; the settings of `__call__` may be keyframed, those of `__init__` hold for the whole run.
Positional-only parameters are filled by whoever calls, and are none of these.

Nodes that differ in one function only, such as optimisers, share a class, their `base`: the function is marked, the
class is made of it (its first argument), and `**own` among the class's parameters stands for those of the function.
"""

import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from typing import Any, Literal, TypeVar, overload

from pydantic import ConfigDict, TypeAdapter

from t2iflow.nodes.core.ambient import AMBIENT
from t2iflow.nodes.core.names import node_name
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
        return _meant(self._marks)

    @property
    def _marks(self) -> list[Any]:
        parts = [self.annotation, *typing.get_args(self.annotation)]
        return [mark for part in parts for mark in getattr(part, "__metadata__", ())]

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """What checks a value, refusing with a reason, and describes itself as JSON Schema."""
        return TypeAdapter(self.annotation, config=ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=False))


class SettingError(ValueError):
    """What a node's check refuses for the sake of one setting, whatever the others say."""

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
    def doc(self) -> str:
        """The docstring, unindented; with all but the first paragraph of its base's, which is about the base."""
        shared = (inspect.getdoc(self._mark.base) or "").partition("\n\n")[2] if self._mark.base else ""
        return "\n\n".join(part for part in (inspect.getdoc(self.target), shared) if part)

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
    `fits` with the size of the pictures that come, where that is known, how many come in all, if that is, and the
    settings; `joins` with the number of wires at each port, and the settings. `base` is the class that is made of the
    function.
    """

    def mark(target: Any) -> Any:
        target.__node__ = Mark(role, check, fits, joins, base)
        return target

    return mark if target is None else mark(target)


def check_position(position: float, count: int, what: str) -> None:
    """Raise ValueError for a position, counted from 0, behind the last of so many things."""
    if position > count - 1:
        raise ValueError(f"there is no {what} at position {position:g}; the last of {count} is at {count - 1}")


def is_node(thing: object) -> bool:
    """Whether the thing was marked with `node`, itself (a subclass does not inherit it)."""
    return "__node__" in getattr(thing, "__dict__", {})


def kind_name(kind: Any) -> str:
    """How a kind is called in messages and docs."""
    return getattr(kind, "__name__", str(kind))


REQUIRED: Mapping[Role, Mapping[Meaning, str]] = {
    "optimizer": {"steps": "Steps"},
    "camera": {"frames": "Frames", "steps": "FrameSteps"},
}
"""What nodes of a role must say in a setting, and its type."""


@cache
def read_spec(target: Any, family: str) -> Spec:
    """Read a marked function or class; TypeError, with its name, when its signature says too little."""
    name = f"{family}.{node_name(target.__name__)}"
    mark: Mark = target.__node__
    model = mark.base or target
    own = _parameters(name, target) if mark.base else []
    ports: dict[str, Port] = {}
    settings: dict[str, Setting] = {}
    ambient: dict[str, type] = {}
    ambient_once: dict[str, type] = {}
    if inspect.isclass(model) and "__init__" in vars(model):
        _sort(_joined(_parameters(name, model.__init__), own), True, ports, settings, ambient_once)
    call = model.__call__ if inspect.isclass(model) else model
    _sort(_joined(_parameters(name, call), own), False, ports, settings, ambient)
    spec = Spec(name, target, _role(target), ports, settings, _outputs(call), ambient, ambient_once)
    for meaning, kind in REQUIRED.get(spec.role, {}).items():
        if meaning not in spec.meanings:
            raise TypeError(f"node {name}: {spec.role} without a setting of type {kind}")
    return spec


def _role(target: Any) -> Role:
    mark: Mark = target.__node__
    if mark.role is not None:
        return mark.role
    if not inspect.isclass(target):
        return "function"
    return "canvas" if hasattr(target, "trainable") else "memory"


def _parameters(name: str, function: Callable[..., Any]) -> list[inspect.Parameter]:
    """What a signature takes by name, the types resolved."""
    hints = typing.get_type_hints(function, include_extras=True)
    taken = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "self" or parameter.kind is parameter.POSITIONAL_ONLY:
            continue
        if parameter.name not in hints:
            raise TypeError(f"node {name}: parameter {parameter.name!r} has no type")
        taken.append(parameter.replace(annotation=hints[parameter.name]))
    return taken


def _joined(shared: list[inspect.Parameter], own: list[inspect.Parameter]) -> list[inspect.Parameter]:
    """The parameters of a base, and in the place of its `**own` those of a function; ports first, required first."""
    named = [one for one in shared if one.kind is not one.VAR_KEYWORD]
    if len(named) == len(shared):
        return shared
    return sorted([*named, *own], key=lambda one: (one.kind, one.default is not one.empty))


def _sort(
    parameters: list[inspect.Parameter],
    once: bool,
    ports: dict[str, Port],
    settings: dict[str, Setting],
    ambient: dict[str, type],
) -> None:
    """Sort parameters into ports, settings and ambient values."""
    for parameter in parameters:
        name, hint, required = parameter.name, parameter.annotation, parameter.default is parameter.empty
        if hint in AMBIENT:
            ambient[name] = hint
        elif parameter.kind is parameter.KEYWORD_ONLY:
            settings[name] = Setting(name, hint, None if required else parameter.default, required, once)
        else:
            ports[name] = _port(name, hint, required, once)


def _port(name: str, hint: Any, required: bool, once: bool) -> Port:
    """A port by its type: `Image`, `Image | None`, `list[Loss]`, or one with marks."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        (hint,) = (part for part in typing.get_args(hint) if part is not type(None))
    many = typing.get_origin(hint) is list
    if many:
        (hint,) = typing.get_args(hint)
    marks = getattr(hint, "__metadata__", ())
    kind = hint.__origin__ if marks else hint
    return Port(name, kind, many, required, once, _meant(marks))


def _meant(marks: Iterable[Any]) -> frozenset[Meaning]:
    return frozenset(mark.what for mark in marks if isinstance(mark, Means))


def _outputs(call: Callable[..., Any]) -> dict[str, Any]:
    returned = typing.get_type_hints(call, include_extras=True).get("return")
    if returned in (None, type(None)):
        return {}
    if inspect.isclass(returned) and issubclass(returned, tuple) and hasattr(returned, "_fields"):
        return typing.get_type_hints(returned)
    return {"": returned}
