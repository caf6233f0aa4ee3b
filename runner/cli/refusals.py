"""How a command ends where it can't do what was asked."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from t2iflow.runner import console
from t2iflow.runner.cli.arguments import UsageError
from t2iflow.runner.exits import FAILED, INVALID, USAGE


@contextmanager
def refusals() -> Iterator[None]:
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
