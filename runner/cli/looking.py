"""The commands that look at a recipe without running it."""

from typing import Annotated

import typer

from t2iflow.runner import console
from t2iflow.runner.cli.addresses import agreed, looked
from t2iflow.runner.cli.options import Device, Draft
from t2iflow.runner.cli.recipe_command import RecipeCommand, compiled, request, requests
from t2iflow.runner.cli.refusing import refusing
from t2iflow.runner.exits import INVALID, OK, USAGE

app = typer.Typer(rich_markup_mode=None)


@app.command(cls=RecipeCommand)
def check(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="Print the mistakes as JSON on standard output.")] = False,
) -> None:
    """Report every mistake in recipes and in their presets, without running them."""
    from t2iflow.runner import checking

    with refusing():
        found = [checking.check(one) for one in requests(context)]
    if json:
        console.write(checking.as_json(found))
    else:
        for one in found:
            (console.err() if one.problems else console.out()).say(str(one))
    raise typer.Exit(INVALID if any(one.problems for one in found) else OK)


@app.command(cls=RecipeCommand)
def plan(
    context: typer.Context,
    device: Device = "auto",
    draft: Draft = False,
    schedules: Annotated[bool, typer.Option("--schedules", help="Draw only what changes over time, larger.")] = False,
    measure: Annotated[
        bool, typer.Option("--measure", help="Run a few steps to measure the time and memory that a run needs.")
    ] = False,
) -> None:
    """Show what would run, how often, on which device, and which files it would write."""
    with refusing():
        settled = (lambda one: agreed(one, device, yes=False)) if measure else looked  # measuring runs steps
        made = compiled(request(context, settled, draft))
        from t2iflow.runner.preview.preview import changing, preview
        from t2iflow.runner.sweep import sweeping

        said = changing(made) if schedules else str(sweeping.with_own(preview(made, device, measure), device))
        console.out().say(said)


@app.command(cls=RecipeCommand)
def show(
    context: typer.Context,
    stage: Annotated[str, typer.Option(metavar="STAGE", help="recipe, resolved, graph or plan.")] = "resolved",
) -> None:
    """Print a stage of the compilation."""
    with refusing():
        made = compiled(request(context))
    from t2iflow.pipelines.show import draw
    from t2iflow.pipelines.show.resolved import resolved

    stages = {
        "recipe": lambda: next(iter(made.graph.recipe.sources.values())),
        "resolved": lambda: resolved(made.graph),
        "graph": lambda: draw.term(made),
        "plan": lambda: str(made),
    }
    if stage not in stages:
        console.fail(f"unknown stage `{stage}`: choose one of {', '.join(stages)}", USAGE)
    console.write(stages[stage]())


@app.command(cls=RecipeCommand)
def graph(
    context: typer.Context,
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="term, mermaid, dot or svg.")] = "term",
) -> None:
    """Draw a recipe's nodes and wires."""
    with refusing():
        made = compiled(request(context))
    from t2iflow.pipelines.show import draw

    if form not in draw.FORMATS:
        console.fail(f"unknown format `{form}`: choose one of {', '.join(draw.FORMATS)}", USAGE)
    console.write(draw.FORMATS[form](made))
