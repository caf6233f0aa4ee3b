"""Writes the pages in this folder that are made from the code; `make docs` runs it."""

import sys
from collections.abc import Iterator
from pathlib import Path

from t2iflow.pipelines.graph.wiring import wire
from t2iflow.pipelines.problems import CODES, Problems, render
from t2iflow.pipelines.show.node_pages import markdown
from t2iflow.pipelines.text.recipe import read_text

GROUPS = {
    "1": "Text and structure",
    "2": "Names and settings",
    "3": "Wires and kinds",
    "4": "The recipe as a whole",
    "5": "Packages and files",
}

WRONG = """t2iflow: 1
nodes:
  photo: {use: images.noise, size: [64, 64]}
  cuts:  {use: cutouts.square, image: $photo, cuont: 32}
"""


def pages() -> dict[str, str]:
    """The text of each page, by its file's name."""
    return {"nodes.md": markdown(), "errors.md": "\n".join(_errors()) + "\n"}


def _errors() -> Iterator[str]:
    yield "# Errors\n"
    yield "Made from the code by `make docs`. Every mistake in a recipe is reported at once, with a stable code: where"
    yield "it is and how to fix it. The program then exits with code 3. `t2iflow check` reports them without a run.\n"
    yield from (f"    {line}".rstrip() for line in _example().splitlines())
    for digit, title in GROUPS.items():
        yield f"\n## {title}\n"
        yield "| code | meaning |"
        yield "|---|---|"
        yield from (f"| {code} | {meaning} |" for code, meaning in CODES.items() if code[3] == digit)


def _example() -> str:
    """What is reported for a recipe with a mistake."""
    problems = Problems()
    recipe = read_text(WRONG, "mine.yaml", Path(), problems=problems)
    wire(recipe, problems)
    return render(problems, recipe.sources)


if __name__ == "__main__":
    folder = Path(__file__).parent
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"wrote {folder / name}\n")
