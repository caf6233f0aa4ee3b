"""Follows the runs that go on, by what they write into their folders, and passes it on to who listens."""

import contextlib
import os
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from t2iflow.nodes.core.run_files import NOW
from t2iflow.runner.entries import Ended, Entry, Filmed, Noted, Stepped, entry_of
from t2iflow.runner.folder.history import added
from t2iflow.runner.folder.watching import LIVE, watch
from t2iflow.runner.studio.gallery import Gallery
from t2iflow.runner.studio.glance import Glance
from t2iflow.runner.studio.home import Home
from t2iflow.runner.studio.stream import Stream
from t2iflow.runner.timing.headway import Headway

EVERY, SEARCH_EVERY = 0.05, 1.0
"""Seconds between looks at runs that go on, and at what else there is."""
STEP_EVERY = 0.2
"""Seconds between two steps of a run that are passed on."""
RECENT = 200
"""How many of the newest folders are looked at for runs that begin or go on, and of the others how many that pages have
asked for last."""


@dataclass
class _Run:
    """A run that goes on, as far as it was followed; `place` is where in its log."""

    name: str
    folder: Path
    place: int = 0
    picture: int = 0
    updated: float = 0.0
    headway: Headway = field(default_factory=Headway)
    frame: Filmed | None = None

    def new(self) -> list[Entry]:
        """What its log has more than at the last look, taken note of."""
        lines, self.place = added(self.folder, self.place)
        log = list(filter(None, map(entry_of, lines)))
        for one in log:
            self.headway(one)
            self.frame = one if isinstance(one, Filmed) else self.frame
        return log

    def at(self, step: Stepped) -> dict[str, Any]:
        """Where it is, at this step."""
        return {
            "name": self.name,
            "node": step.node,
            "step": step.step,
            "steps": step.steps,
            "loss": step.loss,
            "terms": step.terms,
            "frame": self.frame and self.frame.frame,
            "frames": self.frame and self.frame.frames,
            "left": self.headway.left,
        }


class Follower:
    """Looks in a thread of its own while somebody listens."""

    def __init__(self, home: Home, gallery: Gallery, stream: Stream) -> None:
        self._home, self._gallery, self._stream = home, gallery, stream
        self._runs: dict[str, _Run] = {}
        self._known: dict[str, Glance] = {}
        self._oldest: str | None = None
        self._lock = threading.Lock()
        self._new, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def open(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._over.set()
        if self._thread.ident:  # or it was never opened
            self._thread.join()

    def look(self) -> None:
        """Look for what is new as soon as possible."""
        self._new.set()

    def left(self, name: str) -> float | None:
        """Seconds that a run still needs, if that is known."""
        run = self._runs.get(name)
        return run.headway.left if run else None

    def _work(self) -> None:
        searched = 0.0
        while not self._over.wait(EVERY):
            if not self._stream.is_heard:
                self._over.wait(SEARCH_EVERY / 4)
                continue
            with contextlib.suppress(Exception):  # what somebody puts into a folder does not end it
                if self._new.is_set() or time.monotonic() - searched >= SEARCH_EVERY:
                    self._new.clear()
                    searched = time.monotonic()
                    self.search()
                self.follow()

    def note(self, run: Glance, is_news: bool = False) -> None:
        """Pass on what is another about a run than was known; if it was not known, where that `is_news`. Whatever a
        page is told of a run is known from then on: or what happens before the next search would never be passed on.
        The last one is kept longest.
        """
        with self._lock:
            before = self._known.pop(run.name, None)
            self._known[run.name] = run
        if is_news if before is None else _steady(run) != _steady(before):
            self._stream.tell("run", run.plain())

    def search(self) -> None:
        """Find runs that begin, end or are gone, and pass on what is another; those that go on are watched from now
        on."""
        recent = self._gallery.entries()[:RECENT]
        keys = {path: key for key, path in recent}
        found = {}
        for path in dict.fromkeys([*keys, *(str(self._home.root / name) for name in list(self._known))]):
            if run := self._gallery.glance(Path(path)):
                found[run.name] = run
                self.note(run, is_news=self._oldest is not None and keys.get(path, "") > self._oldest)
        self._oldest = recent[-1][0] if len(recent) == RECENT else ""
        for name in [name for name in list(self._known) if name not in found]:
            if not os.path.exists(self._home.root / name):
                self._known.pop(name, None)
                self._stream.tell("gone", {"name": name})
        self._forget({self._home.name(Path(path)) for path in keys})
        going = [name for name, run in found.items() if run.state == "running" and run.kind == "run"]
        self._runs = {name: self._runs.get(name) or self._begun(name) for name in going}
        for one in self._runs.values():
            watch(one.folder)

    def _forget(self, recent: set[str]) -> None:
        """Keep those that are recent, go on, or were asked for last."""
        with self._lock:
            rest = [name for name in self._known if name not in recent]
            old = [name for name in rest if self._known[name].state not in ("running", "queued")]
            for name in old[:-RECENT]:
                del self._known[name]

    def follow(self) -> None:
        """Pass on what those that go on have written since the last look."""
        for run in list(self._runs.values()):
            self._follow(run)

    def _begun(self, name: str) -> _Run:
        """What has happened already is not passed on."""
        run = _Run(name, self._home.root / name)
        run.new()
        return run

    def _follow(self, run: _Run) -> None:
        step = None
        for entry in run.new():
            match entry:
                case Stepped():
                    step = entry
                case Noted():
                    said = {"node": entry.node, "level": entry.level, "text": entry.text}
                    self._stream.tell("note", {"name": run.name, **said})
                case Ended():
                    self.look()
        if step and time.monotonic() - run.updated >= STEP_EVERY:
            run.updated = time.monotonic()
            self._stream.tell("step", run.at(step))
        self._show(run)

    def _show(self, run: _Run) -> None:
        """Announce a new picture: that for those who watch, or, where a run makes none, the one of its page."""
        for file in (LIVE, NOW):
            with contextlib.suppress(OSError):
                stamp = os.stat(run.folder / file).st_mtime_ns
                if stamp > run.picture:
                    run.picture = stamp
                    address = self._home.address(run.folder, file, at=stamp)
                    self._stream.tell("picture", {"name": run.name, "address": address})
                return


def _steady(run: Glance) -> Glance:
    """Without what events of their own say of a run that goes on."""
    return replace(run, place=None, picture=None, size=None) if run.state == "running" else run
