"""The command that runs many: a recipe with other values in it, and the rest of a sweep that was stopped."""

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.run_files import SAVE_EVERY
from t2iflow.runner import console
from t2iflow.runner.cli import completion
from t2iflow.runner.cli.addresses import Yes, agreed, looked
from t2iflow.runner.cli.arguments import is_given, sort_out
from t2iflow.runner.cli.options import Device, Json, SaveEvery
from t2iflow.runner.cli.recipe_command import RecipeCommand, print_notes, request
from t2iflow.runner.cli.refusing import refusing
from t2iflow.runner.exits import UsageError
from t2iflow.runner.folder import places

if TYPE_CHECKING:
    from t2iflow.pipelines.text.recipe import Recipe
    from t2iflow.runner.sweep.driver import Crew
    from t2iflow.runner.sweep.folder import SweepFolder
    from t2iflow.runner.sweep.sweeping import Ending

app = typer.Typer(rich_markup_mode=None)

SWEEPS = Path(places.SWEEPS)

Each = Annotated[
    list[str] | None,
    typer.Option(
        "--each",
        metavar="NAME=VALUES",
        help="Vary a param, NODE.SETTING or the seed: [a, b], 0..7, or @FILE with a value per line. Repeatable; all"
        " combinations are run.",
        autocompletion=completion.settings,
    ),
]
Together = Annotated[
    list[str] | None,
    typer.Option(
        "--together",
        metavar="NAME=VALUES",
        help="Vary several in step: the first value of each, then the second, and so on. Repeatable.",
        autocompletion=completion.settings,
    ),
]
Retry = Annotated[str | None, typer.Option(metavar="failed", help="Of a sweep's folder: try failed cells again.")]
Jobs = Annotated[int | None, typer.Option("--jobs", min=1, metavar="N", help="How many run at once.")]
PerGpu = Annotated[int, typer.Option("--per-gpu", min=1, metavar="N", help="How many run at once on each GPU.")]
Planned = Annotated[bool, typer.Option("--plan", help="Show what would run and what it costs, without running it.")]
Out = Annotated[
    str,
    typer.Option(
        "--out", metavar="FOLDER", help="Where to create the sweep's folder, or where to keep it: s3://BUCKET/PATH."
    ),
]
On = Annotated[
    str,
    typer.Option(
        "--on",
        metavar="ray[=HOST:PORT]",
        help="Run on the Ray cluster at an address, or on one that is started here.",
        show_default=False,
    ),
]
Rank = Annotated[str | None, typer.Option("--rank", metavar="NAME", help="The perceptor that ranks the pictures.")]


@app.command(cls=RecipeCommand)
def sweep(
    context: typer.Context,
    each: Each = None,
    together: Together = None,
    rank: Rank = None,
    out: Out = str(SWEEPS),
    on: On = "",
    device: Device = "auto",
    jobs: Jobs = None,
    per_gpu: PerGpu = 1,
    retry: Retry = None,
    plan: Planned = False,
    checkpoint: SaveEvery = SAVE_EVERY,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Run a recipe with every combination of other values; or, given a sweep's folder, resume it."""
    from t2iflow.runner.sweep.varied import varied

    with refusing():
        if retry not in (None, "failed"):
            raise UsageError(f"`--retry {retry}`: only what failed can be tried again: `--retry failed`")
        if on:
            from t2iflow.runner.sweep.joining import check

            check(on)
        begun = _begun(context, [*(each or ()), *(together or ()), *([rank] if rank else [])])
        if begun is None:
            if retry:
                raise UsageError("`--retry` is for the folder of a sweep: name that in place of the recipe")
            settled = looked if plan else lambda one: agreed(one, device, yes)
            found = varied(request(context, settled), each or (), together or (), rank)
            print_notes(found.recipe)
        from t2iflow.runner.sweep import sweeping  # and torch, once there is something to run
        from t2iflow.runner.sweep.slot import How

        how = How(device, jobs, per_gpu, on, checkpoint)
        if begun is None:
            if plan:
                if on:
                    console.err().say("note: the time is that of this machine, not of the cluster")
                console.out().say(str(sweeping.plan(found, how)))
                return
            begun = sweeping.begin(found, out, how)
        elif plan:
            raise UsageError(f"the sweep in `{begun.at}` has begun; `t2iflow runs {begun.at}` lists its runs")
        _drive(begun, sweeping.crew(begun, how), json, retry is not None)


def best_of(count: int, recipe: "Recipe", parent: Path, device: str, checkpoint: float, json: bool) -> NoReturn:
    """Run so many seeds of a recipe, its own first, and rank them."""
    from t2iflow.pipelines.text.sweep import of_seeds
    from t2iflow.runner.sweep import sweeping
    from t2iflow.runner.sweep.slot import How
    from t2iflow.runner.sweep.varied import Varied

    how = How(device, save_every=checkpoint)
    seeds = of_seeds(recipe.sweep, recipe.seed, count, recipe.start)
    begun = sweeping.begin(Varied(recipe, seeds), parent, how)
    _drive(begun, sweeping.crew(begun, how), json)


def _drive(begun: "SweepFolder", crew: "AbstractContextManager[Crew]", json: bool, retry: bool = False) -> NoReturn:
    """Make the cells, show how far they are, and end the program."""
    from t2iflow.runner.audience import leaving
    from t2iflow.runner.sweep import sweeping
    from t2iflow.runner.sweep.progress import lines, shown

    with lines() if json else shown(console.err()) as watcher:
        ending = sweeping.run(begun, crew, [watcher], retry)
    leaving(lambda: _print_end(ending))
    raise typer.Exit(ending.code)


def _print_end(ending: "Ending") -> None:
    if ending.message:
        console.err().prose(ending.message)
    if ending.kept:
        console.err().say(f"kept at {ending.kept}")


def _begun(context: typer.Context, varied: list[str]) -> "SweepFolder | None":
    """The sweep whose folder is named, if one is."""
    from t2iflow.runner.sweep.storage import is_address

    recipes, options = sort_out(context.obj.words or ())
    if len(recipes) != 1 or not (is_address(recipes[0]) or os.path.isdir(paths.given(recipes[0]))):
        return None
    from t2iflow.runner.sweep.sweeping import opened  # and torch, which a recipe that is missing doesn't need

    found = opened(recipes[0])
    if found is None:
        return None
    common = context.obj
    if options or varied or common.settings or common.preset or common.seed is not None or is_given(context, "out"):
        raise UsageError(f"the sweep in `{recipes[0]}` has begun, so nothing in it can be changed; start another")
    return found
