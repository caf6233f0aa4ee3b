"""The crew of a sweep on this machine: its cells are made by processes."""

from collections.abc import Sequence
from pathlib import Path

from t2iflow.nodes.core.run_files import SAVE_EVERY
from t2iflow.runner.child.child import Child, Slot
from t2iflow.runner.child.pool import Hear, Pool, Reply
from t2iflow.runner.exits import HUNG_UP
from t2iflow.runner.sweep import worker
from t2iflow.runner.sweep.work import DIED, Made


class Processes:
    """Makes the cells of a sweep in processes of its own."""

    def __init__(self, folder: Path, slots: Sequence[Slot], save_every: float = SAVE_EVERY) -> None:
        def start(slot: Slot, hear: Hear) -> Child:
            return Child(worker.__name__, [str(folder), slot.device, str(save_every)], slot.environment, hear)

        self._pool = Pool(slots, start, lambda made: made["code"] >= HUNG_UP)

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End all processes: idle ones now, others with a checkpoint, or all at once after a second Ctrl-C."""
        self._pool.close(at_once=kind is not None and issubclass(kind, KeyboardInterrupt))

    @property
    def room(self) -> int:
        """How many more cells can be taken on now."""
        return self._pool.room

    def take(self, cell: str) -> None:
        """Begin a cell."""
        self._pool.take(cell, cell)

    def wait(self, seconds: float) -> list[Made]:
        """What came of cells meanwhile; at once if there is something, else after some seconds at most."""
        return [_made(reply) for reply in self._pool.wait(seconds)]

    def stop(self) -> None:
        """Let all runs stop with a checkpoint."""
        self._pool.stop()


def _made(reply: Reply) -> Made:
    return Made(reply.work, DIED, reply.ended) if reply.ended else Made(**reply.said)
