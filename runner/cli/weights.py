"""The commands `t2iflow weights ...`: which weights there are, which are here, and how they come here."""

import json as lines
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.spelling import suggest
from t2iflow.runner.console import err, fail, write
from t2iflow.runner.exits import FAILED, USAGE, WEIGHTS

if TYPE_CHECKING:
    from t2iflow.nodes.weights.download import Watch
    from t2iflow.nodes.weights.records import Record

app = typer.Typer(
    name="weights",
    help="List, fetch, check and add the weights of generators.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="Names, as `t2iflow weights list` has them.")]
SomeNames = Annotated[
    Optional[list[str]],  # noqa: UP045 (typer reads annotations at run time, also on Python 3.10)
    typer.Argument(metavar="[NAME]...", help="Names; all that are here, if left out."),
]


@app.command(name="list")
def list_(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List all weights that have a name: their family, size and licence, and where they are."""
    from t2iflow.nodes.weights import places

    told = [_told(record) for record in places.every()]
    if json:
        write(lines.dumps(told, indent=2))
        return
    rows = [[one["name"], one["family"], _size(one), one["where"] or one["state"], one["licence"]] for one in told]
    heads = ["name", "family", "size", "where", "licence"]
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    for row in (heads, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        write("  ".join(cells).rstrip())


@app.command()
def pull(names: Names) -> None:
    """Fetch weights now; what is here already is looked at, and fetched anew only where it is wrong."""
    from t2iflow.nodes.core.missing import MissingWeightsError
    from t2iflow.nodes.weights import finding, places

    voice = _Voice()
    for record in [_record(name) for name in names]:
        try:
            for role, file in record.files.items():
                try:
                    path = finding.here(record, role, voice)
                except MissingWeightsError as fault:
                    voice.warn(str(fault).partition(" If ")[0])
                    places.own(record.name, file).unlink(missing_ok=True)
                    path = None
                if path is None:
                    with _progress(voice) as watch:
                        path = finding.fetched(record, [role], voice, watch)[role]
                write(str(path))
        except MissingWeightsError as fault:
            fail(str(fault), WEIGHTS)
        except OSError as fault:
            fail(f"`{record.name}`: {fault}", WEIGHTS)


@app.command()
def verify(names: SomeNames = None) -> None:
    """Compute the digests of files that are here, and compare them with the published or the pinned ones."""
    from t2iflow.nodes.weights import finding, pins, places
    from t2iflow.nodes.weights.content import WrongFileError

    well = True
    for record in [_record(name) for name in names] if names else places.every():
        found = {role: path for role in record.files if (path := finding.seen(record, role))}
        if names and not found:
            err().say(f"{record.name}: not here")
            well = False
        for role, path in found.items():
            file = record.files[role]
            known = pins.pinned(record.name, file)
            try:
                digest = pins.confirm(record.name, file, path, anew=True)
                what = "published" if file.sha256 else "as pinned" if known else "now pinned"
                write(f"ok     {record.name} {path} sha256 {digest} ({what})")
            except (WrongFileError, OSError) as fault:
                well = False
                write(f"wrong  {record.name} {path}: {fault}")
    if not well:
        raise typer.Exit(WEIGHTS)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="A name that is known, or one of your own.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="The files, or folders that hold them.")],
    family: Annotated[Optional[str], typer.Option(help="What they are weights of, if their names don't tell.")] = None,  # noqa: UP045
) -> None:
    """Take files that you have into the cache: of published weights, or others under a name of your own."""
    from t2iflow.nodes.weights import adding
    from t2iflow.nodes.weights.content import WrongFileError

    try:
        found = adding.add(name, [paths.given(file) for file in files], family, _Voice().say)
    except WrongFileError as fault:
        fail(str(fault), WEIGHTS)
    except ValueError as fault:
        fail(str(fault), USAGE)
    except OSError as fault:
        fail(f"the files can't be taken: {fault}", FAILED)
    for role, path in found.items():
        write(f"{name}: {role} is {path}")


@app.command()
def path(name: Annotated[str, typer.Argument(help="A name, as `t2iflow weights list` has it.")]) -> None:
    """Print where the files of weights are, each on a line; code 4 if one is not here."""
    from t2iflow.nodes.weights import finding

    record = _record(name)
    found = {role: finding.seen(record, role) for role in record.files}
    for place in found.values():
        if place is not None:
            write(str(place))
    lacking = [record.files[role].name for role, place in found.items() if place is None]
    if lacking:
        fail(f"not here: {', '.join(lacking)}; `t2iflow weights pull {name}` fetches them", WEIGHTS)


def _told(record: "Record") -> dict[str, Any]:
    """What is known of weights, as JSON has it."""
    from t2iflow.nodes.weights import finding, pins, places

    found = {role: place for role in record.files if (place := finding.seen(record, role))}
    size = sum(found[role].stat().st_size if role in found else file.size for role, file in record.files.items())
    state = "here" if len(found) == len(record.files) else "in part" if found else "not here"
    return {
        "name": record.name,
        "family": record.family,
        "about": record.about,
        "bytes": size,
        "licence": record.licence,
        "state": state,
        "where": ", ".join(sorted({str(place.parent) for place in found.values()})) if state == "here" else "",
        "files": {
            role: {
                "name": file.name,
                "path": str(found[role]) if role in found else None,
                "sha256": pins.pinned(record.name, file),
                "urls": list(places.addresses(record.name, file)),
            }
            for role, file in record.files.items()
        },
    }


def _size(told: dict[str, Any]) -> str:
    from t2iflow.nodes.weights.content import amount

    return amount(told["bytes"]) if told["bytes"] else "?"


def _record(name: str) -> "Record":
    from t2iflow.nodes.weights import places

    record = places.find(name)
    if record is None:
        near = suggest(name, (known.name for known in places.every())) or "see `t2iflow weights list`"
        fail(f"there are no weights called `{name}`; {near}", USAGE)
    return record


class _Voice:
    """Notes to a person, on standard error."""

    def say(self, text: str) -> None:
        err().say(text)

    def warn(self, text: str) -> None:
        self.say(f"warning: {text}")


@contextmanager
def _progress(voice: _Voice) -> Iterator["Watch"]:
    """Shows how far a file has come: a bar on a terminal, elsewhere a line now and then."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from t2iflow.nodes.weights.finding import Intervals

    console = err()
    if not console.is_terminal:
        yield Intervals(voice)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task("", total=None, visible=False)
        yield lambda name, done, whole: progress.update(
            task, description=name, completed=done, total=whole or None, visible=True
        )
