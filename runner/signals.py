"""Signals that end a run: the first lets it write a checkpoint, unless it only waits for weights; the second stops it
at once."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from t2iflow.nodes.weights.connection import waits

ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def end_this() -> None:
    """Let this process hear SIGTERM, from any thread. Sent as from outside, it would wake a thread that waits; but on
    Windows, where that one can't be heard, it would end the process at once."""
    if os.name == "nt":
        signal.raise_signal(signal.SIGTERM)
    else:
        os.kill(os.getpid(), signal.SIGTERM)


class Stop:
    """Lets a run be asked to stop: `signal` is the number of the one that did, or 0. Any thread may ask."""

    signal = 0
    _pausing = False

    def asked(self) -> bool:
        """Whether the run is to end."""
        return self.signal > 0

    def ask(self) -> None:
        """Let the run write a checkpoint and end, as Ctrl-C does."""
        self._pausing, self.signal = False, self.signal or signal.SIGINT

    def pause(self) -> None:
        """Let the run stop as if asked to, for `over` to let it go on, unless it is asked to stop meanwhile."""
        if not self.signal:
            self._pausing, self.signal = True, signal.SIGINT

    def over(self) -> bool:
        """Whether it goes on after a pause."""
        if self._pausing:
            self._pausing, self.signal = False, 0
            return True
        return False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Within it, signals are heard here, if this is the main thread, which alone hears any; KeyboardInterrupt at
        the second, or while weights are fetched."""
        before = {number: signal.signal(number, self._hear) for number in _heard()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        before, self.signal = self.signal, self.signal or number
        if before or waits():
            raise KeyboardInterrupt


def _heard() -> Iterator[int]:
    """The signals to hear: none that is ignored, as `nohup` has it, but Ctrl-C; and none that another program's C code
    handles, which could not be given back to it."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in ENDING:
        handler = signal.getsignal(number)
        if handler is not None and (handler is not signal.SIG_IGN or number == signal.SIGINT):
            yield number
