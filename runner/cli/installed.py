"""The commands on what is installed: nodes and recipes that ship, and whether everything works."""

import json
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.spelling import suggest
from t2iflow.nodes.core.texts import printable
from t2iflow.runner import console
from t2iflow.runner.cli import completion
from t2iflow.runner.cli.refusing import refusing
from t2iflow.runner.exits import FAILED, OK, USAGE
from t2iflow.runner.folder.places import local

if TYPE_CHECKING:
    from t2iflow.pipelines.text.packs import Found

app = typer.Typer(rich_markup_mode=None)


@app.command()
def nodes(
    name: Annotated[
        str | None, typer.Argument(help="A node, a family of nodes, or a kind.", autocompletion=completion.nodes)
    ] = None,
) -> None:
    """List all nodes, or describe one."""
    from t2iflow.pipelines.show import node_pages

    try:
        console.write(node_pages.about(name) if name else node_pages.listing())
    except LookupError as fault:
        console.fail(str(fault.args[0]), USAGE)


@app.command()
def recipes(
    name: Annotated[
        str | None,
        typer.Argument(help="A bundled recipe, or one of a pack: PACK/NAME.", autocompletion=completion.shipped),
    ] = None,
) -> None:
    """List the bundled recipes and those of installed packages, or print one."""
    from t2iflow.pipelines.problems import RecipeError
    from t2iflow.pipelines.show.needs import offer
    from t2iflow.pipelines.text import packs

    if name is not None:
        with refusing():
            console.write(printable(_named(name)))
        return
    for known in packs.names():
        try:
            title, lines = offer(known)
        except RecipeError:  # of a package; ours have none
            title, lines = "", (f"it has mistakes: `t2iflow check {known}` lists them",)
        console.out().say((f"{known:24}", "bold"), "\n  ".join([f" {title}", *filter(None, lines)]))
    for lost in packs.unusable():
        console.err().say(("warning: ", "yellow"), f"the pack {lost}")


@app.command()
def new(
    name: Annotated[
        str,
        typer.Argument(
            help="A bundled recipe, a picture or film whose recipe to start from, or an address.",
            autocompletion=completion.shipped,
        ),
    ],
    file: Annotated[str | None, typer.Argument(help="The new file.  [default: NAME.yaml]")] = None,
) -> None:
    """Copy a bundled recipe, a picture's, or one at an address, to edit it."""
    from t2iflow.pipelines.text.companions import companions
    from t2iflow.runner.folder.folder import write_copy
    from t2iflow.runner.opening import addressed, carries, opened, pinned
    from t2iflow.runner.request import lacking

    picture = paths.given(name)
    with refusing():
        address = addressed(name)
        target = local(file or f"{address.name if address else picture.stem}.yaml")
        source = opened(str(pinned(address)) if address else name) if address or carries(picture) else None
        text = source.text if source else _named(name)
        beside = {} if source else companions(_found(name).path)
    try:
        copied = write_copy(target, text, beside)
    except FileExistsError as fault:
        console.fail(f"`{fault.filename}` exists; name another file: `t2iflow new {quote(name)} FILE`", FAILED)
    except OSError as fault:
        console.fail(f"can't write `{fault.filename or target}`: {fault.strerror}", FAILED)
    with_them = f" and {', '.join(copied)}, which it reads" if copied else ""
    console.out().say(f"wrote {target}{with_them}; try `t2iflow run {quote(str(target))}`")
    for lost in lacking(text, target) if source else ():
        console.out().say(f"{lost.short}, from which the picture was made, is missing: give it with {lost.option}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of recipes, for editors."""
    from t2iflow.pipelines.show.json_schema import recipe_schema

    console.write(json.dumps(recipe_schema(), indent=2) + "\n")


@app.command()
def doctor() -> None:
    """Check versions, devices, packages and weights, and show how to fix what is broken."""
    from t2iflow.runner.cli.doctor import examine

    healthy = True
    for finding in examine():
        console.out().say(("ok    ", "green") if finding.well else ("broken", "red"), f" {finding.what}")
        if finding.mend:
            console.out().say(f"       fix: {finding.mend}")
        healthy = healthy and finding.well
    raise typer.Exit(OK if healthy else FAILED)


def _named(name: str) -> str:
    """The text of a recipe that is bundled or in a pack; RecipeError for one that can't be read."""
    from t2iflow.pipelines.text.yaml_reader import load

    return load(_found(name).path)


def _found(name: str) -> "Found":
    from t2iflow.pipelines.text import packs

    found = packs.find(name)
    if found is None:
        near = suggest(name, packs.names()) or "see `t2iflow recipes`"
        console.fail(f"there is no bundled recipe `{name}`; {near}", USAGE)
    return found
