"""The names of our nodes, read from their source files: importing them takes seconds, which a shell's completion can't
wait."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

MARKS = ("node", "optimizer", "camera")
"""The decorators that make a node."""


def node_name(name: str) -> str:
    """The name a recipe uses within the family: `random_squares`, and `fourier` for a class `Fourier`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().rstrip("_")


def our_nodes() -> Iterator[str]:
    """All nodes in the package, family by family."""
    for file in sorted(Path(__file__).parents[1].glob("*.py")):
        for thing in ast.parse(file.read_text("utf-8")).body:
            if isinstance(thing, ast.FunctionDef | ast.ClassDef) and any(map(_marks, thing.decorator_list)):
                yield f"{file.stem}.{node_name(thing.name)}"


def _marks(decorator: ast.expr) -> bool:
    """Whether a decorator is one of those marks, as it is, called, or within a `partial`."""
    return any(isinstance(part, ast.Name) and part.id in MARKS for part in _heads(decorator))


def _heads(decorator: ast.expr) -> list[ast.expr]:
    return [decorator.func, *decorator.args] if isinstance(decorator, ast.Call) else [decorator]
