"""What was started and may still be running: what a run and a sweep have in common."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from t2iflow.arguments import check
from t2iflow.faults import RunError, interrupted, refusing
from t2iflow.runner.exits import USAGE

if TYPE_CHECKING:
    from t2iflow.jobs import Job
    from t2iflow.notebook import Output
    from t2iflow.runner.signals import Stop

Itself = TypeVar("Itself", bound="Task")


def given(path: str | os.PathLike[str]) -> Path:
    """A path that a user gave; RunError for an address."""
    from t2iflow.runner.folder.places import local

    with refusing():
        return local(os.fspath(path))


class End(Protocol):
    """How it ended."""

    @property
    def code(self) -> int:
        """An exit code."""

    @property
    def message(self) -> str:
        """What went wrong, or is left to do."""


class Task:
    """A folder, in which this process may be at work."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Look at a folder; RunError where there is nothing of the kind."""
        check("folder", folder)
        self._of(given(folder))
        self._check_folder()

    def __fspath__(self) -> str:
        """Its folder: wherever a path is taken, so is this."""
        return str(self.folder)

    @classmethod
    def at(cls: type[Itself], folder: Path) -> Itself:
        """For a folder in which nothing may have started yet."""
        return cls.__new__(cls)._of(folder)

    def _of(self: Itself, folder: Path) -> Itself:
        self.folder = folder.absolute()  # the program may change its working folder meanwhile
        self._job: Job[End] | None = None
        self._output: Output | None = None
        return self

    def __reduce__(self) -> tuple[Callable[[Path], Task], tuple[Path]]:
        """Other processes get a look at its folder."""
        return type(self).at, (self.folder,)

    def _check_folder(self) -> None:
        """RunError where the folder holds nothing of the kind."""
        raise NotImplementedError

    @property
    def message(self) -> str:
        """What went wrong, or how to resume; empty while all is well."""
        raise NotImplementedError

    def wait(self: Itself) -> Itself:
        """Wait for the end; RunError if it failed. Ctrl-C stops it with checkpoints, then raises KeyboardInterrupt."""
        if not self._job:
            return self
        try:
            self._job.join()
        except KeyboardInterrupt:
            self.stop()
            raise interrupted(self.message) from None
        self._check(self._job)
        return self

    def stop(self: Itself) -> Itself:
        """Stop it with checkpoints and pictures of what is painted so far, and wait until it has stopped."""
        if not self._job:
            what = f"what runs in `{self.folder}` can be stopped only by the process that started it"
            raise RunError(what, USAGE, self)
        self._job.ask()
        self._job.join()
        return self

    def _start(self: Itself, act: Callable[[Stop], End], wait: bool) -> Itself:
        """Begin, or wait for a turn."""
        from t2iflow.jobs import Job, begin

        self._job = Job(act, self._end)
        begin(self._job)
        return self.wait() if wait else self

    def _end(self) -> None:
        if self._output:
            self._output.replace(str(self._card()))

    def _check(self, job: Job[End]) -> None:
        """Raise what ended it badly."""
        from t2iflow.runner.exits import HUNG_UP, OK

        with refusing():
            if job.fault:
                raise job.fault
        if job.result and OK < job.result.code < HUNG_UP:
            raise RunError(self.message, job.result.code, self) from getattr(job.result, "fault", None)

    def _card(self) -> str:
        """How it stands, as HTML."""
        raise NotImplementedError

    def _repr_html_(self) -> str | None:
        """What a notebook shows; nothing in the cell that shows it already."""
        return None if self._output and self._output.is_in_this_cell else self._card()
