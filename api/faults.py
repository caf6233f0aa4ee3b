"""What is raised where a run can't begin, fails or is interrupted; each reads as the command's message does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from t2iflow.runner.exits import MEANINGS

if TYPE_CHECKING:
    from t2iflow.task import Task


class RunError(Exception):
    """A run can't begin as it was asked for, or has failed.

    `code` is the exit code that the command would have ended with, `meaning` what that means; `run` is the run (or the
    sweep), or None where it did not begin.
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
    fault = KeyboardInterrupt(message)
    setattr(fault, "_render_traceback_", lambda: [message])  # noqa: B010 (no type knows of it)
    return fault


@contextmanager
def refusing() -> Iterator[None]:
    """Raise RunError where what is asked for can't be done; RecipeError passes as it is."""
    from t2iflow.pipelines.problems import RecipeError
    from t2iflow.runner.refusals import REFUSALS, code

    try:
        yield
    except RecipeError:
        raise
    except REFUSALS as refusal:
        raise RunError(str(refusal), code(refusal)) from None
