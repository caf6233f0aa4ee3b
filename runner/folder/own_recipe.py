"""The recipe of a run, as its folder has it, as it was, or as it would be."""

from collections.abc import Callable, Sequence
from pathlib import Path

from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.problems import Problems
from t2iflow.pipelines.text.origin import of_run
from t2iflow.pipelines.text.overrides import Passed
from t2iflow.pipelines.text.recipe import read_text
from t2iflow.runner.folder.history import RECIPE, recipe_name


def text_of(folder: Path) -> str:
    """The recipe's text; an editor's byte order mark, and what it does to the last line's end, are no change."""
    return (folder / RECIPE).read_text(encoding="utf-8-sig").rstrip("\n") + "\n"


def compiler(folder: Path) -> Callable[[str, Sequence[str | Passed]], Plan]:
    """What compiles a text as the recipe of this run, with overrides; RecipeError with all its mistakes."""
    path = folder / RECIPE
    origin, name = of_run(path), recipe_name(folder)

    def compiled(text: str, overrides: Sequence[str | Passed] = ()) -> Plan:
        problems = Problems()
        return compile_recipe(
            read_text(text, str(path), origin, name=name, overrides=overrides, problems=problems), problems
        )

    return compiled
