"""Texts as messages show them: cut to a readable length, in columns, and without what could move a cursor."""

from collections.abc import Iterable, Sequence

SHOWN = 60
"""Letters that a message has room for."""

JOINERS = "\u200c\u200d"
"""Invisible, and not printable to Python, but parts of words and of emoji."""


def shortened(text: str, most: int = SHOWN) -> str:
    """The beginning of a text, as much as there is room for."""
    return text if len(text) <= most else text[: most - 3] + "..."


def ending(text: str) -> str:
    """The end of a text, as much as there is room for."""
    return text if len(text) <= SHOWN else "..." + text[3 - SHOWN :]


def quoted(text: str) -> str:
    """The beginning of a text, in quotes."""
    return repr(shortened(text))


def plural(number: int, noun: str) -> str:
    """The noun, as it stands after that number."""
    return noun if number == 1 else f"{noun}s"


def counted(number: int, noun: str) -> str:
    """So many of something: `1 step`, `2 steps`."""
    return f"{number} {plural(number, noun)}"


def first_of(texts: Sequence[str], most: int, between: str = ", ") -> str:
    """The first few texts, and how many more there are: `a, b and 3 more`."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return between.join(texts[:most]) + more


def aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows of texts as lines, each column as wide as the longest text in it."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def printable(text: str) -> str:
    """The text without control characters, which could move a terminal's cursor or turn its writing; lines stay."""
    return "\n".join(map(in_line, text.split("\n")))


def in_line(text: str) -> str:
    """The same on one line."""
    return "".join(sign if sign.isprintable() or sign in JOINERS else _stand_in(sign) for sign in text)


def _stand_in(sign: str) -> str:
    return " " if sign.isspace() else "\N{REPLACEMENT CHARACTER}"
