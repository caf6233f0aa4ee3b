"""The commands `t2iflow weights ...`: which weights there are, which are here, and how they come here."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from t2iflow.nodes.core.spelling import suggest
from t2iflow.nodes.core.texts import aligned
from t2iflow.runner.console import err, fail, write
from t2iflow.runner.exits import FAILED, USAGE, WEIGHTS
from t2iflow.runner.folder.places import local

if TYPE_CHECKING:
    from t2iflow.nodes.weights.progress import Watch
    from t2iflow.nodes.weights.records import Record

app = typer.Typer(
    name="weights",
    help="List, fetch, verify and add weights of generators.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="Names, as listed by `t2iflow weights list`.")]
SomeNames = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]...", help="Names.  [default: all that are here]"),
]


@app.command(name="list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List all named weights: their family, size and licence, and where they are."""
    from t2iflow.nodes.weights import registry

    found = [_as_json(record) for record in registry.every()]
    if as_json:
        write(json.dumps(found, indent=2))
        return
    rows = [[one["name"], one["family"], _size(one), one["where"] or one["state"], one["licence"]] for one in found]
    heads = ["name", "family", "size", "where", "licence"]
    write("\n".join(aligned([heads, *rows])))


@app.command()
def pull(names: Names) -> None:
    """Fetch weights now; files that are already here are verified, and fetched again only if they are wrong."""
    from t2iflow.nodes.core.missing import MissingWeightsError
    from t2iflow.nodes.weights import find

    for record in [_record(name) for name in names]:
        try:
            for path in find.pull(record, _Voice(), _progress):
                write(str(path))
        except MissingWeightsError as fault:
            fail(str(fault), WEIGHTS)
        except OSError as fault:
            fail(f"`{record.name}`: {fault}", WEIGHTS)


@app.command()
def verify(names: SomeNames = None) -> None:
    """Compute the digests of local files, and compare them with the published or pinned ones."""
    from t2iflow.nodes.weights import registry
    from t2iflow.nodes.weights.content import WrongFileError
    from t2iflow.nodes.weights.entry import entries

    well = True
    for record in [_record(name) for name in names] if names else registry.every():
        found = [(entry, path) for entry in entries(record).values() if (path := entry.seen())]
        if names and not found:
            err().say(f"{record.name}: not here")
            well = False
        for entry, path in found:
            known = entry.digest
            try:
                digest = entry.verify(path, anew=True)
                what = "published" if entry.file.sha256 else "as pinned" if known else "now pinned"
                write(f"ok     {record.name} {path} sha256 {digest} ({what})")
            except (WrongFileError, OSError) as fault:
                well = False
                write(f"wrong  {record.name} {path}: {fault}")
    if not well:
        raise typer.Exit(WEIGHTS)


@app.command(name="add")
def add_(
    name: Annotated[str, typer.Argument(help="A published name, or one of your own.")],
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="The files, or folders that hold them.")],
    family: Annotated[str | None, typer.Option(help="Their family, if their names don't show it.")] = None,
) -> None:
    """Add your files to the cache: as published weights, or under a name of your own."""
    from t2iflow.nodes.core.missing import MissingWeightsError
    from t2iflow.nodes.weights.add import add
    from t2iflow.nodes.weights.content import WrongFileError

    try:
        found = add(name, [local(file) for file in files], family, _Voice().say)
    except (WrongFileError, MissingWeightsError) as fault:
        fail(str(fault), WEIGHTS)
    except ValueError as fault:
        fail(str(fault), USAGE)
    except OSError as fault:
        fail(f"the files can't be added: {fault}", FAILED)
    for role, path in found.items():
        write(f"{name}: {role} is {path}")


@app.command()
def path(name: Annotated[str, typer.Argument(help="A name, as listed by `t2iflow weights list`.")]) -> None:
    """Print where the files of weights are, each on a line; code 4 if one is not here."""
    from t2iflow.nodes.weights.entry import entries
    from t2iflow.nodes.weights.families import incomplete, lacking

    record = _record(name)
    found = [(entry, entry.seen()) for entry in entries(record).values()]
    for _, place in found:
        if place is not None:
            write(str(place))
    absent = [entry for entry, place in found if place is None]
    if absent:
        how = f"pull {name}` fetches them" if absent[0].urls else f"add {name} FILE...` adds them"
        fail(f"not here: {', '.join(entry.file.name for entry in absent)}; `t2iflow weights {how}", WEIGHTS)
    if unknown := lacking(record.family, record.files):
        fail(incomplete(name, record.family, unknown), WEIGHTS)


def _as_json(record: "Record") -> dict[str, Any]:
    """What is known of weights, as JSON has it."""
    from t2iflow.nodes.weights.entry import entries
    from t2iflow.nodes.weights.families import lacking

    files = entries(record)
    found = {role: place for role, entry in files.items() if (place := entry.seen())}
    size = sum(found[role].stat().st_size if role in found else entry.file.size for role, entry in files.items())
    whole = len(found) == len(files) and not lacking(record.family, files)
    state = "here" if whole else "in part" if found else "not here"
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
                "name": entry.file.name,
                "path": str(found[role]) if role in found else None,
                "sha256": entry.digest,
                "urls": list(entry.urls),
            }
            for role, entry in files.items()
        },
    }


def _size(found: dict[str, Any]) -> str:
    from t2iflow.nodes.weights.content import amount

    return amount(found["bytes"]) if found["bytes"] else "?"


def _record(name: str) -> "Record":
    from t2iflow.nodes.weights import registry

    record = registry.find(name)
    if record is None:
        near = suggest(name, (known.name for known in registry.every())) or "see `t2iflow weights list`"
        fail(f"there are no weights called `{name}`; {near}", USAGE)
    return record


class _Voice:
    """Notes to the user, on standard error."""

    def say(self, text: str) -> None:
        err().say(text)

    def warn(self, text: str) -> None:
        self.say(f"warning: {text}")


@contextmanager
def _progress() -> Iterator["Watch"]:
    """Shows how far a file has come: a bar on a terminal, elsewhere a line now and then."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from t2iflow.nodes.weights.progress import Intervals

    console = err()
    if not console.is_interactive:
        yield Intervals(_Voice())
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task("", total=None, visible=False)
        yield lambda name, done, whole: progress.update(
            task, description=name, completed=done, total=whole or None, visible=True
        )
