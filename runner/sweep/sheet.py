"""All pictures of a sweep on one sheet, labelled: `sheet.png`."""

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import PIL.Image
from PIL.ImageDraw import Draw, ImageDraw

from t2iflow.nodes.core.texts import printable
from t2iflow.nodes.core.whole import share
from t2iflow.runner.folder.places import SHEET
from t2iflow.runner.lettering import Font, cut, lettering, plain
from t2iflow.runner.sweep.events import State
from t2iflow.runner.sweep.table import Table

NARROWEST, WIDEST, LARGEST, SMALLEST = 240, 4096, 256, 48
"""Pixels: of a sheet's width, about, and of the side of a picture in it."""
GAP, MARGIN, HEAD = 6, 16, 150
"""Pixels: between pictures, around all, and for the words before a row."""
LINES = 3
"""Lines of a label, at most; a longer one is cut."""
PAPER, INK, SOFT, BEST = "#ffffff", "#1d1d1f", "#8a8a90", "#d97a2b"
FRAME = 3
"""Pixels of the frame around the best."""


@dataclass(frozen=True)
class Heading:
    """What stands above all: what was asked for, and the perceptor that ranked, if any."""

    title: str
    judge: str = ""


def write_sheet(
    folder: Path,
    table: Table,
    small: Mapping[str, Path],
    states: Mapping[str, State],
    heading: Heading,
    ranks: Mapping[str, int],
) -> Path:
    """Write the sheet: `small` are the pictures by their cells; what has none shows its state. The best is framed."""
    data = io.BytesIO()
    _Sheet(table, small, states, heading, ranks).drawn().save(data, "PNG")
    share(folder / SHEET, data.getvalue())
    return folder / SHEET


class _Sheet:
    def __init__(
        self,
        table: Table,
        small: Mapping[str, Path],
        states: Mapping[str, State],
        heading: Heading,
        ranks: Mapping[str, int],
    ) -> None:
        self._table, self._small, self._states, self._ranks = table, small, states, ranks
        across = max(len(row) for row in table.cells)
        self._side = max(SMALLEST, min(LARGEST, WIDEST // across - GAP))
        self._place = self._room()
        self._letters = max(9, min(14, self._place[0] // 8))
        self._left = MARGIN + (HEAD if any(table.rows) else 0)
        wide, high = self._place
        width = max(NARROWEST, self._left + across * (wide + GAP) - GAP + MARGIN)
        self._heading = list(self._headed(heading, width - 2 * MARGIN))
        self._head = sum(self._line(font) for _, font, _ in self._heading) + (GAP if self._heading else 0)
        self._top = MARGIN + self._head + self._high(table.columns)
        self._labels = {cell: self._label(cell, words) for cell, words in table.labels.items()}
        self._below = self._high(list(self._labels.values()))
        size = (
            width,
            self._top + len(table.cells) * (high + self._below + GAP) - GAP + MARGIN,
        )
        self._sheet = PIL.Image.new("RGB", size, PAPER)
        self._draw: ImageDraw = Draw(self._sheet)

    def _room(self) -> tuple[int, int]:
        """The place of each picture: as large as the largest of them."""
        sizes = []
        for path in self._small.values():
            with contextlib.suppress(OSError), PIL.Image.open(path) as picture:
                sizes.append(_fitting(picture.size, self._side))
        return max((wide for wide, _ in sizes), default=self._side), max(
            (high for _, high in sizes), default=self._side
        )

    def _headed(self, heading: Heading, width: int) -> Iterator[tuple[str, Font, str]]:
        """The lines above all, with their fonts and colours."""
        said, font = self._lettered(heading.title)
        yield from ((line, font, INK) for line in wrapped(said, width, font))
        if heading.judge and self._ranks:
            words = "the best first" if self._table.ranked else "the best is framed"
            yield f"{words}, ranked by {heading.judge}", plain(self._letters), SOFT

    def _label(self, cell: str, words: str) -> str:
        """What stands below a cell: its place among all, where these are in that order."""
        said = self._table.drawn(words) if words else ""
        return f"{self._ranks[cell]}. {said}" if self._table.ranked and cell in self._ranks else said

    def _lettered(self, text: str) -> tuple[str, Font]:
        """A text as it can be drawn, and the font for it."""
        said = printable(self._table.drawn(text) if text else "")
        return said, lettering(said, self._letters) or plain(self._letters)

    def _line(self, font: Font) -> int:
        """Pixels from line to line."""
        return round(font.getbbox("Ag")[3] * 1.3)

    def _high(self, texts: Sequence[str]) -> int:
        """Pixels that the highest of the texts takes at a picture's edge."""
        lettered = map(self._lettered, texts)
        return max(
            (len(wrapped(said, self._place[0], font)) * self._line(font) + GAP for said, font in lettered if said),
            default=0,
        )

    def drawn(self) -> PIL.Image.Image:
        """The sheet with everything on it."""
        wide, high = self._place
        top = MARGIN
        for line, font, ink in self._heading:
            self._draw.text((MARGIN, top), line, ink, font)
            top += self._line(font)
        for number, head in enumerate(self._table.columns):
            at = (self._left + number * (wide + GAP) + wide // 2, self._top - GAP)
            self._say(head, at, wide, "md")
        for number, row in enumerate(self._table.cells):
            top = self._top + number * (high + self._below + GAP)
            if self._table.rows:
                self._say(self._table.rows[number], (self._left - 2 * GAP, top + high // 2), HEAD - 2 * GAP, "rm")
            for place, cell in enumerate(row):
                left = self._left + place * (wide + GAP)
                self._show(cell.name, left, top)
                if label := self._labels.get(cell.name):
                    self._say(label, (left + wide // 2, top + high + 2), wide, "ma")
        return self._sheet

    def _show(self, cell: str, left: int, top: int) -> None:
        wide, high = self._place
        try:
            with PIL.Image.open(self._small[cell]) as found:
                picture = found.convert("RGB")
        except (OSError, KeyError):
            self._draw.rectangle((left, top, left + wide - 1, top + high - 1), outline=SOFT)
            self._say(self._states[cell], (left + wide // 2, top + high // 2), wide, "mm", SOFT)
            return
        size = _fitting(picture.size, self._side)
        kind = PIL.Image.Resampling.NEAREST if size[0] > picture.width else PIL.Image.Resampling.LANCZOS
        at = (left + (wide - size[0]) // 2, top + (high - size[1]) // 2)
        self._sheet.paste(picture.resize(size, kind), at)
        if self._ranks.get(cell) == 1:
            box = (at[0] - FRAME, at[1] - FRAME, at[0] + size[0] + FRAME - 1, at[1] + size[1] + FRAME - 1)
            self._draw.rectangle(box, outline=BEST, width=FRAME)

    def _say(self, text: str, at: tuple[int, int], width: int, anchor: str, ink: str = INK) -> None:
        """Lines of a text, no wider than this, at a point by the anchor of all."""
        said, font = self._lettered(text)
        align = {"r": "right", "l": "left"}.get(anchor[0], "center")
        self._draw.multiline_text(at, "\n".join(wrapped(said, width, font)), ink, font, anchor, 2, align)


def _fitting(size: tuple[int, int], side: int) -> tuple[int, int]:
    """How large a picture is shown: no longer than this, and a small one enlarged by a whole number."""
    times = max(side // max(size), 1) if max(size) <= side else side / max(size)
    return max(1, round(size[0] * times)), max(1, round(size[1] * times))


def wrapped(text: str, width: int, font: Font) -> Sequence[str]:
    """The text in lines no wider than this, LINES of them at most; what doesn't fit is cut."""
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(joined) <= width:
            lines[-1] = joined
        elif len(lines) == LINES:
            lines[-1] += " ..."
            break
        else:
            lines.append(word)
    return [cut(line, width, font) for line in lines]
