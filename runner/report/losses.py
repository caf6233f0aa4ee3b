"""The losses of a run, each term by its name: in a CSV that grows as the run goes on, and thinned for a chart."""

import contextlib
import csv
import io
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

NAME = "losses.csv"
ROWS, POINTS = 10_000, 200
"""How many steps of an optimiser are written down at most, and how many are drawn, about."""
MANY, SHARE = 100, 0.003
"""How many steps show how long writing them down takes, and how much of their time it may take: of quicker steps only
every n-th is written."""
MOST = 10**12
"""No step is as late."""
OPTIMIZER, STEP, TOTAL = FIXED = ("optimizer", "step", "loss")

Points = Mapping[int, float]
Curves = Mapping[str, Points]
"""The points of an optimiser's curves: of the total, by the name `loss`, and of each term."""


@dataclass(frozen=True)
class Row:
    """What a step of an optimiser found; `terms` add up to the loss."""

    optimizer: str
    step: int
    loss: float
    terms: Mapping[str, float]


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
        found: dict[str, list[Row]] = {}
        for row in self._rows:
            found.setdefault(row.optimizer, []).append(row)
        return {optimizer: _thinned(rows) for optimizer, rows in found.items()}

    def of(self, optimizer: str) -> list[Row]:
        """The rows of an optimiser."""
        return [row for row in self._rows if row.optimizer == optimizer]

    def put(self, optimizer: str, rows: Iterable[Row]) -> None:
        """Have these rows of an optimiser, and no others."""
        self._rows = [*(row for row in self._rows if row.optimizer != optimizer), *rows]
        self._written = -1

    def _write_anew(self) -> None:
        columns = dict.fromkeys(term for row in self._rows for term in row.terms)
        lines = _lines([[*FIXED, *map(_column, columns)], *(_cells(row, columns) for row in self._rows)])
        write(self._path, lines)
        self._columns = columns

    def _append(self, rows: Iterable[Row]) -> None:
        """Add lines, or none of them: a full disk takes a part of what it is given."""
        if self._path.is_symlink():
            return self._write_anew()
        with self._path.open("r+", encoding="utf-8", newline="") as file:
            end = file.seek(0, os.SEEK_END)
            try:
                file.write(_lines(_cells(row, self._columns) for row in rows))
                file.flush()
            except OSError:
                os.truncate(self._path, end)
                raise


def rows_of(path: Path) -> list[Row]:
    """The rows of a file; none where it can't be read."""
    with contextlib.suppress(OSError, csv.Error):
        if path.is_file():  # and nothing that can be read without end
            return list(_parsed(path.read_text("utf-8", errors="replace")))
    return []


def _read(rows: list[_Unread]) -> Iterator[Row]:
    """The rows as numbers, read from the device at once."""
    found = [value for row in rows for value in (row.loss, *row.terms.values())]
    numbers = iter(torch.stack([value.detach().float() for value in found]).tolist() if found else ())
    for row in rows:
        yield Row(row.optimizer, row.step, next(numbers), {name: next(numbers) for name in row.terms})


def _lines(rows: Iterable[Iterable[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _cells(row: Row, columns: Iterable[str]) -> list[str]:
    terms = (f"{row.terms[name]:.6g}" if name in row.terms else "" for name in columns)
    return [row.optimizer, str(row.step), f"{row.loss:.6g}", *terms]


def _column(term: str) -> str:
    """What a term's column is called; a node may be called like one of the fixed columns."""
    return f"{term} (term)" if term in FIXED else term


def _parsed(text: str) -> Iterator[Row]:
    """The rows of a file; what is no whole row, as a kill or somebody's edit leaves it, is left out."""
    lines = [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
    table = csv.DictReader(lines)
    fields = [field for field in table.fieldnames or () if field not in FIXED]
    for cells in table:
        with contextlib.suppress(TypeError, ValueError, KeyError):
            terms = {name.removesuffix(" (term)"): float(cells[name]) for name in fields if cells[name]}
            if 0 <= (step := int(cells[STEP])) < MOST:
                yield Row(cells[OPTIMIZER], step, float(cells[TOTAL]), terms)


def _thinned(rows: list[Row]) -> Curves:
    every = math.ceil(len(rows) / POINTS)
    shown = [*rows[::every], *(rows[-1:] if (len(rows) - 1) % every else ())]
    names = dict.fromkeys(name for row in shown for name in row.terms)
    total = {row.step: row.loss for row in shown}
    terms = {name: {row.step: row.terms[name] for row in shown if name in row.terms} for name in names}
    return {
        TOTAL: total,
        **({} if list(terms.values()) == [total] else {_column(name): at for name, at in terms.items()}),
    }
