"""What is raised if a run can't start, fails or is interrupted; each reads like the command's message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from t2iflow.runner.exits import MEANINGS
from t2iflow.wording import in_python

if TYPE_CHECKING:
    from t2iflow.pipelines.problems import Problem
    from t2iflow.task import Task


class RunError(Exception):
    """A run couldn't start, or it failed.

    `code` is the exit code that the command would have had, `meaning` what that means; `run` is the run (or the sweep),
    or None if it didn't start.
    """

    def __init__(self, message: str, code: int, run: Task | None = None) -> None:
        super().__init__(message, code, run)
        self.message, self.code, self.run = message, code, run

    @property
    def meaning(self) -> str:
        """What the exit code means."""
        return MEANINGS[self.code]

    def __str__(self) -> str:
        return f"{self.message}\n(exit code {self.code}: {self.meaning})"

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows in place of a traceback."""
        return [f"error: {self}"]


def interrupted(message: str) -> KeyboardInterrupt:
    """What is raised after Ctrl-C; no class of our own, for which Python would not end the program as Ctrl-C does."""
    return _without_traceback(KeyboardInterrupt(message), message)


def mistaken(message: str) -> TypeError:
    """What is raised where an argument can't have its value."""
    return _without_traceback(TypeError(message), f"error: {message}")


Fault = TypeVar("Fault", bound=BaseException)


def _without_traceback(fault: Fault, message: str) -> Fault:
    """An exception that notebooks show as its message alone."""
    # No lambda, or the exception couldn't be handed to another process.
    shown: Callable[[], list[str]] = partial(list, (message,))
    setattr(fault, "_render_traceback_", shown)  # noqa: B010 (no type knows of it)
    return fault


@contextmanager
def refusing() -> Iterator[None]:
    """Raise RunError for a request that is refused; all messages name arguments in place of options."""
    from t2iflow.pipelines.problems import RecipeError
    from t2iflow.runner.refusals import REFUSALS, code

    try:
        yield
    except RecipeError as fault:
        raise RecipeError([_in_python(problem) for problem in fault.problems], fault.sources) from None
    except REFUSALS as refusal:
        raise RunError(in_python(str(refusal)), code(refusal)) from None


def _in_python(problem: Problem) -> Problem:
    return replace(problem, message=in_python(problem.message), hints=tuple(map(in_python, problem.hints)))
