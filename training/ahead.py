"""Batches that other processes make before they are asked for: a GPU is done with one sooner than a CPU makes one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch.utils.data import DataLoader, Dataset

from training.pictures import Batch

WORKERS = 6
"""Processes."""
FORESEEN = 2**30
"""Steps that no training comes to."""


@dataclass(frozen=True)
class _Steps(Dataset[Batch]):
    pictures: Callable[[int], Batch]

    def __getitem__(self, step: int) -> Batch:
        return self.pictures(step)


class Ahead:
    """The batches of steps that follow on each other, from whichever comes first; others are as they would be."""

    def __init__(self, pictures: Callable[[int], Batch], workers: int = WORKERS) -> None:
        self._pictures, self._workers = pictures, workers
        self._batches: Iterator[Batch] | None = None
        self._next = 0

    def __call__(self, step: int) -> Batch:
        """The batch of a step."""
        if self._batches is None:
            steps = range(step, FORESEEN)
            self._batches = iter(
                DataLoader(_Steps(self._pictures), batch_size=None, sampler=steps, num_workers=self._workers)
            )
            self._next = step
        if step != self._next:
            return self._pictures(step)
        self._next += 1
        return next(self._batches)
