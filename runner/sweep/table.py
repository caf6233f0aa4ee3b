"""How the cells of a sweep lie in a table: what is shown across, what down, and the words at its edges."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from t2iflow.runner.lettering import lettering, without_symbols
from t2iflow.runner.sweep.cell import Cell, said
from t2iflow.runner.sweep.folder import Axis, SweepFolder

SIZE = 12
"""Pixels of a letter with which is tried whether a font has it."""
NOTHING: Mapping[str, int] = {}


@dataclass(frozen=True)
class Table:
    """Rows of cells, with the words at the head of each column and before each row. With a single axis there are none
    of either, and only the last row may be shorter. `labels`, by the names of cells, stand below them: what no head
    says, as of wildcards what was drawn. `ranked` says whether the best come first."""

    columns: Sequence[str]
    rows: Sequence[str]
    cells: Sequence[Sequence[Cell]]
    labels: dict[str, str]
    ranked: bool = False

    def number(self, text: str) -> str:
        """What stands for a text where no font has its letters; wherever these are, it stands before them."""
        for what, texts in (("column", self.columns), ("row", self.rows), ("no.", self._in_order)):
            if text in texts:
                return f"{what} {list(texts).index(text) + 1}"
        return ""

    def drawn(self, text: str) -> str:
        """A text as a picture can show it: without signs that no font here has, or else its number."""
        return _drawable(text) or (self.number(text) if text else "")

    def written(self, text: str) -> str:
        """A text as a page shows it: after the number by which a picture names it."""
        number = "" if not text or _drawable(text) else self.number(text)
        return f"{number}: {text}" if number else text

    @property
    def _in_order(self) -> list[str]:
        return [self.labels.get(cell.name, "") for row in self.cells for cell in row]


@cache
def _drawable(text: str) -> str:
    """A text, or what is left of it without symbols, where a font here has its letters; nothing where none has."""
    return next((one for one in (text, without_symbols(text)) if one and lettering(one, SIZE)), "")


def table(sweep: SweepFolder, ranks: Mapping[str, int] = NOTHING) -> Table:
    """The table of a sweep: across what it says, or its last axis; down all others. Where seeds alone vary, which have
    no order of their own, the best cell by its rank comes first."""
    if len([axis for axis in sweep.axes if len(axis.rows) > 1]) < 2 and not (sweep.across or sweep.down):
        alone = [name for axis in sweep.axes for name in axis.names] == ["seed"]
        last = len(sweep.cells)
        best = bool(alone and ranks)
        return _flowing(sweep, sorted(sweep.cells, key=lambda cell: ranks.get(cell.name, last) if best else 0), best)
    across = _across(sweep)
    others = [number for number in range(len(sweep.axes)) if number != across]
    order = [*others, across]
    sizes = [len(axis.rows) for axis in sweep.axes]
    cells = []
    for places in itertools.product(*(range(sizes[number]) for number in order)):
        place = dict(zip(order, places, strict=True))
        cells.append(sweep.cells[_index([place[number] for number in range(len(sizes))], sizes)])
    width = sizes[across]
    downs = itertools.product(*(_words(sweep.axes[number]) for number in others))
    return Table(
        _words(sweep.axes[across]),
        [", ".join(filter(None, words)) for words in downs],
        [cells[start : start + width] for start in range(0, len(cells), width)],
        {cell.name: words for cell in cells if (words := _drawn(sweep, cell))},
    )


def label(sweep: SweepFolder, cell: Cell) -> str:
    """What tells a cell from the others, in words: what was drawn for it, and what varies."""
    varied = [name for axis in sweep.axes if len(axis.rows) > 1 for name in axis.names]
    names = dict.fromkeys([*sweep.drawn, *varied])
    return ", ".join(_named(name, cell.set[name]) for name in names if name in cell.set)


def _drawn(sweep: SweepFolder, cell: Cell) -> str:
    """What was drawn for a cell, where it has wildcards."""
    return ", ".join(said(cell.set[name]) for name in sweep.drawn if name in cell.set)


def _flowing(sweep: SweepFolder, cells: Sequence[Cell], ranked: bool) -> Table:
    high = math.ceil(len(cells) / math.ceil(math.sqrt(len(cells) * 1.5)))
    width = math.ceil(len(cells) / high)
    rows = [cells[start : start + width] for start in range(0, len(cells), width)]
    return Table((), (), rows, {cell.name: label(sweep, cell) for cell in sweep.cells}, ranked)


def _across(sweep: SweepFolder) -> int:
    """The number of the axis that is shown across."""
    numbers = range(len(sweep.axes))
    found = [number for number in numbers if sweep.across in sweep.axes[number].names]
    free = [number for number in numbers if not sweep.down or sweep.down not in sweep.axes[number].names]
    wide = [number for number in free if len(sweep.axes[number].rows) > 1]
    order: list[int] = [*found, *reversed(wide), *reversed(free), *numbers]
    return order[0]


def _index(places: Sequence[int], sizes: Sequence[int]) -> int:
    """The number of the cell at these places of the axes, the last of which varies quickest."""
    number = 0
    for place, size in zip(places, sizes, strict=True):
        number = number * size + place
    return number


def _words(axis: Axis) -> list[str]:
    """What stands for each row of an axis; nothing where there is but one."""
    if len(axis.rows) == 1:
        return [""]
    return [", ".join(_named(name, value) for name, value in zip(axis.names, row, strict=True)) for row in axis.rows]


def _named(name: str, value: Any) -> str:
    """A text stands for itself, and a number after its name."""
    return said(value) if isinstance(value, str) and not value.isdecimal() else f"{name} {said(value)}"
