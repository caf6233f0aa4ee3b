"""Writes the pages of this folder that are made from the code; `make docs` runs it."""

import sys
from collections.abc import Iterator
from pathlib import Path

from t2iflow.pipelines.problems import CODES
from t2iflow.pipelines.reference import markdown

GROUPS = {
    "1": "Text and structure",
    "2": "Names and settings",
    "3": "Wires and kinds",
    "4": "The recipe as a whole",
    "5": "Packages and files",
}


def pages() -> dict[str, str]:
    """The text of each page, by its file's name."""
    return {"nodes.md": markdown(), "errors.md": "\n".join(_errors()) + "\n"}


def _errors() -> Iterator[str]:
    yield "# Errors\n"
    yield "Made from the code by `make docs`. All mistakes of a recipe are told at once, each with a stable code, its place"
    yield "and what would mend it; the program then ends with code 3. `t2iflow check RECIPE` looks without running.\n"
    yield "    error T2I202 unknown input `cuont` for node `cuts` (cutouts.square)"
    yield "      --> mine.yaml:8:47"
    yield "       8 |   cuts: {use: cutouts.square, image: $canvas, cuont: 32}"
    yield "         |                                               ^^^^^"
    yield "       = help: did you mean `count`?"
    for digit, title in GROUPS.items():
        yield f"\n## {title}\n"
        yield "| code | meaning |"
        yield "|---|---|"
        yield from (f"| {code} | {meaning} |" for code, meaning in CODES.items() if code[3] == digit)


if __name__ == "__main__":
    folder = Path(__file__).parent
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"wrote {folder / name}\n")
