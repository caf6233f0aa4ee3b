"""The desk: asks the clerk, one question after another, and lets it go when nobody has asked for a while."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any

from t2iflow.runner.child.child import Child
from t2iflow.runner.studio.refused import Refused

CLERK = "t2iflow.runner.studio.clerk.clerk"
PATIENCE = 120.0
"""Seconds that an answer may take."""
REST_AFTER = 120.0
"""Seconds after the last question for which the clerk keeps what it has loaded."""


class Desk:
    """Whoever asks waits for the answer."""

    def __init__(self) -> None:
        self._child: Child | None = None
        self._replies: SimpleQueue[str] = SimpleQueue()
        self._lock = threading.Lock()
        self._asked = 0.0

    def ask(self, question: str, **given: Any) -> Any:
        """The answer; Refused where there is none."""
        with self._lock:
            said = self._reply({"question": question, "given": given})
            self._asked = time.monotonic()
        if "answer" in said:
            return said["answer"]
        raise Refused(said["status"], said["error"], said["problems"])

    def open(self) -> None:
        """Let the clerk come, before the first question; who is at work is there."""
        with self._if_free() as free:
            if free:
                self._clerk()
                self._asked = time.monotonic()

    def rest(self) -> None:
        """Let the clerk go, if nobody has asked for a while."""
        with self._if_free() as free:
            if free and time.monotonic() - self._asked > REST_AFTER:
                self._dismiss()

    @contextmanager
    def _if_free(self) -> Iterator[bool]:
        """Whether nobody waits for an answer, which doesn't change within."""
        free = self._lock.acquire(blocking=False)
        try:
            yield free
        finally:
            if free:
                self._lock.release()

    def close(self) -> None:
        """Let the clerk go at once."""
        child = self._child
        if child:
            child.kill()
            child.end()

    def _clerk(self) -> Child:
        if self._child is None:
            replies = self._replies = SimpleQueue()
            self._child = Child(CLERK, [], {}, lambda child, line: replies.put(line))
        return self._child

    def _reply(self, order: dict[str, Any]) -> dict[str, Any]:
        """What the clerk says, who is new if the last one died."""
        for _ in range(2):
            child = self._clerk()
            child.order(json.dumps(order))
            try:
                line = self._replies.get(timeout=PATIENCE)
            except Empty:
                self._dismiss(at_once=True)
                raise Refused(503, f"no answer within {PATIENCE:.0f} seconds: the recipe may be too large") from None
            if line:
                said: dict[str, Any] = json.loads(line)
                return said
            how = self._dismiss()
        raise Refused(500, f"the process that reads recipes can't work: {how}")

    def _dismiss(self, at_once: bool = False) -> str:
        child, self._child = self._child, None
        if child is None:
            return ""
        if at_once:
            child.kill()
        return child.end()
