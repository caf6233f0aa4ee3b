"""The commands on runs that were made: a list of them, two compared, and one as a file to give away."""

import json as lines
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.texts import aligned, shortened
from t2iflow.runner import console
from t2iflow.runner.cli.refusals import refusals
from t2iflow.runner.exits import FAILED, OK, USAGE

if TYPE_CHECKING:
    from t2iflow.runner.comparison import Side
    from t2iflow.runner.folder.summary import Summary

app = typer.Typer(rich_markup_mode=None)

SCHEMA = "t2iflow.runs/1"
STYLES = {"finished": "green", "running": "cyan", "failed": "red", "damaged": "red"}
PROMPT = 36
"""Letters of a prompt, at most."""


@app.command()
def runs(
    folder: Annotated[
        Path | None,
        typer.Argument(help="A folder of runs or sweeps.  [default: `runs` and `sweeps`]", show_default=False),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List runs: their state, recipe, prompt, seed, time and folder; the last to begin comes last."""
    from t2iflow.runner.folder.history import RUNS, SWEEPS
    from t2iflow.runner.folder.summary import summaries

    place = paths.given(folder or ".")
    places = [place / name for name in (RUNS, SWEEPS) if (place / name).is_dir()]
    try:
        if folder is None and not places:
            console.fail(f"there are no `{RUNS}` or `{SWEEPS}` here; `t2iflow run hello` makes a run", USAGE)
        found = summaries(*(places or [place]))
    except FileNotFoundError:
        console.fail(f"there is no folder `{folder}`; `t2iflow run hello` makes a run in `{RUNS}`", USAGE)
    except OSError as fault:
        console.fail(f"`{folder}` can't be read: {fault.strerror}", USAGE)
    if json:
        console.write(lines.dumps({"schema": SCHEMA, "runs": [_plain(one) for one in found]}, indent=2))
        return
    if not found:
        console.err().say(f"there are no runs in `{folder}`")
        return
    heads = ("state", "began", "took", "recipe", "seed", "prompt", "folder")
    head, *rows = aligned([heads, *(_row(one) for one in found)])
    console.out().say((head, "dim"))
    for one, row in zip(found, rows, strict=True):
        console.out().say((row[: len(one.state)], STYLES.get(one.state, "")), row[len(one.state) :])


@app.command()
def diff(
    one: Annotated[str, typer.Argument(metavar="A", help="A run folder, a picture or film, a bundle, or a recipe.")],
    other: Annotated[str, typer.Argument(metavar="B", help="Another.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Put their pictures side by side into this file.")
    ] = None,
) -> None:
    """Show in which settings, inputs, versions and pictures two runs or recipes differ; exit code 0 if in none, 1 if in
    some."""
    from t2iflow.runner.comparison import compare, sheet

    with refusals():
        sides = _side(one), _side(other)
    found = compare(*sides)
    for line in found.lines:
        console.out().say(line)
    if out is not None:
        try:
            made = sheet(*sides, found.settings)
            if made is None:
                console.fail("there is nothing to put side by side: one of the two has no picture", USAGE)
            made.save(paths.given(out))
        except (OSError, ValueError) as fault:
            console.fail(f"can't write `{out}`: {fault}", FAILED)
        console.out().say(f"wrote {out}")
    raise typer.Exit(OK if found.same else FAILED)


@app.command()
def bundle(
    run: Annotated[Path, typer.Argument(help="The folder of a finished run.")],
    file: Annotated[Path | None, typer.Argument(help="The new file.  [default: RUN.zip]")] = None,
) -> None:
    """Put a finished run into one file to give away: its recipe, inputs, versions and pictures."""
    from t2iflow.runner.cli.recipe_command import compiled
    from t2iflow.runner.folder.bundle import ENDING, left_out, pack
    from t2iflow.runner.folder.claim import FolderError
    from t2iflow.runner.folder.history import RECIPE, has_finished, not_finished
    from t2iflow.runner.request import Request

    folder = paths.given(run)
    if not has_finished(folder):
        console.fail(not_finished(folder), USAGE)
    target = paths.given(file or f"{paths.whole(folder).name}{ENDING}")
    if target.suffix.lower() != ENDING:
        console.fail(f"a bundle's name ends with {ENDING}: `t2iflow bundle {run} {target}{ENDING}`", USAGE)
    with refusals():
        plan = compiled(Request(str(folder / RECIPE), resumed=True))
        try:
            pack(folder, plan, target)
        except FileExistsError:
            console.fail(f"`{target}` exists; name another file: `t2iflow bundle {run} FILE`", FAILED)
        except FolderError:
            raise
        except OSError as fault:
            console.fail(f"can't write `{target}`: {fault.strerror or fault}", FAILED)
    console.out().say(f"wrote {target}; it runs by `t2iflow run {shlex.quote(str(target))}`")
    for one in left_out(plan):
        console.out().say(f"the weights `{one.short}` are not in it: whoever runs it gives them by {one.given}")


def _side(where: str) -> "Side":
    """What is compared: the folder of a run by its recipe, a bundle as it is unpacked, or what else names a recipe."""
    from t2iflow.runner.comparison import Side
    from t2iflow.runner.folder.history import RECIPE
    from t2iflow.runner.opening import carries, is_bundle, unpacked
    from t2iflow.runner.request import Request

    path = paths.given(where)
    if (path / RECIPE).is_file():
        return Side(where, Request(str(path / RECIPE), resumed=True).plan(), path)
    plan = Request(where).plan()
    return Side(where, plan, unpacked(path).folder if is_bundle(path) else path if carries(path) else None)


def _row(one: "Summary") -> tuple[str, ...]:
    from t2iflow.nodes.core.texts import in_line
    from t2iflow.runner.timing.duration import duration

    took = "" if one.seconds is None else duration(one.seconds)
    seed = "" if one.seed is None else str(one.seed)
    began = f"{one.began:%Y-%m-%d %H:%M}" if one.began else ""
    words = one.message if one.state == "damaged" else one.prompt
    return (one.state, began, took, one.recipe, seed, shortened(in_line(words), PROMPT), str(one.folder))


def _plain(one: "Summary") -> dict[str, Any]:
    began = one.began.isoformat() if one.began else None
    return {**asdict(one), "folder": str(one.folder), "began": began}
