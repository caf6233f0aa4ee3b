"""Sharing: work of optimisers that several runs would do in the same way is done by one, and taken over by others."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from t2iflow.pipelines.plan.regions import Region
from t2iflow.runner.execution.checkpoint import Checkpoint


class Sharing(Protocol):
    """Where the work of optimisers is kept."""

    def begin(self, region: Region) -> AbstractContextManager[Checkpoint | None]:
        """What is left of the work at its end, if it is done; otherwise it is this run's to do, and within the context
        no other does it."""

    def keep(self, region: Region, state: Checkpoint) -> None:
        """Keep what is left of it."""


class Alone:
    """A run that does all its work itself."""

    def begin(self, region: Region) -> AbstractContextManager[Checkpoint | None]:
        """It is this run's to do."""
        return nullcontext()

    def keep(self, region: Region, state: Checkpoint) -> None:
        """No other needs it."""
