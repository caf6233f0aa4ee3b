"""A lease: who works on a cell whose sweep is kept on a storage without locks.

Leases of a cell are numbered objects, each created only where there is none of that number; the highest holds. Its
holder writes it anew at every beat. One that hasn't changed for a while is that of a dead process: whoever creates the
next number takes over, and the old holder, if it lives after all, sees that it has lost. Nobody's clock is compared
with another's.
"""

import contextlib
import json
import os
import platform
import secrets
import time
from typing import Any

from t2iflow.runner.folder.claim import BusyError

BEAT = 5.0
"""Seconds between the signs of life of a holder."""
DEAD = 6 * BEAT
"""Seconds without one after which a holder is taken for dead."""


class LostError(RuntimeError):
    """Somebody else holds what was leased."""


class Lease:
    """A lease on what lies under `place` of a file system of fsspec's."""

    def __init__(self, system: Any, place: str) -> None:
        self._system, self._place = system, place.rstrip("/")
        self._beats, self._own = 0, secrets.token_hex(8)
        self._number = -1

    def take(self) -> None:
        """Take the lease, after a wait where its holder may be dead; BusyError where somebody else holds it."""
        if (last := self._last()) >= 0:
            self._await_end(last)
        self._number = self._last() + 1
        try:
            self._system.pipe_file(self._path(self._number), self._sign(), mode="create")
        except FileExistsError:
            raise BusyError(f"another process has just taken `{self._place}`") from None

    def renew(self) -> None:
        """Give a sign of life; LostError where another process has taken over."""
        if self._last() != self._number or self._read(self._number).get("own") != self._own:
            raise LostError(f"another process has taken over `{self._place}`")
        self._beats += 1
        self._system.pipe_file(self._path(self._number), self._sign())

    def release(self) -> None:
        """Give it up, so that whoever is next need not wait."""
        for number in sorted(self._numbers()):
            with contextlib.suppress(FileNotFoundError):
                self._system.rm_file(self._path(number))

    def _await_end(self, number: int) -> None:
        """Watch a holder until it has given up or is certainly dead; BusyError as soon as it shows life."""
        seen, since = self._read(number), time.monotonic()
        while time.monotonic() - since < DEAD:
            time.sleep(BEAT / 5)
            last = self._last()
            if last < 0:
                return
            if last != number or self._read(number) != seen:
                raise BusyError(f"`{self._place}` is in progress: {_words(seen)}")

    def _read(self, number: int) -> dict[str, Any]:
        with contextlib.suppress(FileNotFoundError, ValueError):
            said = json.loads(self._system.cat_file(self._path(number)))
            if isinstance(said, dict):
                return said
        return {}

    def _sign(self) -> bytes:
        about = {"process": os.getpid(), "machine": platform.node(), "own": self._own}
        return json.dumps(about | {"beats": self._beats}).encode()

    def _last(self) -> int:
        return max(self._numbers(), default=-1)

    def _numbers(self) -> list[int]:
        self._system.invalidate_cache(self._place)
        try:
            names = [path.rpartition("/")[2] for path in self._system.ls(self._place, detail=False)]
        except FileNotFoundError:
            return []
        return [int(name) for name in names if name.isdecimal()]

    def _path(self, number: int) -> str:
        return f"{self._place}/{number:06d}"


def _words(said: dict[str, Any]) -> str:
    return f"process {said.get('process', '?')} on {said.get('machine', '?')} works on it"
