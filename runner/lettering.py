"""Fonts for labels in pictures: Pillow's own, which knows English alone, or one of this machine's that knows more."""

from collections.abc import Iterator
from functools import cache
from typing import TypeAlias
from unicodedata import category

from PIL import features
from PIL.ImageFont import FreeTypeFont, ImageFont, load_default, truetype

Font: TypeAlias = FreeTypeFont | ImageFont

FILES = (
    *("DejaVuSans.ttf", "LiberationSans-Regular.ttf", "NotoSans-Regular.ttf", "Arial.ttf", "arial.ttf", "segoeui.ttf"),
    *("NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf", "DroidSansFallbackFull.ttf", "wqy-microhei.ttc"),
    *("Arial Unicode.ttf", "PingFang.ttc", "Hiragino Sans GB.ttc", "AppleSDGothicNeo.ttc"),
    *("msyh.ttc", "YuGothM.ttc", "malgun.ttf", "Nirmala.ttf", "NotoSansDevanagari-Regular.ttf", "unifont.otf"),
)
"""Files of fonts that systems bring, and in whose folders Pillow looks for them."""
MISSING = "\U0010ffff"
"""A letter that no font has, and for which all draw the same box."""


def lettering(text: str, size: int) -> Font | None:
    """The first font that has all letters of a text; None where this machine has none, or can't join or turn them."""
    letters = frozenset(text) - frozenset(" \n")
    if _is_joined(letters) and not (features.check("raqm") and features.check("fribidi")):
        return None
    return next((font for font in _fonts(size) if all(_has(font, letter) for letter in letters)), None)


def without_symbols(text: str) -> str:
    """A text without emoji and other signs that few fonts have, and what changes their looks."""
    return " ".join("".join(sign for sign in text if category(sign) not in ("So", "Sk", "Cf", "Mn")).split())


def cut(line: str, width: int, font: Font) -> str:
    """A line, or as much of it as is no wider than this."""
    if font.getlength(line) <= width:
        return line
    line = line.removesuffix(" ...")
    while line and font.getlength(f"{line}...") > width:
        line = line[:-1]
    return f"{line}..."


@cache
def plain(size: int) -> Font:
    """The font for texts in English."""
    return load_default(size)


def _fonts(size: int) -> Iterator[Font]:
    yield plain(size)
    for file in FILES:
        if font := _opened(file, size):
            yield font


@cache
def _opened(file: str, size: int) -> FreeTypeFont | None:
    try:
        return truetype(file, size)
    except OSError:
        return None


@cache
def _has(font: Font, letter: str) -> bool:
    return bytes(font.getmask(letter)) != bytes(font.getmask(MISSING))


def _is_joined(letters: frozenset[str]) -> bool:
    """Whether letters are written from right to left, or change their shapes beside others."""
    return any("\u0590" <= letter <= "\u109f" for letter in letters)
