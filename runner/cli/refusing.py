"""How a command ends where it can't do what was asked."""

from collections.abc import Iterator
from contextlib import contextmanager

from t2iflow.runner import console


@contextmanager
def refusing() -> Iterator[None]:
    """End the program with a message, and the exit code for it, where a command can't do what was asked."""
    from t2iflow.pipelines.problems import RecipeError
    from t2iflow.runner.refusals import REFUSALS, code

    try:
        yield
    except RecipeError as fault:
        console.err().say(str(fault))
        raise SystemExit(code(fault)) from None
    except REFUSALS as fault:
        console.fail(str(fault), code(fault))
