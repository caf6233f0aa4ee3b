"""Holding a run whose sweep is on a storage: leased, worked on here, and kept there as it goes on."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from t2iflow.nodes.core.run_files import CHECKPOINT
from t2iflow.runner.folder.history import has_finished
from t2iflow.runner.sweep.lease import BEAT, DEAD, Lease, LostError
from t2iflow.runner.sweep.storage import Storage


@contextmanager
def held(storage: Storage, run: str, lost: Callable[[], None]) -> Iterator[None]:
    """Within it, a run's folder is as it is kept, unless it has finished here, and nobody else works on it; it is kept
    after each checkpoint, and at the end. `lost` is called, in another thread, where somebody else takes over, as after
    a long time without network.

    BusyError where somebody else works on it; LostError at the end, where another process has taken over.
    """
    lease = storage.lease(run)
    with storage.reaching():
        lease.take()
    holder = _Holder(lease, lost)
    try:
        with _every(BEAT, holder.renew):
            if not has_finished(storage.folder / run):
                storage.fetch(run)
            with _every(BEAT, _Bringer(storage, run, holder).keep_if_new):
                yield
            if holder.has_lost:
                raise LostError(f"another process has taken over `{run}`")
            storage.keep(run)
    finally:
        if not holder.has_lost:
            with contextlib.suppress(Exception):  # whoever is next will wait
                lease.release()


class _Holder:
    """Renews a lease."""

    has_lost = False

    def __init__(self, lease: Lease, lost: Callable[[], None]) -> None:
        self._lease, self._lost = lease, lost
        self._alive = time.monotonic()

    def renew(self) -> None:
        """Renew it; whoever couldn't for long must think that others took over."""
        if self.has_lost:
            return
        try:
            self._lease.renew()
            self._alive = time.monotonic()
        except LostError:
            self._lose()
        except Exception:  # each of fsspec's file systems raises its own
            if time.monotonic() - self._alive > DEAD - 2 * BEAT:
                self._lose()

    def _lose(self) -> None:
        self.has_lost = True
        self._lost()


class _Bringer:
    """Keeps a run when there is a new checkpoint, as long as it is held."""

    def __init__(self, storage: Storage, run: str, holder: _Holder) -> None:
        self._storage, self._run, self._holder = storage, run, holder
        self._last = 0

    def keep_if_new(self) -> None:
        """Keep it, or try again at the next checkpoint: at the run's end it is kept for certain."""
        with contextlib.suppress(OSError):
            written = (self._storage.folder / self._run / CHECKPOINT).stat().st_mtime_ns
            if written > self._last and not self._holder.has_lost:
                self._storage.keep(self._run)
                self._last = written


@contextmanager
def _every(seconds: float, act: Callable[[], None]) -> Iterator[None]:
    """Within it, something is done again and again in another thread."""
    over = threading.Event()

    def again() -> None:
        while not over.wait(seconds):
            act()

    thread = threading.Thread(target=again, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
