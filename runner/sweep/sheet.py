"""All pictures of a sweep on one sheet, labelled: `sheet.png`."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import PIL.Image
from PIL.ImageDraw import Draw, ImageDraw
from PIL.ImageFont import FreeTypeFont, ImageFont, load_default

from t2iflow.nodes.core.texts import printable
from t2iflow.nodes.core.whole import write
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
    write(folder / NAME, data.getvalue())
    return folder / NAME


class _Sheet:
    def __init__(self, table: Table, small: Mapping[str, Path], states: Mapping[str, State]) -> None:
        self._table, self._small, self._states = table, small, states
        across = max(len(row) for row in table.cells)
        self._side = max(SMALLEST, min(LARGEST, WIDEST // across - GAP))
        self._font = load_default(max(9, min(14, self._side // 8)))
        self._line = round(self._font.size * 1.3) if isinstance(self._font, FreeTypeFont) else 14
        self._left = MARGIN + (HEAD if any(table.rows) else 0)
        self._top = MARGIN + (LINES * self._line + GAP if any(table.columns) else 0)
        self._below = LINES * self._line if table.labels else 0
        size = (
            self._left + across * (self._side + GAP) - GAP + MARGIN,
            self._top + len(table.cells) * (self._side + self._below + GAP) - GAP + MARGIN,
        )
        self._sheet = PIL.Image.new("RGB", size, PAPER)
        self._draw: ImageDraw = Draw(self._sheet)

    def drawn(self) -> PIL.Image.Image:
        """The sheet with everything on it."""
        for number, head in enumerate(self._table.columns):
            at = (self._left + number * (self._side + GAP) + self._side // 2, self._top - GAP)
            self._say(head, at, self._side, "md")
        for number, row in enumerate(self._table.cells):
            top = self._top + number * (self._side + self._below + GAP)
            if self._table.rows:
                self._say(self._table.rows[number], (self._left - 2 * GAP, top + self._side // 2), HEAD - 2 * GAP, "rm")
            for place, cell in enumerate(row):
                left = self._left + place * (self._side + GAP)
                self._show(cell.name, left, top)
                if self._below:
                    label = self._table.labels[cell.name]
                    self._say(label, (left + self._side // 2, top + self._side + 2), self._side, "ma")
        return self._sheet

    def _show(self, cell: str, left: int, top: int) -> None:
        try:
            picture = _fitted(PIL.Image.open(self._small[cell]).convert("RGB"), self._side)
        except (OSError, KeyError):
            self._draw.rectangle((left, top, left + self._side - 1, top + self._side - 1), outline=SOFT)
            self._say(self._states[cell], (left + self._side // 2, top + self._side // 2), self._side, "mm", SOFT)
            return
        self._sheet.paste(picture, (left + (self._side - picture.width) // 2, top + (self._side - picture.height) // 2))

    def _say(self, text: str, at: tuple[int, int], width: int, anchor: str, ink: str = INK) -> None:
        """Lines of a text, no wider than this, at a point by the anchor of all."""
        lines = wrapped(printable(text), width, self._font)
        align = {"r": "right", "l": "left"}.get(anchor[0], "center")
        self._draw.multiline_text(at, "\n".join(lines), ink, self._font, anchor, 2, align)


def _fitted(picture: PIL.Image.Image, side: int) -> PIL.Image.Image:
    """As large as its place has room for; a small one enlarged by a whole number."""
    picture.thumbnail((side, side), PIL.Image.Resampling.LANCZOS)
    times = max(side // max(picture.size), 1)
    return picture.resize((picture.width * times, picture.height * times), PIL.Image.Resampling.NEAREST)


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
