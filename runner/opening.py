"""What `t2iflow run` accepts: a recipe file, a shipped recipe's name, or a picture or film that carries its recipe."""

from collections.abc import Sequence
from pathlib import Path

from t2iflow.nodes import paths
from t2iflow.nodes.metadata import read_recipe
from t2iflow.pipelines.graph import Named
from t2iflow.pipelines.origin import of_picture
from t2iflow.pipelines.problems import Place, Problem, RecipeError
from t2iflow.pipelines.recipe import Recipe, read, read_text
from t2iflow.pipelines.wiring import wire

CARRIERS = {".png", ".jpg", ".jpeg", ".webp", ".mp4", ".mov", ".webm", ".gif", ".apng"}


def read_anything(where: str, presets: Sequence[str], overrides: Sequence[str], problems: list[Problem]) -> Recipe:
    """Read the recipe, adding its mistakes to `problems`; RecipeError if none can be made of it."""
    path = paths.given(where)
    if not carries(path):
        return read(where, presets=presets, overrides=overrides, problems=problems)
    text, name, whose = carried_text(path), f"recipe in {path.name}", of_picture(path)
    return read_text(text, name, whose, name=path.stem, presets=presets, overrides=overrides, problems=problems)


def lacking(text: str, place: Path) -> list[Named]:
    """What a recipe out of a picture reads and does not find from a place; nothing, if it has mistakes of its own."""
    try:
        named = wire(read_text(text, str(place), of_picture(place), problems=[]), []).named
    except RecipeError:
        return []
    return [one for one in named if one.missing]


def carries(path: Path) -> bool:
    """Whether this is a file that may carry a recipe."""
    return path.suffix.lower() in CARRIERS and not paths.no_file(path)


def carried_text(path: Path) -> str:
    """The recipe in a picture or film, as it is; RecipeError if there is none."""
    try:
        text = read_recipe(path)
        reason = "it carries no recipe; was it saved anew or re-encoded by another program?"
    except (ValueError, OSError) as fault:
        text, reason = None, str(fault)
    if text is None:
        refusal = Problem("T2I107", f"can't read a recipe from `{path}`: {reason}", Place(str(path), 1, 1))
        raise RecipeError([refusal], {})
    return text
