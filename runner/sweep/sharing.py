"""The work of optimisers that cells of a sweep share: which it is, and in which order they are made so that they seldom
wait for each other."""

import shutil
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from t2iflow.runner.shared_work import SharedWork
from t2iflow.runner.sweep.cell import Cell

FOLDER = ".stages"
"""Where the work that is done lies in a sweep's folder."""


def shared(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """The cells with only the work that another cell has too."""
    counts = Counter(one for cell in cells for one in _work_of(cell))
    return tuple(
        replace(cell, stages={one.optimizer: one.digest for one in _work_of(cell) if counts[one] > 1}) for cell in cells
    )


def spread(cells: Sequence[Cell]) -> list[Cell]:
    """The cells in an order in which those that do other work come before those that take it over from them."""
    seen: Counter[_Work] = Counter()
    turns: dict[str, int] = {}
    for cell in cells:
        turns[cell.name] = max((seen[one] for one in _work_of(cell)), default=0)
        seen.update(_work_of(cell))
    return sorted(cells, key=lambda cell: turns[cell.name])


def work(cell: Cell, optimizers: Iterable[str]) -> Iterator[tuple[str, Hashable]]:
    """The work of a cell, that of these optimisers and all else that is shared, by name, each with what distinguishes
    it from that of others: the cell itself, if it isn't shared."""
    shared = {one.optimizer: one for one in _work_of(cell)}
    yield from ((name, shared.get(name, cell.name)) for name in dict.fromkeys([*optimizers, *shared]))


def shared_work(sweep: Path, cell: Cell) -> SharedWork | None:
    """What a cell shares, in the folder of its sweep."""
    return SharedWork(sweep / FOLDER, cell.stages) if cell.stages else None


class _Work(NamedTuple):
    """What distinguishes the work of an optimiser."""

    optimizer: str
    digest: str
    seed: int


def _work_of(cell: Cell) -> list[_Work]:
    return [_Work(optimizer, digest, cell.set["seed"]) for optimizer, digest in cell.stages.items()]


def tidy(sweep: Path) -> None:
    """Drop what was kept for others, when all cells have finished."""
    shutil.rmtree(sweep / FOLDER, ignore_errors=True)
