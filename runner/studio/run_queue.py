"""The studio's queue: the runs that wait, and those that are being made. It is on disk too."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.whole import write
from t2iflow.runner.child.child import Child, Slot
from t2iflow.runner.child.pool import Hear, Pool, Reply
from t2iflow.runner.exits import HUNG_UP, OK
from t2iflow.runner.studio import worker
from t2iflow.runner.studio.home import Home
from t2iflow.runner.studio.refused import Refused

KEPT = ".studio"
"""The folder of a studio's own files, beside the runs that it makes."""
FILE, MOST = "queue.json", 10_000_000
LOOK_EVERY = 0.1
"""Seconds between looks at what has ended, and what can begin."""
REST_AFTER = 300.0
"""Seconds for which processes without work keep what they have loaded."""


@dataclass(frozen=True)
class QueuedRun:
    """A run that waits: what it is called, what is known of it before it begins, and what is to be changed in it."""

    name: str
    recipe: str = ""
    prompt: str = ""
    seed: int | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Work:
    """A run that is being made, the number of its order, and when it began, in seconds since the epoch."""

    run: QueuedRun
    number: int
    since: float


class RunQueue:
    """Lets runs be made one after another; `changed` is called whenever the queue is another."""

    def __init__(
        self,
        home: Home,
        slots: Callable[[], Sequence[Slot]],
        steer: Callable[[str, Mapping[str, Any]], None],
        changed: Callable[[], None],
    ) -> None:
        """`slots` gives where runs are made, once the first one is; `steer` changes a run that does not go on."""
        self._home, self._slots, self._steer, self._changed = home, slots, steer, changed
        self._file = home.new / KEPT / FILE
        self._pool: Pool | None = None
        self._numbers = count()
        self._waiting: list[QueuedRun] = list(_kept(self._file, home))
        self._running: dict[str, _Work] = {}
        self._faults: dict[str, str] = {}
        self._held: set[str] = set()
        self._lock = threading.RLock()
        self._closing = False
        self._thread = threading.Thread(target=self._work, daemon=True)

    def open(self) -> None:
        """Begin to work."""
        self._thread.start()

    def close(self) -> None:
        """Stop the runs that are being made, each with its checkpoint; others stay queued for the next studio here."""
        self._closing = True
        if self._thread.ident:  # or it was never opened
            self._thread.join()

    @property
    def waiting(self) -> list[str]:
        """Names of the runs that wait, the next first."""
        return [run.name for run in self._waiting]

    @property
    def running(self) -> list[str]:
        """Who is made now."""
        return list(self._running)

    def queued(self, name: str) -> QueuedRun | None:
        """What is known of a run that waits, or is made."""
        made = [work.run for work in list(self._running.values())]
        return next((run for run in (*self._waiting, *made) if run.name == name), None)

    def since(self, name: str) -> float | None:
        """Since when a run is made, in seconds since the epoch; None for others."""
        work = self._running.get(name)
        return work.since if work else None

    def fault(self, name: str) -> str:
        """Why a run could not be made, where its own folder doesn't say."""
        return self._faults.get(name, "")

    def put(self, run: QueuedRun) -> None:
        """Add a run at the end."""
        with self._lock:
            if run.name in (*self.waiting, *self.running):
                raise Refused(409, f"`{run.name}` is already in the queue")
            self._faults.pop(run.name, None)
            self._set([*self._waiting, run])

    def stop(self, name: str) -> None:
        """Let a run stop with its checkpoint, or wait no longer."""
        with self._lock:
            if name in self.waiting and name in self._running:  # it is about to be steered
                self._held.add(name)
            elif name in self.waiting:
                self._set([run for run in self._waiting if run.name != name])
            elif name in self._running:
                self._interrupt(name)
            else:
                raise Refused(409, f"`{name}` wasn't started in this studio; press Ctrl-C where it was")

    def steer(self, known: QueuedRun, changes: Mapping[str, Any]) -> None:
        """Let a run that is made, waits or was stopped go on with other values."""
        name = known.name
        with self._lock:
            run = self.queued(name) or known
            self._faults.pop(name, None)
            before = run.changes if name in self.waiting else {}
            rest = [run for run in self._waiting if run.name != name]
            self._set([replace(run, changes={**before, **changes}), *rest])
            if name in self._running:
                self._interrupt(name)

    def _interrupt(self, name: str) -> None:
        if self._pool:
            self._pool.tell(name, worker.stopping(self._running[name].number))

    def _work(self) -> None:
        busy = time.monotonic()
        while not self._closing:
            if self._waiting or self._running:
                busy = time.monotonic()
                self._try()
            elif self._pool and time.monotonic() - busy > REST_AFTER:
                self._pool.rest()
            for reply in self._replies():
                self._ended(reply)
        if self._pool:
            self._pool.close()
        self._set(self._waiting)

    def _try(self) -> None:
        """Begin the next runs; where none can be made, as without a device, they say so."""
        try:
            self._begin()
        except (Refused, OSError) as fault:
            with self._lock:
                self._faults |= dict.fromkeys(self.waiting, str(fault))
                self._set([])

    def _replies(self) -> list[Reply]:
        if self._pool:
            return self._pool.wait(LOOK_EVERY)
        time.sleep(LOOK_EVERY)
        return []

    def _begin(self) -> None:
        """Begin as many of the next runs as there is room for."""
        pool = self._pool = self._pool or Pool(self._slots(), _started, lambda said: bool(said["last"]))
        with self._lock:
            ready = [run for run in self._waiting if run.name not in self._running][: pool.room]
            self._change(ready)
            for run in ready:
                if run.name in (*self._faults, *self._held):
                    self._held.discard(run.name)
                    continue
                run = replace(run, changes={})
                work = self._running[run.name] = _Work(run, next(self._numbers), time.time())
                folder = self._home.root / run.name
                pool.take(run.name, worker.order(work.number, folder, run.recipe))
            if ready:
                self._set([run for run in self._waiting if run.name not in {one.name for one in ready}])

    def _change(self, ready: list[QueuedRun]) -> None:
        """Change what is to be changed before they begin, and note that it was: a change counts once, from where a run
        stands."""
        for run in ready:
            if run.changes:
                try:
                    self._steer(run.name, run.changes)
                except Refused as fault:
                    self._faults[run.name] = fault.error
        if any(run.changes for run in ready):
            self._set([replace(run, changes={}) if run in ready else run for run in self._waiting])

    def _ended(self, reply: Reply) -> None:
        with self._lock:
            self._running.pop(reply.work, None)
            if reply.ended:
                self._faults[reply.work] = reply.ended
            elif OK < reply.said["code"] < HUNG_UP:
                self._faults[reply.work] = reply.said["message"]
            self._set(self._waiting)

    def _set(self, waiting: list[QueuedRun]) -> None:
        """Have these wait, here and on disk. Those that are made are kept there as the first, for a studio that is
        killed; one that is closed has stopped them."""
        self._waiting = waiting
        made = [] if self._closing else [one.run for one in self._running.values() if one.run.name not in self.waiting]
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write(self._file, json.dumps([asdict(run) for run in (*made, *waiting)], indent=1) + "\n", lasting=True)
        self._changed()


def _started(slot: Slot, hear: Hear) -> Child:
    return Child(worker.__name__, [slot.device], slot.environment, hear)


def _kept(file: Path, home: Home) -> Iterator[QueuedRun]:
    """Those that waited when the last studio here ended, and are still there."""
    with contextlib.suppress(OSError, ValueError, TypeError, RecursionError):
        for one in json.loads(paths.read_start(file, MOST)):
            run = QueuedRun(**one)
            with contextlib.suppress(Refused):
                home.folder(run.name)
                yield run
