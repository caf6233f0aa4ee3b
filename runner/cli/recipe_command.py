"""Commands on recipes: the options that all of them have, and their help, which lists the params of the recipe."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import typer

from t2iflow.runner import console
from t2iflow.runner.cli.addresses import looked
from t2iflow.runner.cli.arguments import sort_out, the_recipe
from t2iflow.runner.cli.command import Command
from t2iflow.runner.cli.options import Presets, Seed, Settings, Words

if TYPE_CHECKING:
    from t2iflow.pipelines.plan.plan import Plan
    from t2iflow.pipelines.text.recipe import Recipe
    from t2iflow.runner.request import Option, Request


@dataclass(frozen=True)
class CommonOptions:
    """What every command on recipes takes."""

    words: Words = None
    settings: Settings = None
    preset: Presets = None
    seed: Seed = None


class RecipeCommand(Command):
    """A command that takes all of `CommonOptions` beside its own options, and gets at it by `request` or `requests`."""

    def __init__(self, name: str | None, *, params: list[Any], context_settings: Any = None, **how: Any) -> None:
        loose = {**(context_settings or {}), "ignore_unknown_options": True}  # for a recipe's params are options too
        super().__init__(name, params=[*_params_of_all(), *params], context_settings=loose, **how)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Note the recipe, which `--help` doesn't wait for; after `--` a file's name may begin with a dash."""
        if "--" in args:
            start = args.index("--") + 1
            args = [*args[:start], *(f"./{word}" if word.startswith("-") else word for word in args[start:])]
        valued = {option for param in self.params if not getattr(param, "is_flag", False) for option in param.opts}
        words = [word for before, word in pairwise(["", *args]) if before not in valued]
        self._recipe = next((word for word in words if not word.startswith("-")), "")
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Call the command with its own options; those of all are left in the context."""
        ctx.obj = CommonOptions(**{field.name: ctx.params.pop(field.name) for field in fields(CommonOptions)})
        return super().invoke(ctx)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """List the params of the recipe that was named."""
        rows = list(_params_of(self._recipe))
        with formatter.section(f"Params of {self._recipe}" if rows else "Params"):
            if rows:
                formatter.write_dl(rows)
            else:
                formatter.write_text("A recipe's params are options too: name one before --help to see them.")
        formatter.write("\n")


def request(context: typer.Context, settled: "Callable[[Request], Request]" = looked, draft: bool = False) -> "Request":
    """The one recipe that the command names, with all that is changed in it; UsageError if it names none or several.

    `settled` decides about an address: a command that runs recipes gives `agreed`."""
    recipes, options = sort_out(context.obj.words or ())
    return settled(_request(context, the_recipe(recipes, options, context.info_name or ""), options, draft))


def requests(context: typer.Context) -> list["Request"]:
    """All recipes that the command names; UsageError if it names none."""
    recipes, options = sort_out(context.obj.words or ())
    return [looked(_request(context, where, options)) for where in recipes] or [request(context)]


def compiled(request: "Request", lacking: bool = True) -> "Plan":
    """The plan of what is requested, after printing what there is to note about its recipe; see `Request.plan`."""
    return noted(request.plan(lacking))


def noted(plan: "Plan") -> "Plan":
    """The plan, after printing what there is to note about its recipe."""
    print_notes(plan.graph.recipe)
    return plan


def print_notes(recipe: "Recipe") -> None:
    """Print what there is to note about a recipe."""
    for note in recipe.notes:
        console.err().prose(f"note: {note}")


def _request(context: typer.Context, where: str, options: "Sequence[Option]", draft: bool = False) -> "Request":
    from t2iflow.runner.request import Request

    common: CommonOptions = context.obj
    overrides = [*(common.settings or []), *([f"seed={common.seed}"] if common.seed is not None else [])]
    known = [option.removeprefix("--") for param in context.command.params for option in param.opts]
    return Request(where, common.preset or (), overrides, options, known, draft)


@cache
def _params_of_all() -> list[Any]:
    """What Typer makes of `CommonOptions`."""
    alone = typer.Typer(add_completion=False)
    alone.command()(CommonOptions)
    return list(typer.main.get_command(alone).params)


def _params_of(recipe: str) -> Iterator[tuple[str, str]]:
    from t2iflow.nodes.core.texts import shortened
    from t2iflow.pipelines.problems import Problems, RecipeError
    from t2iflow.pipelines.text.located import plain
    from t2iflow.pipelines.text.recipe import read
    from t2iflow.pipelines.text.yaml_writer import flow

    try:
        made = read(recipe, problems=Problems()) if recipe else None
    except RecipeError:
        return
    for name, value in made.params.items() if made else ():
        yield f"--{name}", f"now {shortened(flow(plain(value)))}"
