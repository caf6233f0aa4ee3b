"""The recipe of a run, as its folder has it, as it was, or as it would be."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

from t2iflow.nodes.core.run_files import RECIPE
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.problems import Problems
from t2iflow.pipelines.text.origin import of_run
from t2iflow.pipelines.text.overrides import ValueOverride
from t2iflow.pipelines.text.recipe import read_text
from t2iflow.pipelines.text.yaml_reader import load
from t2iflow.runner.folder import lock
from t2iflow.runner.folder.folder import check_resumable
from t2iflow.runner.folder.history import recipe_name


def text_of(folder: Path) -> str:
    """The recipe's text; an editor's byte order mark, and how it ends lines, are no change.
    RecipeError where it can't be read."""
    return StringIO(load(folder / RECIPE), newline=None).read().rstrip("\n") + "\n"


def plan_of(folder: Path, name: str = "") -> Plan:
    """The plan of the run in a folder; RecipeError with all mistakes of its recipe, whose `name` the log says where it
    isn't given."""
    return compiler(folder, name)(text_of(folder), ())


def resumable(folder: Path) -> Plan:
    """The plan of a run that was stopped; NotResumableError where no run in the folder can be resumed."""
    check_resumable(folder)
    return plan_of(folder)


def compiler(folder: Path, name: str = "") -> Callable[[str, Sequence[str | ValueOverride]], Plan]:
    """What compiles a text as the recipe of this run, with overrides; RecipeError with all its mistakes."""
    path = folder / RECIPE
    origin, name = replace(of_run(path), address=lock.address(folder)), name or recipe_name(folder)

    def compiled(text: str, overrides: Sequence[str | ValueOverride] = ()) -> Plan:
        problems = Problems()
        return compile_recipe(
            read_text(text, str(path), origin, name=name, overrides=overrides, problems=problems), problems
        )

    return compiled
