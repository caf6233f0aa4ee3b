"""The command line. Heavy imports happen inside the commands, so that `--help` is quick."""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, Optional

import typer

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.spelling import suggest
from t2iflow.runner import console
from t2iflow.runner.cli import completion, weights
from t2iflow.runner.cli.arguments import RecipeCommand, UsageError, sort_out, the_recipe
from t2iflow.runner.cli.options import (
    LOOSE,
    Debug,
    Device,
    Draft,
    Frames,
    Json,
    Presets,
    SaveEvery,
    Seed,
    Settings,
    Words,
)
from t2iflow.runner.exits import FAILED, HUNG_UP, INVALID, OK, USAGE

if TYPE_CHECKING:
    from t2iflow.pipelines.plan.plan import Plan
    from t2iflow.runner.cli.request import Request
    from t2iflow.runner.events import Listener
    from t2iflow.runner.session import Outcome

app = typer.Typer(
    name="t2iflow",
    help="Make pictures and films from text: recipes in YAML, compiled to a loop.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # twice as quick to help
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(weights.app)


def _version(wanted: bool) -> None:
    from importlib.metadata import version

    if wanted:
        console.write(f"t2iflow {version('t2iflow')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None: ...


def main() -> None:
    """The console command."""
    # Threads that spin long while they wait for each other slow a busy machine down severalfold, and gain nothing.
    os.environ.setdefault("GOMP_SPINCOUNT", "5000")
    os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    console.forgive()
    with console.printing():
        app()


@app.command(cls=RecipeCommand, context_settings=LOOSE)
def run(
    context: typer.Context,
    words: Words = None,
    settings: Settings = None,
    preset: Presets = None,
    seed: Seed = None,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where run folders are made.")] = Path("runs"),
    device: Device = "auto",
    draft: Draft = False,
    frames: Frames = None,
    checkpoint: SaveEvery = 10.0,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Make what a recipe describes."""
    from t2iflow.runner import session
    from t2iflow.runner.cli.part import read_part

    with _refusals():
        plan = _plan(_request(context, words, settings, preset, seed), draft, lacking=False)
        if plan.graph.recipe.changed:
            names = ", ".join(change.name for change in plan.graph.recipe.changed)
            console.err().say(f"changed by presets: {names}")
        part = read_part(frames, plan)
        outcome = session.start(plan, paths.given(out), device, _listeners(json), checkpoint, part)
    _finish(outcome, debug)


@app.command()
def resume(
    folder: Annotated[Path, typer.Argument(help="The folder of a run that was stopped.")],
    device: Device = "auto",
    frames: Frames = None,
    checkpoint: SaveEvery = 10.0,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Resume a stopped run; it ends with the same bytes as if it had not been stopped."""
    from t2iflow.runner import session
    from t2iflow.runner.cli.part import read_part
    from t2iflow.runner.cli.request import Request
    from t2iflow.runner.folder.folder import RECIPE, check_resumable

    folder = paths.given(folder)
    with _refusals():
        check_resumable(folder)
        plan = _plan(Request(str(folder / RECIPE), resumed=True))
        outcome = session.resume(plan, folder, device, _listeners(json), checkpoint, read_part(frames, plan))
    _finish(outcome, debug)


@app.command()
def verify(
    picture: Annotated[Path, typer.Argument(help="A picture or film made here, or the folder of a run.")],
    settings: Settings = None,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Make a picture again from the recipe that it carries, and compare; code 0 if it is the same, 1 if not."""
    from t2iflow.runner.cli.opening import carries
    from t2iflow.runner.cli.request import Request
    from t2iflow.runner.folder.folder import RECIPE
    from t2iflow.runner.folder.log import has_finished
    from t2iflow.runner.verify import verify as verified

    target = paths.given(picture)
    folder = os.path.isdir(target)  # which answers for impossible names too
    if folder and not has_finished(target):
        console.fail(f"`{target}` is not the folder of a finished run", USAGE)
    if not folder and not carries(target):
        why = paths.no_file(target) or "can't carry a recipe: give a picture, a film or the folder of a run"
        console.fail(f"`{target}` {why}", USAGE)
    request = Request(str(target / RECIPE if folder else target), overrides=settings or ())
    with _refusals():
        verdict = verified(target, _plan(request, lacking=False), device, _listeners(json))
    for text in verdict.lines:
        (console.err() if json else console.out()).say(text)
    raise typer.Exit(verdict.code)


@app.command(cls=RecipeCommand, context_settings=LOOSE)
def check(
    context: typer.Context,
    words: Words = None,
    settings: Settings = None,
    preset: Presets = None,
    seed: Seed = None,
    json: Annotated[bool, typer.Option("--json", help="Print the mistakes as JSON on standard output.")] = False,
) -> None:
    """Report every mistake in recipes, without running them."""
    from t2iflow.runner.cli import checking

    with _refusals():
        found = [checking.check(request) for request in _requests(context, words, settings, preset, seed)]
    if json:
        console.write(checking.as_json(found))
    else:
        for one in found:
            (console.err() if one.problems else console.out()).say(str(one))
    raise typer.Exit(INVALID if any(one.problems for one in found) else OK)


@app.command(cls=RecipeCommand, context_settings=LOOSE)
def plan(
    context: typer.Context,
    words: Words = None,
    settings: Settings = None,
    preset: Presets = None,
    seed: Seed = None,
    device: Device = "auto",
    draft: Draft = False,
    schedules: Annotated[bool, typer.Option("--schedules", help="Only draw what changes over time, larger.")] = False,
    measure: Annotated[
        bool, typer.Option("--measure", help="Take a few steps, to know the time and memory that a run needs.")
    ] = False,
) -> None:
    """Show what would run, how often, on which device, and which files it would write."""
    from t2iflow.runner.preview.preview import changing, preview

    with _refusals():
        made = _plan(_request(context, words, settings, preset, seed), draft)
        console.out().say(changing(made) if schedules else preview(made, device, measure))


@app.command(cls=RecipeCommand, context_settings=LOOSE)
def show(
    context: typer.Context,
    words: Words = None,
    stage: Annotated[str, typer.Option(metavar="STAGE", help="recipe, resolved, graph or plan.")] = "resolved",
    settings: Settings = None,
    preset: Presets = None,
    seed: Seed = None,
) -> None:
    """Print a stage of the compilation."""
    from t2iflow.pipelines.show import draw
    from t2iflow.pipelines.show.resolved import resolved

    with _refusals():
        made = _plan(_request(context, words, settings, preset, seed))
    stages = {
        "recipe": lambda: next(iter(made.graph.recipe.sources.values())),
        "resolved": lambda: resolved(made.graph),
        "graph": lambda: draw.term(made),
        "plan": lambda: str(made),
    }
    if stage not in stages:
        console.fail(f"unknown stage `{stage}`: choose one of {', '.join(stages)}", USAGE)
    console.write(stages[stage]())


@app.command(cls=RecipeCommand, context_settings=LOOSE)
def graph(
    context: typer.Context,
    words: Words = None,
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="term, mermaid, dot or svg.")] = "term",
    settings: Settings = None,
    preset: Presets = None,
    seed: Seed = None,
) -> None:
    """Draw a recipe's nodes and wires."""
    from t2iflow.pipelines.show import draw

    if form not in draw.FORMATS:
        console.fail(f"unknown format `{form}`: choose one of {', '.join(draw.FORMATS)}", USAGE)
    with _refusals():
        console.write(draw.FORMATS[form](_plan(_request(context, words, settings, preset, seed))))


@app.command()
def nodes(
    name: Annotated[
        str | None, typer.Argument(help="A node, a family of nodes, or a kind.", autocompletion=completion.nodes)
    ] = None,
) -> None:
    """List the nodes, or explain one."""
    from t2iflow.pipelines.show import node_pages

    try:
        console.write(node_pages.about(name) if name else node_pages.listing())
    except LookupError as fault:
        console.fail(str(fault.args[0]), USAGE)


@app.command()
def recipes(
    name: Annotated[str | None, typer.Argument(help="A shipped recipe.", autocompletion=completion.shipped)] = None,
) -> None:
    """List the recipes that ship, or print one."""
    from t2iflow.pipelines.show.needs import offer
    from t2iflow.pipelines.text.recipe import shipped_recipes

    if name is None:
        for known in shipped_recipes():
            title, lines = offer(known)
            console.out().say((f"{known:24}", "bold"), "\n  ".join([f" {title}", *lines]))
    else:
        console.write(_shipped(name).read_text(encoding="utf-8"))


@app.command()
def new(
    name: Annotated[
        str,
        typer.Argument(
            help="A shipped recipe, or a picture or film whose recipe to start from.", autocompletion=completion.shipped
        ),
    ],
    file: Annotated[Optional[Path], typer.Argument(help="Where to; NAME.yaml if left out.")] = None,  # noqa: UP045
) -> None:
    """Copy a shipped recipe, or that of a picture, to edit."""
    from t2iflow.runner.cli.opening import carried_text, carries, lacking

    picture = paths.given(name)
    target = paths.given(file or f"{picture.stem}.yaml")
    with _refusals():
        text = carried_text(picture) if carries(picture) else _shipped(name).read_text(encoding="utf-8")
    try:
        with target.open("x", encoding="utf-8") as fresh:
            fresh.write(text)
    except FileExistsError:
        console.fail(f"`{target}` exists; name another file: `t2iflow new {name} FILE`", FAILED)
    except OSError as fault:
        console.fail(f"can't write `{target}`: {fault.strerror}", FAILED)
    console.out().say(f"wrote {target}; try `t2iflow run {target}`")
    for lost in lacking(text, target) if carries(picture) else ():
        console.out().say(f"{lost.short}, from which the picture was made, is missing: give it by {lost.given}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of recipes, for editors."""
    import json

    from t2iflow.pipelines.show.json_schema import recipe_schema

    console.write(json.dumps(recipe_schema(), indent=2) + "\n")


@app.command()
def doctor() -> None:
    """Look at versions, devices, packages and weights, and say what is broken and what mends it."""
    from t2iflow.runner.cli.doctor import examine

    healthy = True
    for finding in examine():
        console.out().say(("ok    ", "green") if finding.well else ("broken", "red"), f" {finding.what}")
        if finding.mend:
            console.out().say(f"       mend: {finding.mend}")
        healthy = healthy and finding.well
    raise typer.Exit(0 if healthy else FAILED)


def _requests(
    context: typer.Context,
    words: list[str] | None,
    settings: list[str] | None,
    presets: list[str] | None,
    seed: str | None,
    many: bool = True,
) -> list["Request"]:
    """The recipes that the command names, with all that is changed in them."""
    from t2iflow.runner.cli.request import Request

    recipes, options = sort_out(words or ())
    recipes = recipes if many and recipes else [the_recipe(recipes, options, context.info_name or "")]
    overrides = [*(settings or []), *([f"seed={seed}"] if seed is not None else [])]
    known = [option.removeprefix("--") for param in context.command.params for option in param.opts]
    return [Request(where, presets or (), overrides, options, known) for where in recipes]


def _request(
    context: typer.Context,
    words: list[str] | None,
    settings: list[str] | None,
    presets: list[str] | None,
    seed: str | None,
) -> "Request":
    """The one recipe that the command names."""
    return _requests(context, words, settings, presets, seed, many=False)[0]


def _plan(request: "Request", draft: bool = False, lacking: bool = True) -> "Plan":
    """Read and compile a recipe, and print its notes."""
    made = request.plan(draft, lacking)
    for note in made.graph.recipe.notes:
        console.err().prose(f"note: {note}")
    return made


def _listeners(json: bool) -> list["Listener"]:
    from t2iflow.runner.cli.progress import Reporter
    from t2iflow.runner.folder.log import EventLog

    if not json:
        return [Reporter(console.err())]

    def write(line: str) -> None:
        sys.stdout.write(line)
        sys.stdout.flush()

    return [EventLog(write)]


def _finish(outcome: "Outcome", debug: bool) -> NoReturn:
    from t2iflow.runner.audience import leaving

    leaving(lambda: _tell_end(outcome, debug))
    raise typer.Exit(outcome.code)


def _tell_end(outcome: "Outcome", debug: bool) -> None:
    from t2iflow.runner.report.listener import NAME

    if outcome.fault and debug:
        console.err().say("".join(traceback.format_exception(outcome.fault)))
    if outcome.message:
        console.err().prose(*([] if outcome.code == OK or outcome.code >= HUNG_UP else ["error: "]), outcome.message)
    if (outcome.folder / NAME).exists():
        console.err().say(f"report: {outcome.folder / NAME}")


@contextmanager
def _refusals() -> Iterator[None]:
    """End the program with a message, and the exit code for it, where a command can't do what was asked."""
    from t2iflow.pipelines.problems import RecipeError, render
    from t2iflow.runner.execution.device import NoDeviceError
    from t2iflow.runner.folder.claim import FolderError
    from t2iflow.runner.folder.folder import NotResumableError

    try:
        yield
    except (UsageError, NoDeviceError, NotResumableError) as fault:
        console.fail(str(fault), USAGE)
    except FolderError as fault:
        console.fail(str(fault), FAILED)
    except RecipeError as fault:
        console.err().say(render(fault.problems, fault.sources))
        raise typer.Exit(INVALID) from None


def _shipped(name: str) -> Path:
    from t2iflow.pipelines.text.recipe import shipped_recipes

    known = shipped_recipes()
    if name not in known:
        console.fail(f"there is no shipped recipe `{name}`; {suggest(name, known) or 'see `t2iflow recipes`'}", USAGE)
    return known[name]
