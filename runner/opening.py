"""What is taken as a recipe: a file, a shipped recipe's name, a picture, film or bundle with one, `-`, or a text."""

import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from t2iflow.nodes.core import paths
from t2iflow.nodes.pictures.metadata import CARRIERS, read_recipe
from t2iflow.pipelines.graph.graph import Named
from t2iflow.pipelines.graph.wiring import wire
from t2iflow.pipelines.problems import Place, Problem, Problems, RecipeError
from t2iflow.pipelines.text.origin import HERE, Origin, of_picture, of_run
from t2iflow.pipelines.text.overrides import Passed
from t2iflow.pipelines.text.recipe import Recipe, read, read_text
from t2iflow.pipelines.text.yaml_reader import MAX_BYTES, decoded, load
from t2iflow.runner.folder import bundle, lock, provenance
from t2iflow.runner.folder.bundle import ENDING, Bundle, BundleError
from t2iflow.runner.folder.history import RECIPE, recipe_name, resuming

STANDARD_INPUT = "-"
OFFERED = 3
"""How many recipes in a folder a message names."""

Reader: TypeAlias = Callable[[Sequence[str], Sequence[str | Passed], Problems], Recipe]
"""Reads the recipe with these presets and overrides, adding its mistakes; RecipeError if none can be made of it."""


def opened(where: str, resumed: bool = False, text: str | None = None) -> Reader:
    """The reader of a recipe, which may be called several times; RecipeError if there is none to be read. A text is
    the user's own."""
    if text is not None:
        return _reader(decoded(text.encode(errors="surrogatepass"), where), where, HERE, "recipe")
    path = paths.given(where)
    if where == STANDARD_INPUT:
        file = "standard input"
        text = decoded(sys.stdin.buffer.read(MAX_BYTES + 1), file)
        return _reader(text, file, Origin(Path(), fence=paths.whole(".")), "recipe")  # it may come from anybody
    if os.path.isdir(path):  # which answers for impossible names too
        raise RecipeError([Problem("T2I107", f"`{where}` is a folder, not a recipe", hints=tuple(in_folder(path)))], {})
    if is_bundle(path):
        whole = unpacked(path)
        recipe = whole.folder / RECIPE
        return _reader(load(recipe), f"recipe in {path.name}", of_picture(recipe), whole.recipe)
    if carries(path):
        return _reader(carried_text(path), f"recipe in {path.name}", of_picture(path), path.stem)
    whose = of_run(path) if resumed else None
    name = recipe_name(path.parent) if path.name == RECIPE else ""
    return lambda presets, overrides, problems: read(
        where, presets=presets, overrides=overrides, problems=problems, whose=whose, name=name
    )


def is_bundle(path: Path) -> bool:
    """Whether this is a file that may be a bundle."""
    return path.suffix.lower() == ENDING and not paths.no_file(path)


def unpacked(path: Path) -> Bundle:
    """A bundle, unpacked; RecipeError if it is none."""
    try:
        return bundle.opened(path)
    except BundleError as fault:
        reason = str(fault)
    except OSError as fault:
        reason = f"it can't be unpacked to `{fault.filename}`: {fault.strerror}"
    raise RecipeError([Problem("T2I107", f"can't open the bundle `{path}`: {reason}", Place(str(path), 1, 1))], {})


def lacking(text: str, place: Path) -> list[Named]:
    """What a recipe out of a picture reads and does not find from a place; nothing, if it has mistakes of its own."""
    try:
        named = wire(read_text(text, str(place), of_picture(place), problems=Problems()), Problems()).named
    except RecipeError:
        return []
    return [one for one in named if one.missing]


def carries(path: Path) -> bool:
    """Whether this is a file that may carry a recipe."""
    return path.suffix.lower() in (*CARRIERS, ENDING) and not paths.no_file(path)


def carried_text(path: Path) -> str:
    """The recipe in a picture, film or bundle, as it is; RecipeError if there is none."""
    if is_bundle(path):
        return load(unpacked(path).folder / RECIPE)
    try:
        text = read_recipe(path)
        reason = "it carries no recipe; was it saved again or re-encoded by another program?"
    except (ValueError, OSError) as fault:
        text, reason = None, str(fault)
    if text is None:
        refusal = Problem("T2I107", f"can't read a recipe from `{path}`: {reason}", Place(str(path), 1, 1))
        raise RecipeError([refusal], {})
    return text


def threads(path: Path) -> int | None:
    """With how many threads the picture, film, bundle or run was made that a path leads to, where that is known."""
    if is_bundle(path):
        return lock.threads(unpacked(path).folder)
    if not carries(path):
        return lock.threads(path)
    said = provenance.read(carried_text(path)).get("threads", "")
    return int(said) if re.fullmatch("[1-9][0-9]{0,2}", said) else None


def _reader(text: str, file: str, whose: Origin, name: str) -> Reader:
    return lambda presets, overrides, problems: read_text(
        text, file, whose, name=name, presets=presets, overrides=overrides, problems=problems
    )


def in_folder(folder: Path) -> list[str]:
    """What a person may have meant who named a folder."""
    if os.path.isfile(folder / RECIPE):
        return [f"its recipe is `{folder / RECIPE}`", f"`{resuming(folder)}` resumes it, if it was stopped"]
    try:
        found = sorted(str(path) for path in folder.glob("*.yaml"))
    except OSError:
        return []
    more = f" and {len(found) - OFFERED} more" if len(found) > OFFERED else ""
    return [f"recipes in it: {', '.join(found[:OFFERED])}{more}"] if found else ["there are no .yaml files in it"]
