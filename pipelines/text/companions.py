"""The files beside a recipe that its text names: a copy of the recipe needs copies of them."""

import re
from collections.abc import Iterator
from pathlib import Path

from t2iflow.nodes.core import paths
from t2iflow.pipelines.text.located import Located
from t2iflow.pipelines.text.yaml_reader import load, parse

LISTED = re.compile(r"@([^\s{}|]+)")
"""How prompts and sweeps name a file of lines."""


def companions(recipe: Path) -> dict[str, Path]:
    """The files beneath a recipe's folder that it names, or that recipes among these name, by their paths from there;
    RecipeError for a recipe that can't be read."""
    found: dict[str, Path] = {}
    waiting = [recipe]
    while waiting:
        named = _named(waiting.pop(), recipe.parent)
        fresh = {name: path for name, path in named.items() if name not in found and path != recipe}
        found |= fresh
        waiting += [path for path in fresh.values() if path.suffix == ".yaml"]
    return found


def _named(recipe: Path, folder: Path) -> dict[str, Path]:
    home = paths.real(folder)
    whole = {text: paths.real(recipe.parent / text) for text in _texts(parse(load(recipe), str(recipe)))}
    files = [path for path in whole.values() if path.is_relative_to(home) and not paths.no_file(path)]
    return {path.relative_to(home).as_posix(): folder / path.relative_to(home) for path in files}


def _texts(value: Located) -> Iterator[str]:
    inner = value.value
    if isinstance(inner, str):
        yield from (inner, *LISTED.findall(inner))
    elif isinstance(inner, list | dict):
        for part in inner.values() if isinstance(inner, dict) else inner:
            yield from _texts(part)
