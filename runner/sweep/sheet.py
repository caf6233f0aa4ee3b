"""All pictures of a sweep on one sheet, labelled: `sheet.png`."""

import contextlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import PIL.Image
from PIL.ImageDraw import Draw, ImageDraw
from PIL.ImageFont import FreeTypeFont, ImageFont, load_default

from t2iflow.nodes.core.texts import printable
from t2iflow.nodes.core.whole import share
from t2iflow.runner.sweep.events import State
from t2iflow.runner.sweep.table import Table

NAME = "sheet.png"
WIDEST, LARGEST, SMALLEST = 4096, 256, 48
"""Pixels: of a sheet's width, about, and of the side of a picture in it."""
GAP, MARGIN, HEAD = 6, 16, 150
"""Pixels: between pictures, around all, and for the words before a row."""
LINES = 3
"""Lines of a label, at most; a longer one is cut."""
PAPER, INK, SOFT = "#ffffff", "#1d1d1f", "#8a8a90"


def write_sheet(folder: Path, table: Table, small: Mapping[str, Path], states: Mapping[str, State]) -> Path:
    """Write the sheet: `small` are the pictures by their cells; what has none shows its state."""
    data = io.BytesIO()
    _Sheet(table, small, states).drawn().save(data, "PNG")
    share(folder / NAME, data.getvalue())
    return folder / NAME


class _Sheet:
    def __init__(self, table: Table, small: Mapping[str, Path], states: Mapping[str, State]) -> None:
        self._table, self._small, self._states = table, small, states
        across = max(len(row) for row in table.cells)
        self._side = max(SMALLEST, min(LARGEST, WIDEST // across - GAP))
        self._place = self._room()
        self._font = load_default(max(9, min(14, self._place[0] // 8)))
        self._line = round(self._font.getbbox("Ag")[3] * 1.3)
        self._left = MARGIN + (HEAD if any(table.rows) else 0)
        self._top = MARGIN + self._high(table.columns)
        self._below = self._high(list(table.labels.values()))
        wide, high = self._place
        size = (
            self._left + across * (wide + GAP) - GAP + MARGIN,
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

    def _high(self, texts: Sequence[str]) -> int:
        """Pixels that the highest of the texts takes at a picture's edge."""
        lines = max((len(wrapped(text, self._place[0], self._font)) for text in texts), default=0)
        return lines * self._line + GAP if lines else 0

    def drawn(self) -> PIL.Image.Image:
        """The sheet with everything on it."""
        wide, high = self._place
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
                if label := self._table.labels.get(cell.name):
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
        self._sheet.paste(picture.resize(size, kind), (left + (wide - size[0]) // 2, top + (high - size[1]) // 2))

    def _say(self, text: str, at: tuple[int, int], width: int, anchor: str, ink: str = INK) -> None:
        """Lines of a text, no wider than this, at a point by the anchor of all."""
        lines = wrapped(printable(text), width, self._font)
        align = {"r": "right", "l": "left"}.get(anchor[0], "center")
        self._draw.multiline_text(at, "\n".join(lines), ink, self._font, anchor, 2, align)


def _fitting(size: tuple[int, int], side: int) -> tuple[int, int]:
    """How large a picture is shown: no longer than this, and a small one enlarged by a whole number."""
    times = max(side // max(size), 1) if max(size) <= side else side / max(size)
    return max(1, round(size[0] * times)), max(1, round(size[1] * times))


def wrapped(text: str, width: int, font: FreeTypeFont | ImageFont) -> Sequence[str]:
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
    return [_cut(line, width, font) for line in lines]


def _cut(line: str, width: int, font: FreeTypeFont | ImageFont) -> str:
    if font.getlength(line) <= width:
        return line
    line = line.removesuffix(" ...")
    while line and font.getlength(f"{line}...") > width:
        line = line[:-1]
    return f"{line}..."
