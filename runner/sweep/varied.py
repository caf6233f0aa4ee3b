"""What a sweep is of: a recipe, and what varies in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from shlex import quote

from t2iflow.pipelines.problems import Problems
from t2iflow.pipelines.text.recipe import Recipe
from t2iflow.pipelines.text.sweep import Axes, Sweep, changed, of_seeds
from t2iflow.runner.exits import UsageError
from t2iflow.runner.request import Request


@dataclass(frozen=True)
class Varied:
    """A recipe, what varies in it, and the mistakes that were found so far."""

    recipe: Recipe
    sweep: Sweep
    problems: Problems = field(default_factory=Problems)


def varied(
    asked: Request, each: Axes = (), together: Axes = (), rank: str | None = None, best: int | None = None
) -> Varied:
    """What is requested, with what varies besides what its recipe says, or with the `best` of so many seeds;
    UsageError where nothing varies."""
    problems = Problems()
    recipe = asked.recipe(problems)
    sweep = changed(recipe.sweep, each, together, rank, recipe.text.document, problems)
    if best and (each or together):
        raise UsageError("`best` runs one recipe with several seeds; with `each` or `together`, give the seeds there")
    if best or (recipe.best > 1 and not sweep.axes):
        return Varied(recipe, of_seeds(sweep, recipe.seed, best or recipe.best, recipe.start), problems)
    if not (sweep.axes or sweep.problems or problems):
        in_python = 'give `each={"seed": range(4)}` or `best=4`, or write'
        command = f"write `t2iflow sweep {quote(asked.where)} --each seed=0..3`, or"
        raise UsageError(
            f"nothing varies: {in_python if isinstance(each, Mapping) else command} `sweep:` in the recipe"
        )
    return Varied(recipe, sweep, problems)
