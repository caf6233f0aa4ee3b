"""Work that several runs share, in a folder: each run takes over what another has done, and does the rest.

What is kept of it is the finished pictures, what its canvases remember, and what a run's page shows of the way there.
A lock sees to it that no two runs do the same work at once.
"""

import base64
import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from t2iflow.runner.events import Noted
from t2iflow.runner.execution import checkpoint
from t2iflow.runner.execution.checkpoint import Checkpoint, DamagedError, UnfitError
from t2iflow.runner.execution.loop import Stopped
from t2iflow.runner.report.listener import Report
from t2iflow.runner.report.past_steps import PastSteps
from t2iflow.runner.report.table import Row

WAY = "way.json"
"""The file of what a page shows of the way."""
WAIT = 0.2
"""Seconds between looks at whether another run has done the work, and at whether this one is to stop."""


@dataclass(frozen=True)
class SharedWork:
    """The work that a run shares with others: the folder where it is kept, and what it is called there, by optimiser or
    other node."""

    folder: Path
    names: Mapping[str, str]


@dataclass(frozen=True)
class Work:
    """What is left of work that is done, and the way there."""

    state: Checkpoint
    past_steps: PastSteps
    notes: tuple[Noted, ...]


class Shared:
    """The `Sharing` of one run; `made_with` tells apart work of other seeds, versions, threads and devices."""

    def __init__(
        self,
        work: SharedWork,
        made_with: str,
        report: Report,
        notes: Callable[[], Iterable[Noted]],
        note: Callable[[Noted], None],
        stopping: Callable[[], bool],
    ) -> None:
        """`notes` gives what nodes have said so far, and `note` passes on what they say."""
        self._work, self._report, self._notes, self._note, self._stopping = work, report, notes, note, stopping
        self._mark = hashlib.sha256(made_with.encode()).hexdigest()[:8]

    @contextmanager
    def begin(self, name: str) -> Iterator[Checkpoint | None]:
        """The state at the end of the work, if it is done; waits while another run does it, and raises Stopped."""
        place = self._place(name)
        if place is None:
            yield None
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place.with_suffix(".lock"))
        while (work := _read(place, name)) is None:
            try:
                lock.acquire(timeout=WAIT)
            except Timeout:
                if self._stopping():
                    raise Stopped from None
                continue
            break
        try:
            work = work or _read(place, name)
            if work:
                self._report.take_over(name, work.past_steps)
            yield work.state if work else None
            for note in work.notes if work else ():
                self._note(note)
        finally:
            lock.release()

    def keep(self, name: str, members: Collection[str], state: Checkpoint) -> None:
        """Write it down, whole or not at all; a disk that has no room for it is no reason for a run to fail."""
        if place := self._place(name):
            notes = tuple(note for note in self._notes() if note.node in members)
            with contextlib.suppress(OSError):
                _write(place, Work(state, self._report.past_steps(name), notes))

    def _place(self, name: str) -> Path | None:
        called = self._work.names.get(name)
        return self._work.folder / f"{called}-{self._mark}" if called else None


def _write(place: Path, work: Work) -> None:
    fresh = place.with_name(f".{place.name}-{os.getpid()}")
    try:
        fresh.mkdir(parents=True)
        work.state.save(fresh)
        way = {
            "losses": [[row.step, row.loss, row.terms] for row in work.past_steps.losses],
            "snapshots": {step: base64.b64encode(png).decode() for step, png in work.past_steps.snapshots.items()},
            "notes": [[note.node, note.level, note.text] for note in work.notes],
        }
        (fresh / WAY).write_text(json.dumps(way), encoding="utf-8")
        shutil.rmtree(place, ignore_errors=True)  # a damaged one
        fresh.replace(place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _read(place: Path, name: str) -> Work | None:
    """What was kept; nothing where it is missing, or not whole."""
    try:
        way = json.loads((place / WAY).read_text(encoding="utf-8"))
        _, read = next(checkpoint.kept(place))
        losses = tuple(Row(name, step, loss, terms) for step, loss, terms in way["losses"])
        snapshots = {int(step): base64.b64decode(png) for step, png in way["snapshots"].items()}
        notes = tuple(Noted(*note) for note in way["notes"])
        return Work(read(), PastSteps(losses, snapshots), notes)
    except (OSError, DamagedError, UnfitError, StopIteration, ValueError, KeyError, TypeError):
        return None
