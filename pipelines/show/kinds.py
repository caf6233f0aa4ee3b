"""The kinds of what flows along wires, in words: what each is made of, and which nodes make and take it."""

import ast
import inspect
import itertools
import sys
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import is_dataclass
from functools import cache
from types import ModuleType
from typing import Any

from t2iflow.nodes.core.node import Spec, kind_name


def every_kind(specs: Iterable[Spec]) -> list[Any]:
    """All kinds that ports of these nodes take or outputs make, by name."""
    found = {kind for spec in specs for kind in (*spec.outputs.values(), *(port.kind for port in spec.ports.values()))}
    return sorted(found, key=kind_name)


def said_of(kind: Any) -> str:
    """What its docstring says, in one line."""
    module = sys.modules.get(getattr(kind, "__module__", ""))
    said = kind.__doc__ if inspect.isclass(kind) or module is None else _said_in(module).get(kind_name(kind))
    return " ".join((said or "").split())


def fields(kind: Any) -> Iterator[tuple[str, str]]:
    """The parts of a kind that is more than one tensor, each with what the comment beside it says."""
    if not (inspect.isclass(kind) and is_dataclass(kind)):
        return
    try:
        source = textwrap.dedent(inspect.getsource(kind))
    except (OSError, TypeError):
        return
    (body,) = ast.parse(source).body
    lines = source.splitlines()
    for part in body.body if isinstance(body, ast.ClassDef) else ():
        match part:
            case ast.AnnAssign(target=ast.Name(name)) if not name.startswith("_"):
                yield name, lines[part.lineno - 1].partition("  # ")[2]


def makers(kind: Any, specs: Iterable[Spec]) -> Iterator[str]:
    """The nodes that make it."""
    return (spec.name for spec in specs if kind in spec.outputs.values())


def takers(kind: Any, specs: Iterable[Spec]) -> Iterator[str]:
    """The nodes that take it."""
    return (spec.name for spec in specs if any(port.kind is kind for port in spec.ports.values()))


@cache
def _said_in(module: ModuleType) -> dict[str, str]:
    """The docstrings below a module's assignments, which Python itself drops."""
    try:
        body = ast.parse(inspect.getsource(module)).body
    except (OSError, TypeError, SyntaxError):  # built in, or made while the program runs
        return {}
    said = {}
    for first, second in itertools.pairwise(body):
        match first, second:
            case ast.Assign(targets=[ast.Name(name)]), ast.Expr(ast.Constant(str(text))):
                said[name] = text
    return said
