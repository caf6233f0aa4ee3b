"""The runs and sweeps of a folder, the newest first: read as far as somebody looks, and once."""

import contextlib
import math
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from t2iflow.runner.folder.claim import HOLDER
from t2iflow.runner.studio.glance import Glance, glance, stamp
from t2iflow.runner.studio.home import Home, holds_run

DATED = re.compile(r"\d{4}-\d\d-\d\d_\d{6}")
"""What a folder's name begins with that a command has made."""
SETTLED = 2.0
"""Seconds after which the date of a folder says that nothing was made in it since."""
PATIENCE = 0.3
"""Seconds for which a search reads what nobody has looked at yet; what it has not found by then, it finds later."""
AT_ONCE, PAUSE = 100, 0.05
"""How many folders are read at a time while nobody waits for them, and seconds between."""

Entry: TypeAlias = tuple[str, str]
"""A folder that may hold a run: the newest has the largest key, which comes first; then its path."""


@dataclass(frozen=True)
class Page:
    """A part of the gallery; `next` is where the following one starts, if there is one. `total` counts all that fit,
    as far as they are read, which they all are if it is `complete`."""

    runs: Sequence[Glance]
    next: str | None
    total: int
    complete: bool


class Gallery:
    """Knows the folders by name, and what is in those that were looked at."""

    def __init__(self, home: Home, now: Callable[[Glance], Glance] = lambda glance: glance) -> None:
        """`now` gives what the studio itself knows better of a run than its folder, as that it waits."""
        self._home, self._now = home, now
        self._lists: dict[Path, tuple[int, list[Entry]]] = {}
        self._keys: dict[str, str] = {}
        self._read: dict[str, tuple[tuple[int, int, int], Glance | None]] = {}
        self._reading = threading.Lock()

    def page(self, search: str, state: str, before: str, limit: int) -> Page:
        """So many runs that have all words of a `search` and this `state`, if one is named; those that come after the
        key `before`. A search for few among many finds only some of them until all are read."""
        entries, words = self.entries(), search.lower().split()
        until = time.monotonic() + PATIENCE if words or state else math.inf
        later = (entry for entry in entries if not before or entry[0] < before)
        found = ((key, run) for key, path in later if (run := self._fitting(path, words, state, until)))
        shown = list(islice(found, limit + 1))
        more = shown[limit - 1][0] if len(shown) > limit else None
        known = [self._read[path][1] for _, path in entries if path in self._read]
        fitting = sum(run is not None and _fits(self._as_now(run), words, state) for run in known)
        unread = len(entries) - len(known)
        total = fitting + (0 if words or state else unread)
        return Page([run for _, run in shown[:limit]], more, total, not unread)

    def glance(self, folder: Path) -> Glance | None:
        """What is in a folder, as it is now; None where that is no run."""
        now, path = stamp(folder), str(folder)
        before = self._read.get(path)
        if before is None or before[0] != now or _may_change(before[1], folder):
            before = self._read[path] = now, glance(self._home, folder) if holds_run(folder) else None
        return self._as_now(before[1]) if before[1] else None

    def _fitting(self, path: str, words: list[str], state: str, until: float) -> Glance | None:
        """What is in a folder, if it fits, and was read already or there is time to; a run that is finished is not
        looked at again to see that it doesn't fit."""
        if path in self._read:
            _, known = self._read[path]
            if known and known.state == "finished" and known.kind == "run" and not _fits(known, words, state):
                return None
        elif time.monotonic() >= until:
            return None
        run = self.glance(Path(path))
        return run if run and _fits(run, words, state) else None

    def _as_now(self, run: Glance) -> Glance:
        """A run as it is now, which of one that is finished nobody knows better than its folder."""
        return run if run.state == "finished" else self._now(run)

    def entries(self) -> list[Entry]:
        """All folders that may hold runs, the newest first."""
        return sorted((entry for _, parent in self._home.parents for entry in self._list(parent)), reverse=True)

    def read_all(self) -> None:
        """Read what nobody has looked at yet, for searches, slowly enough that nobody waits for it."""
        with self._reading:
            paths = iter([path for _, path in self.entries() if path not in self._read])
            while some := list(islice(paths, AT_ONCE)):
                for path in some:
                    self.glance(Path(path))
                time.sleep(PAUSE)

    def _list(self, parent: Path) -> list[Entry]:
        """The entries of a folder, read again when it has changed."""
        try:
            changed = parent.stat().st_mtime_ns
        except OSError:
            return []
        before = self._lists.get(parent)
        if before is None or before[0] != changed:
            before = changed, list(self._scanned(parent))
            if time.time() - changed / 1e9 > SETTLED:
                self._lists[parent] = before
        return before[1]

    def _scanned(self, parent: Path) -> Iterator[Entry]:
        with contextlib.suppress(OSError), os.scandir(parent) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                    yield self._keys.get(entry.path) or self._keys.setdefault(entry.path, _key(entry)), entry.path


def _key(entry: "os.DirEntry[str]") -> str:
    """The date in a folder's name, or that of the folder, and what tells it apart."""
    if DATED.match(entry.name):
        return entry.name
    date = time.localtime(entry.stat().st_mtime)
    return f"{time.strftime('%Y-%m-%d_%H%M%S', date)}-{entry.name}"


def _may_change(run: Glance | None, folder: Path) -> bool:
    """Whether a folder may say something else of a run although its log is the same, or may have one by now."""
    if run is None:
        return True
    if run.state == "finished":
        return False
    return run.kind == "sweep" or run.state == "running" or os.path.exists(folder / HOLDER)


def _fits(run: Glance, words: list[str], state: str) -> bool:
    return (not state or run.state == state) and all(word in run.text for word in words)
