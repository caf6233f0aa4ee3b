"""How often to show or write what a run does without slowing it down."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY = 2.0
"""Seconds between two writings of a page, at least."""
SHARE, ADVANCE = 0.005, 0.2
"""How much of a run's time may be spent on pages, and how many seconds in advance: at first people look most."""


class Budget:
    """Says when it is time for work: `every` seconds from beginning to beginning, at least, and so seldom that it takes
    no more than its `share` of the time, but for some seconds in `advance`."""

    def __init__(
        self, every: float, share: float, advance: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._every, self._share, self._advance, self._clock = every, share, advance, clock
        self._next = -math.inf

    def allows(self) -> bool:
        """Whether it is time."""
        return self._clock() >= self._next

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Measure what is done inside."""
        began = self._clock()
        try:
            yield
        finally:
            ended = self._clock()
            free = min(self._advance, ended - began)
            self._advance -= free
            self._next = max(began + self._every, ended + (ended - began - free) / self._share)


def of_pages() -> Budget:
    """That of a page about a run or a sweep."""
    return Budget(EVERY, SHARE, ADVANCE)
