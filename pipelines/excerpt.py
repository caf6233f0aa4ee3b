"""The part of a source line that a message shows, with carets under the place that is meant."""

import unicodedata

from t2iflow.nodes.core.texts import JOINERS, in_line

WIDTH = 100
"""Columns that are shown; a longer line is shown around the place."""


def excerpt(line: str, column: int, width: int) -> tuple[str, str]:
    """The line, or the part of a long one around a place, whose column counts from 1; and what stands below it."""
    start = column - 1
    first = 0 if len(line) <= WIDTH else max(0, min(start + min(width, WIDTH // 2) // 2 - WIDTH // 2, start))
    first = min(first, max(0, len(line) - WIDTH))
    part = in_line(line[first : first + WIDTH])
    before, after = "..." if first else "", "..." if first + WIDTH < len(line) else ""
    shown, at = before + part + after, start - first + len(before)
    marked = shown[at : at + max(1, min(width, first + len(part) - start))]
    return shown, " " * _cells(shown[:at]) + "^" * _cells(marked or " ")


def _cells(text: str) -> int:
    """How many columns a terminal takes for the text."""
    return sum(
        0 if unicodedata.combining(sign) or sign in JOINERS else 1 + (unicodedata.east_asian_width(sign) in "WF")
        for sign in text
    )
