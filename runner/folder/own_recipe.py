"""The recipe of a run, as its folder has it, as it was, or as it would be."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.problems import Problems
from t2iflow.pipelines.text.origin import Origin, of_file, of_run
from t2iflow.pipelines.text.overrides import Passed
from t2iflow.pipelines.text.recipe import read_text
from t2iflow.runner.folder import lock
from t2iflow.runner.folder.history import RECIPE, recipe_name
from t2iflow.runner.sharing.address import recorded


def text_of(folder: Path) -> str:
    """The recipe's text; an editor's byte order mark, and what it does to the last line's end, are no change."""
    return (folder / RECIPE).read_text(encoding="utf-8-sig").rstrip("\n") + "\n"


def origin(recipe: Path, resumed: bool = True) -> Origin:
    """Whose the recipe is when the run is resumed, or else when it is run again; its lock knows where it came from."""
    whose = of_run(recipe) if resumed else of_file(recipe)
    return replace(whose, address=recorded(lock.read(recipe.parent).get("from")))


def compiler(folder: Path) -> Callable[[str, Sequence[str | Passed]], Plan]:
    """What compiles a text as the recipe of this run, with overrides; RecipeError with all its mistakes."""
    path = folder / RECIPE
    whose, name = origin(path), recipe_name(folder)

    def compiled(text: str, overrides: Sequence[str | Passed] = ()) -> Plan:
        problems = Problems()
        return compile_recipe(
            read_text(text, str(path), whose, name=name, overrides=overrides, problems=problems), problems
        )

    return compiled
