"""The command that opens the studio."""

import os
import shlex
import threading
import webbrowser
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Annotated

import typer

from t2iflow.nodes.core import paths
from t2iflow.runner import console
from t2iflow.runner.cli.refusing import refusing
from t2iflow.runner.exits import USAGE
from t2iflow.runner.folder.places import local

app = typer.Typer(rich_markup_mode=None)


@app.command()
def studio(
    folder: Annotated[
        str | None,
        typer.Argument(help="A folder of runs or sweeps.  [default: `runs` and `sweeps`]", show_default=False),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=1, max=65535, metavar="N", help="The port.  [default: one that is free]"),
    ] = None,
    open: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = True,
) -> None:
    """Open a page in the browser, served only to this machine, where you start, watch, steer and compare runs."""
    from t2iflow.runner.studio.door import door
    from t2iflow.runner.studio.home import Home, working
    from t2iflow.runner.studio.run_queue import KEPT
    from t2iflow.runner.studio.serve import serve

    with refusing():
        place = None if folder is None else local(folder)
    if place is not None and not os.path.isdir(place):
        console.fail(f"there is no folder `{folder}`", USAGE)
    home = working() if place is None else Home(paths.real(place))

    def opened(address: str) -> None:
        console.out().say("the studio is open at ", (address, "bold"))
        console.err().say("press Ctrl-C to end it")
        with suppress(OSError):  # a full disk: the address is printed
            if open:
                page = at_end.enter_context(door(home.new / KEPT, address))
                threading.Thread(target=webbrowser.open, args=(page,), daemon=True).start()  # some browsers wait

    with refusing(), ExitStack() as at_end:
        stopped = serve(home, port, opened)
    for name in stopped:
        path = home.root / name
        near = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
        console.err().say(f"stopped; to resume:\n  t2iflow resume {shlex.quote(str(near))}")
