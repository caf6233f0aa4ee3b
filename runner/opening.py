"""What `t2iflow run` accepts: a recipe file, a shipped recipe's name, or a picture or film that carries its recipe."""

from collections.abc import Sequence

from t2iflow.nodes import paths
from t2iflow.nodes.metadata import read_recipe
from t2iflow.pipelines.problems import Place, Problem, RecipeError
from t2iflow.pipelines.recipe import Recipe, read, read_text

CARRIERS = {".png", ".jpg", ".jpeg", ".webp", ".mp4", ".mov", ".webm", ".gif", ".apng"}


def read_anything(where: str, presets: Sequence[str], overrides: Sequence[str], problems: list[Problem]) -> Recipe:
    """Read the recipe, adding its mistakes to `problems`; RecipeError if none can be made of it."""
    path = paths.given(where)
    if path.suffix.lower() not in CARRIERS or paths.no_file(path):
        return read(where, presets=presets, overrides=overrides, problems=problems)
    try:
        text = read_recipe(path)
        reason = "it carries no recipe; was it saved anew or re-encoded by another program?"
    except (ValueError, OSError) as fault:
        text, reason = None, str(fault)
    if text is None:
        raise RecipeError((Problem("T2I107", f"can't read a recipe from `{where}`: {reason}", Place(where, 1, 1)),), {})
    name = f"recipe in {path.name}"
    return read_text(text, name, path.parent, name=path.stem, presets=presets, overrides=overrides, problems=problems)
