"""How far a run is, in words, and how often there is time to say so."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from t2iflow.pipelines.plan import Plan
from t2iflow.runner.duration import duration
from t2iflow.runner.events import Computing, Event, Filmed, Fitted, Fitting, Stepped, Wrote
from t2iflow.runner.reel import total

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


class Pace:
    """Follows a run; as text, how far it is."""

    def __init__(self, plan: Plan) -> None:
        totals = [total(region, plan.graph) for region in plan.regions]
        self._later = {region.optimizer: sum(totals[place:]) for place, region in enumerate(plan.regions, 1)}
        self._doing = "starting"
        self._frame = ""
        self._began = (0, 0.0)
        self._steps = (0, 0)
        self._now = 0.0

    def __call__(self, event: Event) -> None:
        """Take note."""
        if isinstance(event, Stepped):
            self._steps, self._doing, self._now = (event.step + 1, event.steps), event.node, event.at
        elif isinstance(event, Fitting):
            self._began = (event.first, event.at)
            self._steps, self._frame, self._doing = (event.first, event.steps), "", event.node
        elif isinstance(event, Filmed):
            self._frame = f"frame {event.frame + 1} of {event.frames}, "
        elif isinstance(event, Computing):
            self._doing, self._steps = f"computing {event.node}", (0, 0)
        elif isinstance(event, Fitted):
            self._doing, self._steps = f"{event.node} is done", (0, 0)
        elif isinstance(event, Wrote):
            self._doing = f"{event.path.name} is written"

    @property
    def part(self) -> float | None:
        """How much of an optimiser's steps is taken, from 0 to 1; None where none is working."""
        done, steps = self._steps
        return done / steps if steps else None

    def __str__(self) -> str:
        done, steps = self._steps
        if not steps:
            return self._doing
        first, began = self._began
        said = f"{self._doing}: {self._frame}step {done} of {steps}"
        if done == first:
            return said
        rate = (done - first) / max(self._now - began, 1e-9)
        # Later optimisers are taken to be as quick as this one.
        return f"{said}, about {duration((steps - done + self._later[self._doing]) / rate)} left"
