"""Sharing: work that several runs would do in the same way is done by one, and taken over by the others.

The work is an optimiser's, or that of a node that paints by itself, and has its name.
"""

from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from t2iflow.runner.execution.checkpoint import Checkpoint


class Sharing(Protocol):
    """Where work is kept."""

    def begin(self, name: str) -> AbstractContextManager[Checkpoint | None]:
        """What is left of the work at its end, if it is done; otherwise it is this run's to do, and within the context
        no other does it."""

    def keep(self, name: str, members: Collection[str], state: Checkpoint) -> None:
        """Keep what is left of it, which was done by these nodes."""


class Alone:
    """A run that does all its work itself."""

    def begin(self, name: str) -> AbstractContextManager[Checkpoint | None]:
        """It is this run's to do."""
        return nullcontext()

    def keep(self, name: str, members: Collection[str], state: Checkpoint) -> None:
        """No other needs it."""
