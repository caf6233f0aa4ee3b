"""Signals that end a run: the first lets it write a checkpoint, the second stops it at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Stop:
    """Whether a run was asked to stop: `signal` is the number of the one that did, or 0."""

    signal = 0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Within it, signals are heard here; KeyboardInterrupt at the second."""
        before = {}
        for number in ENDING:
            with suppress(ValueError):  # not the main thread, which alone hears signals
                if signal.getsignal(number) is signal.SIG_IGN and number != signal.SIGINT:
                    continue  # `nohup` says so
                before[number] = signal.signal(number, self._ask)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.signal:
            raise KeyboardInterrupt
        self.signal = number
