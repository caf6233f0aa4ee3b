"""Reads what the signature of a node declares.

Positional parameters are ports, keyword-only parameters are settings, the return type is the kind of the output (a
`NamedTuple` for several). A class is read the same way twice: the ports of `__init__` are read once, those of
`__call__` at each call; the settings of `__call__` may be keyframed, those of `__init__` hold for the whole run.
Positional-only parameters are filled by the caller, and are none of these.
"""

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from t2iflow.nodes.core.ambient import AMBIENT
from t2iflow.nodes.core.names import node_name
from t2iflow.nodes.core.node import Mark, Port, Role, Setting, Spec, meanings_of
from t2iflow.nodes.core.types import Meaning

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
    return Port(name, kind, many, required, once, meanings_of(marks))


def _outputs(call: Callable[..., Any]) -> dict[str, Any]:
    returned = typing.get_type_hints(call, include_extras=True).get("return")
    if returned in (None, type(None)):
        return {}
    if inspect.isclass(returned) and issubclass(returned, tuple) and hasattr(returned, "_fields"):
        return typing.get_type_hints(returned)
    return {"": returned}
