"""A pool: a process in each slot of this machine, started anew when it dies."""

import contextlib
import json
import queue
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from t2iflow.runner.child.child import Child, Slot

Hear: TypeAlias = Callable[[Child, str], None]


@dataclass(frozen=True)
class Reply:
    """What came of a piece of work: what its process says, or, where that is gone, how it `ended`."""

    work: str
    said: Any = None
    ended: str = ""


class Pool:
    """Has work done in processes of its own, which `start` starts; one whose reply shows by `is_last` that it ends is
    given no more."""

    def __init__(
        self, slots: Sequence[Slot], start: Callable[[Slot, Hear], Child], is_last: Callable[[Any], bool]
    ) -> None:
        self._slots, self._start, self._is_last = list(slots), start, is_last
        self._places: dict[Child, Slot] = {}
        self._idle: list[Child] = []
        self._busy: dict[Child, str] = {}
        self._replies: queue.Queue[tuple[Child, str]] = queue.Queue()

    def close(self, at_once: bool = False) -> None:
        """End all processes: idle ones now, others when they have stopped, or all `at_once`."""
        children = list(self._places)  # even those that have said their last
        for child in children:
            child.dismiss()
            if at_once:
                child.kill()
        for child in children:
            child.end()

    @property
    def room(self) -> int:
        """How many more pieces of work can be taken on now."""
        return len(self._idle) + len(self._slots)

    def take(self, work: str, order: str) -> None:
        """Begin a piece of work by giving the order, a line."""
        if not self._idle:
            slot = self._slots.pop(0)
            child = self._start(slot, lambda child, line: self._replies.put((child, line)))
            self._places[child] = slot
            self._idle.append(child)
        child = self._idle.pop()
        self._busy[child] = work
        child.order(order)

    def wait(self, seconds: float) -> list[Reply]:
        """What came of work meanwhile; at once if there is something, else after some seconds at most."""
        replies: list[Reply] = []
        with contextlib.suppress(queue.Empty):
            replies += self._heard(*self._replies.get(timeout=seconds))
            while True:
                replies += self._heard(*self._replies.get_nowait())
        return replies

    def stop(self) -> None:
        """Let all work stop."""
        for child in list(self._busy):
            child.stop()

    def tell(self, work: str, line: str) -> None:
        """Give the process that is at a piece of work another line."""
        for child, one in list(self._busy.items()):
            if work == one:
                child.order(line)

    def rest(self) -> None:
        """Let those end that have nothing to do, with all that they have loaded."""
        for child in self._idle:
            child.dismiss()

    def _heard(self, child: Child, line: str) -> list[Reply]:
        work = self._busy.pop(child, None)
        if line:
            said = json.loads(line)
            if not self._is_last(said):
                self._idle.append(child)
            return [Reply(work or "", said)]
        self._slots.append(self._places.pop(child))
        if child in self._idle:
            self._idle.remove(child)
        how = child.end()
        return [Reply(work, ended=how)] if work else []
