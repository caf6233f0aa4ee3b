"""Drives a sweep: hands its cells to those who make them, until none is left that could be made.

Several drivers may share one folder, also from other machines: the claim on a run's folder sees to it that each cell is
made once, and a cell that another driver has is awaited, and taken over if that one dies.
"""

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from t2iflow.runner.events import Ended
from t2iflow.runner.exits import HUNG_UP, OK
from t2iflow.runner.folder.claim import claim
from t2iflow.runner.folder.history import ends
from t2iflow.runner.folder.log import EventLog, LogFile
from t2iflow.runner.folder.summary import summary
from t2iflow.runner.sweep.events import Begun, CellEnded, Going, State, Watcher
from t2iflow.runner.sweep.folder import SweepFolder
from t2iflow.runner.sweep.sharing import spread
from t2iflow.runner.sweep.storage import unkept
from t2iflow.runner.sweep.work import BUSY, DIED, Made
from t2iflow.runner.timing.headway import Headway

TRIES = 3
"""How often a cell is begun whose process is ended."""
TICK = 0.5
"""Seconds between looks at how far all are."""
SURE = 0.05
"""Of a cell: how much must be done before it says how long the rest takes."""


class Crew(Protocol):
    """Those who make cells: processes of this machine, or tasks of a cluster."""

    @property
    def room(self) -> int:
        """How many more cells can be taken on now."""

    def take(self, cell: str) -> None:
        """Begin a cell."""

    def wait(self, seconds: float) -> Sequence[Made]:
        """What came of cells meanwhile; at once if there is something, else after some seconds at most."""

    def stop(self) -> None:
        """Let all runs stop with a checkpoint."""


def states(sweep: SweepFolder) -> dict[str, State]:
    """How far each cell is, by its own folder; one without a folder waits."""
    return {cell.name: state(sweep, cell.name) for cell in sweep.cells}


def state(sweep: SweepFolder, name: str) -> State:
    """How far a cell is."""
    run = sweep.runs / name
    if os.path.exists(unkept(run)):
        return "stopped"
    return summary(run).state if os.path.exists(run) else "waiting"


def drive(
    sweep: SweepFolder, crew: Crew, stopping: Callable[[], bool], watch: Watcher, retry: bool = False
) -> dict[str, State]:
    """Make all cells that have not finished, and with `retry` those that failed; gives how far each is at the end."""
    return _Driver(sweep, crew, stopping, watch, retry).drive()


@dataclass
class _Driver:
    sweep: SweepFolder
    crew: Crew
    stopping: Callable[[], bool]
    watch: Watcher
    retry: bool
    tries: Counter[str] = field(default_factory=Counter)
    running: dict[str, float] = field(default_factory=dict)
    elsewhere: set[str] = field(default_factory=set)
    began: float = field(default_factory=time.monotonic)

    def drive(self) -> dict[str, State]:
        self.states = states(self.sweep)
        self.counts = Counter(self.states.values())
        left = [cell for cell in self.sweep.cells if self._is_left(self.states[cell.name])]
        self.waiting = deque(cell.name for cell in spread(left))
        self.watch(Begun(self.sweep.at, len(self.states), self.counts["finished"], self.counts["failed"]))
        self.done_before = self._done
        while (self.waiting or self.running or self.elsewhere) and not self.stopping():
            self._hand_out()
            self._listen()
        self.crew.stop()
        while self.running:
            self._listen()
        return self.states

    def _is_left(self, state: State) -> bool:
        return state not in ("finished", "failed") or (state == "failed" and self.retry)

    def _set(self, name: str, state: State) -> None:
        self.counts[self.states[name]] -= 1
        self.counts[state] += 1
        self.states[name] = state

    def _hand_out(self) -> None:
        while self.waiting and self.crew.room:
            name = self.waiting.popleft()
            if self._is_busy(name):
                self.elsewhere.add(name)
            else:
                self.running[name] = 0.0
                self._set(name, "running")
                self.crew.take(name)

    def _is_busy(self, name: str) -> bool:
        """Whether another driver has the cell, or has finished it."""
        return state(self.sweep, name) in ("running", "finished")

    def _listen(self) -> None:
        for made in self.crew.wait(TICK):
            self._made(made)
        self._look_elsewhere()
        for name, part in self.running.items():
            self.running[name] = max(part, _taken(self.sweep.runs / name) or 0.0)
        self.watch(Going(self.counts["finished"], self.counts["failed"], dict(self.running), self._left()))

    def _made(self, made: Made) -> None:
        name = made.cell
        self.running.pop(name)
        if made.code == BUSY:
            self.elsewhere.add(name)
        elif made.code == OK:
            self._ended(name, "finished")
        elif made.code != DIED and made.code < HUNG_UP:
            self._ended(name, "failed", made.message)
        elif self.stopping():
            self._ended(name, "stopped", made.message)
        else:
            self._lost(made)

    def _lost(self, made: Made) -> None:
        """Its process was ended, and not by us: begin it once more, or write down that it fails."""
        self.tries[made.cell] += 1
        if self.tries[made.cell] < TRIES:
            self._set(made.cell, "stopped")
            self.waiting.appendleft(made.cell)
            return
        message = f"tried {TRIES} times: {made.message}"
        _fail(self.sweep, made.cell, message)
        self._ended(made.cell, "failed", message)

    def _ended(self, name: str, how: State, message: str = "") -> None:
        self._set(name, how)
        self.watch(CellEnded(name, how, time.monotonic() - self.began, message))

    def _look_elsewhere(self) -> None:
        """See what became of cells that another driver has: those that it left are waiting again."""
        for name in sorted(self.elsewhere):
            now = state(self.sweep, name)
            self._set(name, now)
            if now != "running":
                self.elsewhere.remove(name)
                if now in ("finished", "failed"):
                    self._ended(name, now)
                else:
                    self.waiting.append(name)

    @property
    def _done(self) -> float:
        """How much of the whole is done, in cells."""
        return self.counts["finished"] + self.counts["failed"] + sum(self.running.values())

    def _left(self) -> float | None:
        """Seconds until all are done, at the speed so far."""
        done = self._done - self.done_before
        if done < SURE:
            return None
        return (time.monotonic() - self.began) * (len(self.states) - self._done) / done


def _taken(run: Path) -> float | None:
    """The part of a run's steps that is done, by the first and last entry of its log; None where they don't say."""
    headway = Headway()
    for entry in filter(None, ends(run)):
        headway(entry)
    return headway.part


def _fail(sweep: SweepFolder, name: str, message: str) -> None:
    """Write into the log of a cell that it failed, as its own process no longer could."""
    run = sweep.runs / name
    if os.path.exists(run):
        with claim(run):
            log = LogFile(run)
            try:
                EventLog(log.write)(Ended("failed", 0.0, message))
            finally:
                log.close()
