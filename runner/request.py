"""A recipe as it is asked for: where it is, and what is changed in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from t2iflow.nodes.core.spelling import suggest
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.graph.outside import missing
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.problems import Problems, RecipeError
from t2iflow.pipelines.show.draft import overrides as drafted
from t2iflow.pipelines.text.overrides import Passed
from t2iflow.pipelines.text.recipe import Recipe
from t2iflow.runner.exits import UsageError
from t2iflow.runner.folder.folder import check_resumable
from t2iflow.runner.folder.history import RECIPE
from t2iflow.runner.opening import Reader, carrier, opened, threads

Option: TypeAlias = tuple[str, str | None]
"""An option that the command itself doesn't have, and its value."""


@dataclass(frozen=True)
class Request:
    """A recipe, presets and overrides; and options that the command itself (whose own are `known`) doesn't have, so
    that they must be params of the recipe or settings of its nodes. A recipe that is in no file is here as `text`, and
    `where` is what messages call it."""

    where: str
    presets: Sequence[str] = ()
    overrides: Sequence[str | Passed] = ()
    options: Sequence[Option] = ()
    known: Sequence[str] = ()
    resumed: bool = False
    text: str | None = None

    def plan(self, draft: bool = False, lacking: bool = True) -> Plan:
        """Read and compile the recipe; RecipeError with all its mistakes, or UsageError.

        A draft is smaller and shorter. A recipe that comes out of a picture may be `lacking` what it reads, unless it
        is to run.
        """
        reader = opened(self.where, self.resumed, self.text)
        overrides = [*self.overrides, *self._from_options(reader)]
        made = self._compiled(reader, overrides)
        if draft:
            made = self._compiled(reader, [*drafted(made), *overrides])  # what the user gives comes last
        if not lacking and (lost := list(missing(made.graph))):
            raise RecipeError(lost, made.graph.recipe.sources)
        return made

    @property
    def is_changed(self) -> bool:
        """Whether presets or values are given."""
        return bool(self.presets or self.overrides or self.options)

    @property
    def threads(self) -> int | None:
        """With how many threads to make a picture or bundle again, unchanged, so that all bytes are the same; None, as
        many as there are, for all else."""
        made = None if self.is_changed or self.text is not None else carrier(self.where)
        return threads(made) if made else None

    def recipe(self, problems: Problems) -> Recipe:
        """Read the recipe; its mistakes are added to the problems, and RecipeError if none can be made of it."""
        reader = opened(self.where, self.resumed, self.text)
        return reader(self.presets, [*self.overrides, *self._from_options(reader)], problems)

    def _compiled(self, reader: Reader, overrides: Sequence[str | Passed]) -> Plan:
        problems = Problems()
        return compile_recipe(reader(self.presets, overrides, problems), problems)

    def _from_options(self, reader: Reader) -> list[str]:
        """The options as `--set` has them."""
        if not self.options:
            return []
        problems = Problems()
        recipe = reader(self.presets, (), problems)
        return [self._override(name, value, recipe) for name, value in self.options]

    def _override(self, name: str, value: str | None, recipe: Recipe) -> str:
        names = {param.replace("_", "-"): param for param in recipe.params} | {param: param for param in recipe.params}
        node, dot, _ = name.partition(".")
        if name not in names and not (dot and node in recipe.nodes):
            near = suggest(name, [*names, *self.known])
            raise UsageError(
                f"there is no option `--{name}`, and `{self.where}` has no such param; "
                + (near.replace("`", "`--", 1) if near else _params(recipe))
            )
        if value is None:
            raise UsageError(
                f"`--{name}` needs a value: `--{name} VALUE`, or `--{name}=VALUE` where that begins with --"
            )
        return f"{names.get(name, name)}={value}"


def of_run(folder: Path) -> Request:
    """The recipe of a run that was stopped; NotResumableError where no run in the folder can be resumed."""
    check_resumable(folder)
    return Request(str(folder / RECIPE), resumed=True)


def _params(recipe: Recipe) -> str:
    written = ", ".join(f"--{name}" for name in recipe.params)
    return f"its params are {written}" if written else "it has no params; change a setting by --NODE.SETTING VALUE"
