"""What the arguments of `import t2iflow` may be: each name means the same wherever it stands."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, Signature
from typing import Any, NamedTuple

from t2iflow.faults import mistaken

LONGEST = 40
"""Letters of a value that a message shows, at most."""


class Kind(NamedTuple):
    """What an argument takes, in words, and whether a value is that."""

    words: str
    fits: Callable[[Any], bool]


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _path(value: Any) -> bool:
    return isinstance(value, str | os.PathLike)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _whole(value: Any) -> bool:
    """Whether it counts, as Python's and NumPy's whole numbers do."""
    try:
        return not isinstance(value, bool) and operator.index(value) == value
    except (TypeError, ValueError):
        return False


def _number(value: Any) -> bool:
    return isinstance(value, float) or _whole(value)


def _mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


FLAG = Kind("True or False", _flag)
COUNT = Kind("a whole number", _whole)
LISTS = Kind('a mapping of names to lists of values, such as `{"seed": range(4)}`', _mapping)

KINDS = {
    "preset": Kind(
        "the name of a preset or a list of names",
        lambda value: _text(value) or (isinstance(value, Sequence) and all(map(_text, value))),
    ),
    "set": Kind('a mapping of names to values, such as `{"canvas.size": [256, 256]}`', _mapping),
    "seed": Kind('a whole number or "random"', lambda value: _text(value) or _whole(value)),
    "frames": Kind(
        'a number, a range or a text, such as `15`, `range(10, 21)` or `"10..20"`',
        lambda value: _whole(value) or _text(value) or (isinstance(value, range) and value.step == 1),
    ),
    "out": Kind("a path", _path),
    **dict.fromkeys(("file", "folder", "made", "run"), Kind("a path or a run", _path)),
    "device": Kind('a text, such as `"cpu"` or `"cuda:1"`', _text),
    "checkpoint": Kind("a number of seconds", _number),
    "each": LISTS,
    "together": LISTS,
    "rank": Kind('the name of a perceptor, such as `"lite"`', _text),
    "on": Kind('`"ray"` or `"ray=HOST:PORT"`', _text),
    "show": Kind("True, False or None", _flag),
    **dict.fromkeys(("best", "jobs", "per_gpu"), COUNT),
    **dict.fromkeys(("draft", "capture", "compile", "measure", "retry", "wait"), FLAG),
}

ELSEWHERE = {
    **dict.fromkeys(("best", "each", "together", "rank", "jobs", "per_gpu", "on", "retry"), "sweep"),
    **dict.fromkeys(("draft", "frames", "capture", "compile"), "run"),
    "measure": "plan",
}
"""Which function has an argument that others don't have."""


def check(name: str, value: Any) -> None:
    """Raise TypeError, in words, where an argument of this name can't have the value."""
    kind = KINDS.get(name)
    if kind and not kind.fits(value):
        raise mistaken(f"`{name}` takes {kind.words}, not {shown(value)}")


def check_call(signature: Signature, name: str, positional: Sequence[Any], named: Mapping[str, Any]) -> None:
    """Raise TypeError, in words, where a function is called with what it doesn't take. A default is always taken."""
    places = [one for one in signature.parameters.values() if one.kind is Parameter.POSITIONAL_OR_KEYWORD]
    if len(positional) > len(places):
        first = " and ".join(f"`{one.name}`" for one in places) or "nothing"
        more = shown(positional[len(places)])
        raise mistaken(f"in `t2iflow.{name}`, only {first} may stand without a name: write `NAME={more}`")
    for argument, value in (*zip((one.name for one in places), positional, strict=False), *named.items()):
        parameter = signature.parameters.get(argument)
        if parameter and value is not parameter.default:
            check(argument, value)


def hints(signature: Signature, name: str) -> tuple[str, ...]:
    """What may have been meant by an argument that the function doesn't have, nor the recipe as a param."""
    from t2iflow.nodes.core.spelling import suggest

    taken = [one for one in signature.parameters if one in KINDS]
    if name in ELSEWHERE:
        return (f"`{name}` is an argument of `t2iflow.{ELSEWHERE[name]}`",)
    near = suggest(name, taken)
    return (near,) if near else ()


def shown(value: Any) -> str:
    """A value as its message shows it."""
    if isinstance(value, str | bool | int | float | list | tuple | dict | range) or value is None:
        text = repr(value)
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
    return f"a value of type {type(value).__name__}"
