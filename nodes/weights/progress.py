"""How far a file that is being fetched has come."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from t2iflow.nodes.weights.content import amount

if TYPE_CHECKING:
    from t2iflow.nodes.core.ambient import Notes

Watch = Callable[[str, int, int], None]
"""Called with the progress of a file: its name, the bytes that are here, and the bytes of all (0 if unknown)."""

TELL_EVERY = 10.0
"""Seconds between notes of how far a file has come."""


class Intervals:
    """Reports the progress of a file now and then."""

    def __init__(self, notes: "Notes") -> None:
        self._notes = notes
        self._last = time.monotonic()

    def __call__(self, name: str, done: int, whole: int) -> None:
        """Hear of progress, as a `Watch`."""
        if time.monotonic() - self._last > TELL_EVERY:
            self._last = time.monotonic()
            self._notes.say(f"`{name}`: {amount(done)}" + (f" of {amount(whole)}" if whole else ""))
