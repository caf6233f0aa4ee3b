"""The losses of a run, each term by its name: gathered as the run goes on, in its table."""

import contextlib
import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from t2iflow.nodes.core.whole import write
from t2iflow.runner.events import Fitting, Stepped
from t2iflow.runner.report import table
from t2iflow.runner.report.table import Curves, Row, curves_of, rows_of

ROWS = 10_000
"""How many steps of an optimiser are written down at most."""
MANY, SHARE = 100, 0.003
"""How many steps show how long writing them down takes, and how much of their time it may take: of quicker steps only
every n-th is written."""


@dataclass(frozen=True)
class _Unread:
    """A row whose numbers are still on the device."""

    optimizer: str
    step: int
    loss: Tensor
    terms: Mapping[str, Tensor]


class Losses:
    """Gathers losses without waiting for the device; `keep` reads them and appends them to the file.

    The file holds only whole lines, and no step twice: a resumed run drops the steps that it repeats.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[Row] = []
        self._unread: list[_Unread] = []
        self._written = -1  # lines that are on the disk; less than none, and the file is written anew
        self._columns: dict[str, None] = {}
        self._every = 1
        self._kept = 0.0

    def remember(self) -> None:
        """Take the rows that were written before the run was stopped."""
        self._rows = rows_of(self._path)

    def begin(self, event: Fitting) -> None:
        """An optimiser begins; what was written of its later steps is void."""
        self._every, self._kept = -(-event.steps // ROWS), event.at
        kept = [row for row in self._rows if row.optimizer != event.node or row.step < event.first]
        if len(kept) < len(self._rows):
            self._rows, self._written = kept, -1

    def add(self, event: Stepped) -> None:
        """Take a step down, if it is one of those that are."""
        if event.step % self._every == 0 or event.step + 1 == event.steps:
            self._unread.append(_Unread(event.node, event.step, event.loss, event.terms))

    def keep(self) -> None:
        """Read what was gathered and bring it to the disk; OSError if that takes no more, and then it waits here."""
        began = time.monotonic()
        self.read()
        fresh, written = self._rows[max(self._written, 0) :], self._written
        if not fresh:
            return
        self._written = -1
        if written < 0 or any(term not in self._columns for row in fresh for term in row.terms):
            self._write_anew()
        else:
            self._append(fresh)
        self._written = len(self._rows)
        ended = time.monotonic()
        if len(fresh) >= MANY:
            self._every = math.ceil(self._every * max(1.0, (ended - began) / SHARE / max(began - self._kept, 0.001)))
        self._kept = ended

    def read(self) -> None:
        """Read what was gathered from the device."""
        unread, self._unread = self._unread, []
        with contextlib.suppress(RuntimeError):  # a device that failed gives nothing back
            self._rows += _read(unread)

    def curves(self) -> dict[str, Curves]:
        """The points to draw, by optimiser."""
        return curves_of(self._rows)

    def of(self, optimizer: str) -> list[Row]:
        """The rows of an optimiser."""
        return [row for row in self._rows if row.optimizer == optimizer]

    def put(self, optimizer: str, rows: Iterable[Row]) -> None:
        """Have these rows of an optimiser, and no others."""
        self._rows = [*(row for row in self._rows if row.optimizer != optimizer), *rows]
        self._written = -1

    def _write_anew(self) -> None:
        columns = dict.fromkeys(term for row in self._rows for term in row.terms)
        head = [*table.FIXED, *map(table.column, columns)]
        write(self._path, table.lines([head, *(table.cells(row, columns) for row in self._rows)]))
        self._columns = columns

    def _append(self, rows: Iterable[Row]) -> None:
        """Add lines, or none of them: a full disk takes a part of what it is given."""
        if self._path.is_symlink():
            return self._write_anew()
        with self._path.open("r+", encoding="utf-8", newline="") as file:
            end = file.seek(0, os.SEEK_END)
            try:
                file.write(table.lines(table.cells(row, self._columns) for row in rows))
                file.flush()
            except OSError:
                os.truncate(self._path, end)
                raise


def _read(rows: list[_Unread]) -> Iterator[Row]:
    """The rows as numbers, read from the device at once."""
    found = [value for row in rows for value in (row.loss, *row.terms.values())]
    numbers = iter(torch.stack([value.detach().float() for value in found]).tolist() if found else ())
    for row in rows:
        yield Row(row.optimizer, row.step, next(numbers), {name: next(numbers) for name in row.terms})
