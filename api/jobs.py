"""What this process computes, one job after another in the order in which they came, in a thread of its own.

The thread has none of the caller's modes, such as `torch.no_grad`, and signals stay with whoever has them. Jobs take
turns because torch's threads, its streams and what it records belong to the whole process.
"""

from __future__ import annotations

import atexit
import concurrent.futures.thread  # noqa: F401 (its own end is then after ours)
import os
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Generic, TypeVar, cast

from t2iflow.runner.signals import Stop

Result = TypeVar("Result")


class _Worker:
    """The thread of this process that computes jobs, and the jobs; a process that was forked has one of its own."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.jobs: weakref.WeakSet[Job[Any]] = weakref.WeakSet()
        self._queue: SimpleQueue[Job[Any]] = SimpleQueue()
        threading.Thread(target=self._work, name="t2iflow", daemon=True).start()

    def add(self, job: Job[Any]) -> None:
        self.jobs.add(job)
        self._queue.put(job)

    def _work(self) -> None:
        while True:
            self._queue.get().go()


_worker: _Worker | None = None
_beginning = threading.Lock()


def _here() -> _Worker | None:
    """The worker of this process, if it has one."""
    return _worker if _worker and _worker.process == os.getpid() else None


class Job(Generic[Result]):
    """Is `waiting` for its turn, and `active` until it is over.

    Then there is its `result`, or the `fault` that ended it, or neither where it was stopped before it began.
    """

    def __init__(self, act: Callable[[Stop], Result], after: Callable[[], object] = lambda: None) -> None:
        """`act` computes it, and ends early when it is asked to; `after` is called when it is over."""
        self.waiting, self.active = True, True
        self.result: Result | None = None
        self.fault: BaseException | None = None
        self._act, self._after = act, after
        self._stop = Stop()
        self._over = threading.Event()
        self._lock = threading.Lock()

    def ask(self) -> None:
        """Ask it to end, which it does at once if it hasn't begun."""
        self._stop.ask()
        with self._lock:
            if self.waiting and self.active:
                self._end()

    def pause(self) -> None:
        """Ask it to pause, see `Stop.pause`."""
        self._stop.pause()

    def join(self) -> None:
        """Wait until it is over."""
        self._over.wait()  # not the thread, which an interrupt of `Thread.join` takes for ended before Python 3.13

    def go(self) -> None:
        """Compute it."""
        with self._lock:
            if not self.active:
                return
            self.waiting = False
        try:
            self.result = self._act(self._stop)
        except BaseException as fault:  # kept for whoever waits
            self.fault = fault
        self._end()

    def _end(self) -> None:
        self.active = False
        with suppress(Exception):  # there may be nobody left to show it to
            self._after()
        del self._act, self._after  # and what they hold
        self._over.set()


def begin(job: Job[Any]) -> None:
    """Queue a job."""
    global _worker
    with _beginning:
        _worker = _here() or _Worker()
        _worker.add(job)


def in_turn(act: Callable[[Stop], Result]) -> Result:
    """What `act` computes, or raises, in its turn. After Ctrl-C it ends, and KeyboardInterrupt is raised."""
    job = Job(act)
    begin(job)
    try:
        job.join()
    except KeyboardInterrupt:
        job.ask()
        job.join()
        raise
    if job.fault:
        raise job.fault
    return cast("Result", job.result)


def _stop_all() -> None:
    """A program that ends stops its jobs as Ctrl-C does, so that runs can be resumed."""
    worker = _here()
    going = [job for job in worker.jobs if job.active] if worker else []
    for job in going:
        job.ask()
    for job in going:
        job.join()


# Before pools of threads are shut down, in which films are written, rather than after; where Python still has that.
getattr(threading, "_register_atexit", atexit.register)(_stop_all)
