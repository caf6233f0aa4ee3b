"""Saving: when a run's memory is gathered into a checkpoint, and from where."""

import time
from collections.abc import Callable, Iterable, Mapping

from torch import Tensor

from t2iflow.nodes.core.hooks import Remembers, Trainable
from t2iflow.runner.execution.checkpoint import Checkpoint
from t2iflow.runner.execution.circuit import Circuit

REST = 3.0
"""Seconds between the checkpoints after frames, on a GPU."""


class Saver:
    """Saves what a circuit's nodes remember, and the pictures that are finished."""

    def __init__(self, circuit: Circuit, save: Callable[[Checkpoint], None], every: float) -> None:
        """A checkpoint is due after `every` seconds."""
        self.results: dict[str, Tensor] = {}
        self._circuit, self._save, self._every = circuit, save, every
        self.begin("")

    def begin(self, optimizer: str) -> None:
        """An optimiser begins, and with it the wait for the next checkpoint."""
        self._optimizer, self._last = optimizer, time.monotonic()

    @property
    def rested(self) -> bool:
        """Whether the last checkpoint is old enough for one after a frame: on a GPU frames may follow each other faster
        than they can be saved."""
        return time.monotonic() - self._last >= (REST if self._circuit.around.device.type == "cuda" else 0.0)

    @property
    def due(self) -> bool:
        """Whether the last checkpoint is so old that it is time for another."""
        return time.monotonic() - self._last > self._every

    def save(self, turn: int, step: int, passes: int) -> None:
        """Save the run as it stands, so that it continues from here."""
        self._save(self._state(self._circuit.links, turn, step, passes, self.results))
        self._last = time.monotonic()

    def final_state(self, names: Iterable[str], results: Mapping[str, Tensor]) -> Checkpoint:
        """What an optimiser's nodes leave at its end."""
        return self._state(names, 0, 0, 1, results)

    def _state(
        self, names: Iterable[str], turn: int, step: int, passes: int, results: Mapping[str, Tensor]
    ) -> Checkpoint:
        links = {name: self._circuit.links[name] for name in names}
        live = {name: link.live for name, link in links.items() if link.node.spec.is_class}
        trained = {name: one.trainable() for name, one in live.items() if isinstance(one, Trainable)}
        memories = {name: one.state_dict() for name, one in live.items() if isinstance(one, Remembers)}
        return Checkpoint(self._optimizer, turn, step, passes, trained, memories, dict(results))
