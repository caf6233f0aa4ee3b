"""Pictures in a row, each with its label below."""

from collections.abc import Sequence

import PIL.Image
from PIL import ImageDraw

from t2iflow.runner.lettering import cut, lettering, plain

GAP, MARGIN, LINE = 12, 16, 18
"""Pixels between pictures, around all, and from line to line of a label."""
LETTERS = 14
"""Pixels of a letter."""
PAPER, INK = "#ffffff", "#222222"
NARROW, MOST = 240, 1024
"""Pixels: how wide a picture's place is at least, and how large a picture is shown at most."""


def side_by_side(pictures: Sequence[PIL.Image.Image], labels: Sequence[Sequence[str]]) -> PIL.Image.Image:
    """One picture of all; a label has several lines, each cut where its picture's place ends."""
    shown = [_shown(picture) for picture in pictures]
    widths = [max(picture.width, NARROW) for picture in shown]
    high = max(picture.height for picture in shown)
    lines = max(map(len, labels))
    size = (sum(widths) + GAP * (len(widths) - 1) + 2 * MARGIN, high + GAP + LINE * lines + 2 * MARGIN)
    sheet = PIL.Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    left = MARGIN
    for picture, width, label in zip(shown, widths, labels, strict=True):
        sheet.paste(picture, (left + (width - picture.width) // 2, MARGIN + high - picture.height))
        for number, line in enumerate(label):
            place = (left, MARGIN + high + GAP + LINE * number)
            font = lettering(line, LETTERS) or plain(LETTERS)
            draw.text(place, cut(line, width, font), INK, font)
        left += width + GAP
    return sheet


def _shown(picture: PIL.Image.Image) -> PIL.Image.Image:
    """On paper, no larger than there is room for, and small ones enlarged by a whole number."""
    flat = PIL.Image.new("RGB", picture.size, PAPER)
    flat.paste(picture.convert("RGB"), mask=picture.convert("RGBA").getchannel("A"))
    flat.thumbnail((MOST, MOST))
    times = max(NARROW // max(flat.size), 1)
    return flat.resize((flat.width * times, flat.height * times), PIL.Image.Resampling.NEAREST)
