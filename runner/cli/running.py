"""The commands that paint: a recipe, the rest of a stopped run, and a picture once more."""

import os
import sys
import traceback
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from t2iflow.nodes.core.run_files import SAVE_EVERY
from t2iflow.runner import console
from t2iflow.runner.cli.addresses import Yes, agreed
from t2iflow.runner.cli.arguments import is_given
from t2iflow.runner.cli.options import Capture, Compile, Debug, Device, Draft, Frames, Json, SaveEvery, Settings, Show
from t2iflow.runner.cli.recipe_command import RecipeCommand, compiled, noted, request
from t2iflow.runner.cli.refusing import refusing
from t2iflow.runner.cli.sweeping import SWEEPS, best_of
from t2iflow.runner.exits import UsageError
from t2iflow.runner.folder import places

if TYPE_CHECKING:
    from t2iflow.runner.events import Listener
    from t2iflow.runner.session import Outcome
    from t2iflow.runner.showing import Showing

app = typer.Typer(rich_markup_mode=None)

Best = Annotated[
    int | None,
    typer.Option("--best", min=1, max=100, metavar="N", help="Run N seeds, rank their pictures, and keep all."),
]


STEER = {"metavar": "NAME=VALUE", "show_default": False}
Steered = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Continue with another value of a param, of NODE.SETTING or a loss's weight. Repeatable.", **STEER
    ),
]
Forked = Annotated[
    list[str],
    typer.Option("--set", help="What changes: a param, NODE.SETTING or a loss's weight. Repeatable.", **STEER),
]


@app.command(cls=RecipeCommand)
def run(
    context: typer.Context,
    out: Annotated[str, typer.Option("--out", metavar="FOLDER", help="Where to create run folders.")] = places.RUNS,
    best: Best = None,
    device: Device = "auto",
    draft: Draft = False,
    frames: Frames = None,
    checkpoint: SaveEvery = SAVE_EVERY,
    capture: Capture = True,
    compile: Compile = False,
    show: Show = False,
    json: Json = False,
    yes: Yes = False,
    debug: Debug = False,
) -> None:
    """Run a recipe."""
    with refusing():
        asked = request(context, lambda one: agreed(one, device, yes), draft)
        plan = compiled(asked, lacking=False)
        from t2iflow.runner import session  # and torch, once there is something to run
        from t2iflow.runner.options import read_part, read_recording

        if changed := plan.graph.recipe.preset_note:
            console.err().say(changed)
        if (count := plan.graph.recipe.best if best is None else best) > 1:
            if frames is not None or not capture or compile or show or debug:
                words = "`--frames`, `--no-capture`, `--compile`, `--show` and `--debug` are for a single run"
                raise UsageError(f"{words}, and this is the best of {count}; `--best 1` makes a single run")
            where = places.local(out) if is_given(context, "out") else SWEEPS
            best_of(count, plan.graph.recipe, where, device, checkpoint, json)
        part, recording = read_part(frames, plan, _note), read_recording(capture, compile)
        options = session.Options(device, checkpoint, part, recording, threads=asked.threads)
        outcome = session.start(plan, places.local(out), options, _listeners(json, show))
    _finish(outcome, debug)


@app.command()
def resume(
    folder: Annotated[str, typer.Argument(help="The folder of a run that was stopped.")],
    settings: Steered = None,
    device: Device = "auto",
    frames: Frames = None,
    checkpoint: SaveEvery = SAVE_EVERY,
    capture: Capture = True,
    compile: Compile = False,
    show: Show = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Resume a stopped run; the results are the same as without the stop, byte for byte.

    With --set, continue with another prompt, rate or anything else that can change over time; the recipe records the
    change as a keyframe.
    """
    from t2iflow.runner.folder.folder import check_resumable

    with refusing():
        at = places.local(folder)
        check_resumable(at)
        from t2iflow.runner import session  # and torch, once there is something to resume
        from t2iflow.runner.folder.own_recipe import resumable
        from t2iflow.runner.options import read_part, read_recording
        from t2iflow.runner.session import Options

        if settings:
            from t2iflow.runner.execution.device import choose
            from t2iflow.runner.steering import steer

            choose(device)  # a command that is refused changes nothing
            if frames is not None:
                read_part(frames, resumable(at), lambda said: None)
            steer(at, settings)
        plan = noted(resumable(at))
        options = Options(device, checkpoint, read_part(frames, plan, _note), read_recording(capture, compile))
        outcome = session.resume(plan, at, options, _listeners(json, show))
    _finish(outcome, debug)


@app.command()
def fork(
    folder: Annotated[str, typer.Argument(help="The folder of a run, finished or not.")],
    settings: Forked,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="STEP|FRAME",
            help="Where the runs part: a step, a film's frame, or 50%; by default where the run stands.",
        ),
    ] = None,
    out: Annotated[str, typer.Option("--out", metavar="FOLDER", help="Where to create run folders.")] = places.RUNS,
    device: Device = "auto",
    checkpoint: SaveEvery = SAVE_EVERY,
    capture: Capture = True,
    compile: Compile = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Start a run that shares another run's past up to a step or frame, and differs from there on.

    The result has the same bytes as running the new recipe from the start. If the old run still has a checkpoint from
    early enough, the new one starts there.
    """
    from t2iflow.runner.folder.folder import check_run

    with refusing():
        of, into = places.local(folder), places.local(out)
        check_run(of)
        from t2iflow.runner.options import read_recording  # and torch, once there is something to fork
        from t2iflow.runner.session import Options
        from t2iflow.runner.steering import fork as forked

        made = forked(of, settings, at, into)
        _note(made.note)
        outcome = made.run(Options(device, checkpoint, recording=read_recording(capture, compile)), _listeners(json))
    _finish(outcome, debug)


@app.command()
def verify(
    picture: Annotated[
        str, typer.Argument(help="A picture or film made by t2iflow, a bundle, or the folder of a run.")
    ],
    settings: Settings = None,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Make a picture again from the recipe that it carries, and compare; exit code 0 if it is the same, 1 if not."""
    from t2iflow.runner.request import again

    with refusing():
        target, asked = again(places.local(picture), settings or ())
        from t2iflow.runner.verify import verify as verified  # and torch, once there is something to verify

        verdict = verified(target, compiled(asked, lacking=False), device, _listeners(json))
    for text in verdict.lines:
        (console.err() if json else console.out()).say(text)
    raise typer.Exit(verdict.code)


def _note(text: str) -> None:
    console.err().say(f"note: {text}")


def _listeners(json: bool, show: bool = False) -> list["Listener"]:
    from t2iflow.runner.folder.log import EventLog
    from t2iflow.runner.progress import Reporter

    if not json:
        picture = _picture() if show else None
        return [*([picture] if picture else []), Reporter(console.err(), picture)]
    if show:
        _note("`--show` draws nothing where `--json` prints events")

    def write(line: str) -> None:
        sys.stdout.write(line)
        sys.stdout.flush()

    return [EventLog(write)]


def _picture() -> "Showing | None":
    from t2iflow.runner.showing import NoPictureError, showing

    try:
        return showing(console.err())
    except NoPictureError as fault:
        _note(f"no picture is shown: {fault}")
        return None


def _finish(outcome: "Outcome", debug: bool) -> NoReturn:
    from t2iflow.runner.audience import leaving

    leaving(lambda: _print_end(outcome, debug))
    raise typer.Exit(outcome.code)


def _print_end(outcome: "Outcome", debug: bool) -> None:
    from t2iflow.nodes.core.run_files import REPORT

    if outcome.fault and debug:
        console.err().say("".join(traceback.format_exception(outcome.fault)))
    if outcome.message:
        console.err().prose(*(["error: "] if outcome.how == "failed" else []), outcome.message)
    if os.path.exists(outcome.folder / REPORT):
        console.err().say(f"report: {outcome.folder / REPORT}")
