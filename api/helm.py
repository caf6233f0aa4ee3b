"""How a run in progress is steered: it pauses at its next step, applies the change, and continues in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from t2iflow.faults import RunError, refusing
from t2iflow.runner.exits import USAGE

if TYPE_CHECKING:
    from t2iflow.jobs import Job
    from t2iflow.pipelines.text.overrides import ValueOverride
    from t2iflow.runner.session import Outcome
    from t2iflow.runner.signals import Stop


class Helm:
    """The changes that wait for a run to apply them."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[Change] = SimpleQueue()

    def put(self, change: Change) -> None:
        """Queue a change."""
        self._waiting.put(change)

    def steer(self, folder: Path, outcome: Outcome, stop: Stop, resume: Callable[[], Outcome]) -> Outcome:
        """Apply what is queued whenever the run has paused for it; returns how the run ends."""
        from t2iflow.runner.exits import INTERRUPTED

        while outcome.code == INTERRUPTED and stop.over():
            with suppress(Empty):
                while True:
                    self._waiting.get_nowait().apply(folder)
            outcome = resume()
        return outcome


class Change:
    """Changes of a recipe that were requested together, and their outcome."""

    def __init__(self, overrides: Sequence[ValueOverride]) -> None:
        self._overrides = overrides
        self._over = threading.Event()
        self._fault: Exception | None = None

    def apply(self, folder: Path) -> None:
        """Write them into the recipe of a run that has paused."""
        from t2iflow.runner.steering import steer

        try:
            steer(folder, self._overrides)
        except Exception as fault:  # for whoever asked
            self._fault = fault
        self._over.set()

    def hand_over(self, helm: Helm, job: Job[Any]) -> None:
        """Wait until the run has applied them; raises the reason if it can't, or RunError if it ends before."""
        helm.put(self)
        job.pause()
        while not self._over.wait(0.05):
            if not job.active and not self._over.is_set():
                raise RunError("the run ended before it could be steered", USAGE)
        with refusing():
            if self._fault:
                raise self._fault
