"""A recipe as a command line asks for it: where it is, and what is changed in it."""

from collections.abc import Sequence
from dataclasses import dataclass

from t2iflow.nodes.core.spelling import suggest
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.graph.outside import missing
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.problems import Problems, RecipeError
from t2iflow.pipelines.show.draft import overrides as drafted
from t2iflow.pipelines.text.recipe import Recipe
from t2iflow.runner.cli.arguments import Option, UsageError
from t2iflow.runner.cli.opening import Reader, opened


@dataclass(frozen=True)
class Request:
    """A recipe, presets and overrides; and options that the command itself (whose own are `known`) doesn't have, so
    that they must be params of the recipe or settings of its nodes."""

    where: str
    presets: Sequence[str] = ()
    overrides: Sequence[str] = ()
    options: Sequence[Option] = ()
    known: Sequence[str] = ()
    resumed: bool = False

    def plan(self, draft: bool = False, lacking: bool = True) -> Plan:
        """Read and compile the recipe; RecipeError with all its mistakes, or UsageError.

        A draft is smaller and shorter. A recipe that comes out of a picture may be `lacking` what it reads, unless it
        is to run.
        """
        reader = opened(self.where, self.resumed)
        overrides = [*self.overrides, *self._from_options(reader)]
        made = self._compiled(reader, overrides)
        if draft:
            made = self._compiled(reader, [*drafted(made), *overrides])  # what the user gives comes last
        if not lacking and (lost := list(missing(made.graph))):
            raise RecipeError(lost, made.graph.recipe.sources)
        return made

    def recipe(self, problems: Problems) -> Recipe:
        """Read the recipe; its mistakes are added to the problems, and RecipeError if none can be made of it."""
        reader = opened(self.where, self.resumed)
        return reader(self.presets, [*self.overrides, *self._from_options(reader)], problems)

    def _compiled(self, reader: Reader, overrides: Sequence[str]) -> Plan:
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


def _params(recipe: Recipe) -> str:
    written = ", ".join(f"--{name}" for name in recipe.params)
    return f"its params are {written}" if written else "it has no params; change a setting by --NODE.SETTING VALUE"
