"""Who receives events: of a run keepers, which write its folder, and of runs and sweeps listeners, which may leave."""

import contextlib
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from t2iflow.runner.console import silence
from t2iflow.runner.events import Ended, Event, Listener, Noted


class Audience:
    """Hands events on. A listener that fails is dropped; a keeper, whose file may have had no room, is tried again
    at the next event, and must not fail at the end."""

    def __init__(self, keepers: Iterable[Listener], listeners: Iterable[Listener]) -> None:
        self._keepers, self._listeners = list(keepers), list(listeners)

    def __call__(self, event: Event) -> None:
        """Hand it to everybody."""
        for keeper in self._keepers:
            with contextlib.suppress(Exception):
                keeper(event)
        for fault in hand_on(event, self._listeners):
            self(Noted("run", "warn", f"nobody reads the output any more; the run continues ({fault})"))

    def end(self, event: Ended) -> None:
        """Let the keepers write the end down, raising what goes wrong, and only then hand it to the others."""
        for keeper in self._keepers:
            keeper(event)
        Audience((), self._listeners)(event)


def hand_on(event: Any, listeners: list[Callable[[Any], None]]) -> list[str]:
    """Hand an event to those who may leave; gives the reasons of those that failed, which hear no more."""
    faults = [(listener, leaving(partial(listener, event))) for listener in listeners]
    listeners[:] = [listener for listener, fault in faults if fault is None]
    return [fault for _, fault in faults if fault is not None]


def leaving(act: Callable[[], Any]) -> str | None:
    """Print; gives the reason if the reader is gone, and keeps Python from failing at its end because of that."""
    try:
        act()
        return None
    except (Exception, SystemExit) as fault:  # rich ends the program for a closed pipe
        silence()
        return f"{type(fault).__name__}: {fault}" if str(fault) else type(fault).__name__
