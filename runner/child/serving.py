"""The process itself: orders come in by lines, and what came of each goes out likewise.

It ends when no more orders can come, as when the program that started it is gone, and when an order says so.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from t2iflow.runner.signals import end_this

PATIENCE = 60.0
"""Seconds that an order has to stop, as with its checkpoint, once the other program is gone."""


def serve(act: Callable[[str], tuple[Any, bool]], at_once: Callable[[str], bool] = lambda line: False) -> None:
    """Carry out orders, in the main thread, which alone hears signals. `act` gives the reply, to be sent as JSON, and
    whether to go on; lines that `at_once` takes, which gives whether it did, don't wait for that."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what nodes print is no reply
    orders = _Orders(at_once)
    threading.Thread(target=orders.listen, daemon=True).start()
    while order := orders.next():
        reply, goes_on = act(order)
        orders.busy = False
        replies.write(json.dumps(reply) + "\n")
        replies.flush()
        if not goes_on:
            return


class _Orders:
    """What there is to do."""

    def __init__(self, at_once: Callable[[str], bool]) -> None:
        self._at_once = at_once
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self.busy = self._is_over = False

    def next(self) -> str | None:
        """The next order, as soon as there is one; None where none can come any more."""
        line = self._lines.get()
        self.busy = bool(line)
        return None if self._is_over else line

    def listen(self) -> None:
        """Take in orders; when none can come any more, let the one that is carried out stop."""
        for line in sys.stdin:
            if not self._at_once(line):
                self._lines.put(line.strip())
        self._is_over = True
        self._lines.put(None)
        if self.busy:
            end_this()
            time.sleep(PATIENCE)
            os._exit(1)
