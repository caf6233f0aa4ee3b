"""What this process computes, one job after another in the order in which they came, in a thread of its own.

The thread has none of the caller's modes, such as `torch.no_grad`, and signals stay with whoever has them. Jobs take
turns because torch's threads, its streams and what it records belong to the whole process.
"""

from __future__ import annotations

import atexit
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Generic, TypeVar, cast

from t2iflow.runner.signals import Stop

Result = TypeVar("Result")

_queue: SimpleQueue[Job[Any]] = SimpleQueue()
_jobs: weakref.WeakSet[Job[Any]] = weakref.WeakSet()


class Job(Generic[Result]):
    """Waits for its turn (`waits`), and goes on until it is over (`goes_on`).

    Then there is its `result`, or the `fault` that ended it, or neither where it was stopped before it began.
    """

    def __init__(self, act: Callable[[Stop], Result], after: Callable[[], object] = lambda: None) -> None:
        """`act` computes it, and ends early when it is asked to; `after` is called when it is over."""
        self.waits, self.goes_on = True, True
        self.result: Result | None = None
        self.fault: BaseException | None = None
        self._act, self._after = act, after
        self._stop = Stop()
        self._over = threading.Event()
        self._lock = threading.Lock()
        _jobs.add(self)
        _queue.put(self)

    def ask(self) -> None:
        """Let it end: at once if it has not begun."""
        self._stop.ask()
        with self._lock:
            if self.waits and self.goes_on:
                self._end()

    def join(self) -> None:
        """Wait until it is over."""
        self._over.wait()  # not the thread, which an interrupt of `Thread.join` takes for ended before Python 3.13

    def go(self) -> None:
        """Compute it."""
        with self._lock:
            if not self.goes_on:
                return
            self.waits = False
        try:
            self.result = self._act(self._stop)
        except BaseException as fault:  # kept for whoever waits
            self.fault = fault
        self._end()

    def _end(self) -> None:
        self.goes_on = False
        with suppress(Exception):  # there may be nobody left to show it to
            self._after()
        self._over.set()


def alone(act: Callable[[Stop], Result]) -> Result:
    """What `act` computes when it is its turn; raises what it raises."""
    job = Job(act)
    job.join()
    if job.fault:
        raise job.fault
    return cast("Result", job.result)


def _work() -> None:
    while True:
        _queue.get().go()


threading.Thread(target=_work, name="t2iflow", daemon=True).start()


@atexit.register
def _stop_all() -> None:
    """A program that ends stops its jobs as Ctrl-C does, so that runs can be resumed."""
    going = [job for job in _jobs if job.goes_on]
    for job in going:
        job.ask()
    for job in going:
        job.join()
