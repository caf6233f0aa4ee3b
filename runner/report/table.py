"""The table of a run's losses, a CSV, and the curves that are drawn of it: each term by its name. Without torch."""

import contextlib
import csv
import io
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

POINTS = 200
"""How many steps of an optimiser are drawn, about."""
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


def rows_of(path: Path) -> list[Row]:
    """The rows of a file; none where it can't be read."""
    with contextlib.suppress(OSError, csv.Error):
        if os.path.isfile(path):  # and nothing that can be read without end
            return list(_parsed(path.read_text("utf-8", errors="replace")))
    return []


def curves_of(rows: Iterable[Row]) -> dict[str, Curves]:
    """The points to draw, by optimiser."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.optimizer, []).append(row)
    return {optimizer: _thinned(rows) for optimizer, rows in found.items()}


def lines(rows: Iterable[Iterable[str]]) -> str:
    """Cells as lines of the file."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def cells(row: Row, columns: Iterable[str]) -> list[str]:
    """A row as the file has it, its terms in the order of the columns."""
    terms = (f"{row.terms[name]:.6g}" if name in row.terms else "" for name in columns)
    return [row.optimizer, str(row.step), f"{row.loss:.6g}", *terms]


def column(term: str) -> str:
    """What a term's column is called; a node may be called like one of the fixed columns."""
    return f"{term} (term)" if term in FIXED else term


def _parsed(text: str) -> Iterator[Row]:
    """The rows of a file; what is no whole row, as a kill or somebody's edit leaves it, is left out."""
    whole = [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
    table = csv.DictReader(whole)
    fields = [field for field in table.fieldnames or () if field not in FIXED]
    for found in table:
        with contextlib.suppress(TypeError, ValueError, KeyError):
            terms = {name.removesuffix(" (term)"): float(found[name]) for name in fields if found[name]}
            if 0 <= (step := int(found[STEP])) < MOST:
                yield Row(found[OPTIMIZER], step, float(found[TOTAL]), terms)


def _thinned(rows: list[Row]) -> Curves:
    every = math.ceil(len(rows) / POINTS)
    shown = [*rows[::every], *(rows[-1:] if (len(rows) - 1) % every else ())]
    names = dict.fromkeys(name for row in shown for name in row.terms)
    total = {row.step: row.loss for row in shown}
    terms = {name: {row.step: row.terms[name] for row in shown if name in row.terms} for name in names}
    return {
        TOTAL: total,
        **({} if list(terms.values()) == [total] else {column(name): at for name, at in terms.items()}),
    }
