"""How often to write a page about a run without slowing the run down."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY = 2.0
"""Seconds between two writings, at least."""
SHARE, ADVANCE = 0.005, 0.2
"""How much of a run's time may be spent on writing, and how many seconds in advance: at first people look most."""


class Budget:
    """Says when it is time to write: seldom enough that writing takes no more than its share of the time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._spent = 0.0
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
            self._spent += ended - began
            self._next = max(ended + EVERY, self._began + (self._spent - ADVANCE) / SHARE)
