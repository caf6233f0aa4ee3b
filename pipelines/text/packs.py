"""Recipes by name: those that are bundled, and packs of recipes that installed packages offer.

A package offers a folder of recipes by an entry point of the group `t2iflow.recipes`: its name is the pack's, its value
the package or module in whose folder they lie. Nothing of the package is imported, and its recipes are foreign.

    [project.entry-points."t2iflow.recipes"]
    foxes = "fox_recipes"        # fox_recipes/red.yaml is foxes/red
"""

import importlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.offered import offered, packages
from t2iflow.pipelines.text.origin import BY_COPY, Origin

GROUP = "t2iflow.recipes"


@dataclass(frozen=True)
class Found:
    """A recipe that was found by its name: its file, and whose it is."""

    path: Path
    origin: Origin


def shipped_recipes() -> dict[str, Path]:
    """The recipes that come with the program, by name."""
    folder = Path(next(iter(importlib.import_module("t2iflow.examples").__path__)))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def packed_recipes() -> dict[str, Path]:
    """The recipes of packs, by name: `foxes/red`."""
    return {f"{pack}/{path.stem}": path for pack, folder in _packs().items() for path in _recipes(folder)}


def find(name: str) -> Found | None:
    """The recipe of this name, if one has it."""
    if path := shipped_recipes().get(name):
        return Found(path, Origin(path.parent))
    if path := packed_recipes().get(name):
        return Found(path, Origin(path.parent, paths.real(path.parent), owned=BY_COPY.format(name)))
    return None


def names() -> list[str]:
    """The names of all recipes, the bundled ones first."""
    return [*shipped_recipes(), *packed_recipes()]


def unusable() -> Iterator[str]:
    """Packs that can't be used, and why, in words."""
    for name, points in _offered().items():
        if len(points) > 1:
            yield f"`{name}` is ignored, since several packages have recipes under this name: {packages(points)}"
        elif _folder(points[0]) is None:
            yield f"`{name}` is ignored: `{points[0].value}` isn't a folder of recipes"


@cache
def _packs() -> dict[str, Path]:
    """The folder of each pack that can be used, by name."""
    folders = {name: _folder(points[0]) for name, points in _offered().items() if len(points) == 1}
    return {name: folder for name, folder in sorted(folders.items()) if folder}


def _offered() -> dict[str, list[EntryPoint]]:
    """What installed packages offer, by the pack's name."""
    return {name: points for name, points in offered(GROUP).items() if name.replace("-", "_").isidentifier()}


def _folder(point: EntryPoint) -> Path | None:
    """Where a package or module lies; only that of the topmost is looked for, which imports nothing of it."""
    top, *within = point.value.strip().split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return None
    roots = (spec.submodule_search_locations or []) if spec else []
    return next((folder for root in roots if os.path.isdir(folder := Path(root, *within))), None)


def _recipes(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*.yaml")) if not path.name.startswith(".")]
