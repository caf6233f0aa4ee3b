"""The commands on runs that were made: a list of them, two compared, and one as a file to give away."""

import json
import os
import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.texts import aligned
from t2iflow.runner import console
from t2iflow.runner.cli.addresses import looked
from t2iflow.runner.cli.refusing import refusing
from t2iflow.runner.exits import FAILED, OK, USAGE
from t2iflow.runner.folder.places import local

if TYPE_CHECKING:
    from t2iflow.runner.folder.summary import Summary

app = typer.Typer(rich_markup_mode=None)

SCHEMA = "t2iflow.runs/1"
STYLES = {"finished": "green", "running": "cyan", "failed": "red", "damaged": "red"}


@app.command()
def runs(
    folder: Annotated[
        str | None,
        typer.Argument(help="A folder of runs or sweeps.  [default: `runs` and `sweeps`]", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List runs: their state, recipe, prompt, seed, time and folder; the last to begin comes last."""
    from t2iflow.runner.listed import HEADS, PLACES, listed, row

    with refusing():
        found = listed(None if folder is None else local(folder))
    if as_json:
        console.write(json.dumps({"schema": SCHEMA, "runs": [_plain(one) for one in found]}, indent=2))
        return
    if not found:
        console.err().say(f"there are no runs in {PLACES if folder is None else f'`{folder}`'}")
        return
    head, *rows = aligned([HEADS, *map(row, found)])
    console.out().say((head, "dim"))
    for one, line in zip(found, rows, strict=True):
        console.out().say((line[: len(one.state)], STYLES.get(one.state, "")), line[len(one.state) :])


@app.command()
def diff(
    one: Annotated[str, typer.Argument(metavar="A", help="A run folder, a picture or film, a bundle, or a recipe.")],
    other: Annotated[str, typer.Argument(metavar="B", help="Another.")],
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="Put their pictures side by side into this new file.")
    ] = None,
) -> None:
    """Show in which settings, inputs, versions and pictures two runs or recipes differ; exit code 0 if they match, 1 if
    they differ."""
    from t2iflow.nodes.core.whole import new
    from t2iflow.pipelines.problems import Problems
    from t2iflow.runner.request import Request

    with refusing():
        target = None if out is None else local(out)
        asked = [looked(Request(name)) for name in (one, other)]
        for request in asked:
            if not os.path.isdir(paths.given(request.where)):
                request.recipe(Problems())  # one that can't be read is refused before torch is imported
        from t2iflow.runner.comparison import compare, side

        found = compare(*map(side, asked))
    for line in found.lines:
        console.out().say(line)
    if target is not None:
        try:
            made = found.image
            if made is None:
                console.fail("there is nothing to put side by side: one of the two has no picture", USAGE)
            with new(target) as fresh:
                made.save(fresh)
        except FileExistsError:
            console.fail(f"`{out}` exists; give `--out` another file", FAILED)
        except OSError as fault:
            console.fail(f"can't write `{out}`: {fault.strerror or fault}", FAILED)
        except ValueError as fault:
            console.fail(f"can't write `{out}`: {fault}", FAILED)
        console.out().say(f"wrote {out}")
    raise typer.Exit(OK if found.same else FAILED)


@app.command()
def bundle(
    run: Annotated[str, typer.Argument(help="The folder of a finished run.")],
    file: Annotated[
        str | None,
        typer.Argument(
            help="The new file.  [default: RUN.zip; of a sweep's run, RECIPE-PROMPT-SEED.zip]", show_default=False
        ),
    ] = None,
) -> None:
    """Put a finished run into one file to give away: its recipe, inputs, versions and pictures."""
    from t2iflow.runner.folder.folder import check_finished

    with refusing():
        of, target = local(run), None if file is None else local(file)
        check_finished(of)
        from t2iflow.runner.bundling import bundled  # and torch, once there is something to bundle

        made = bundled(of, target)
    for note in made.notes:
        console.err().prose(f"note: {note}")
    console.out().say(f"wrote {made.file}; run it with `t2iflow run {shlex.quote(str(made.file))}`")
    for one in made.lacks:
        console.out().say(f"the weights `{one.short}` aren't in it: whoever runs it gives them with {one.option}")


def _plain(one: "Summary") -> dict[str, Any]:
    began = one.began.isoformat() if one.began else None
    return {**asdict(one), "folder": str(one.folder), "began": began}
