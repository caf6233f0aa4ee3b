"""Writes the pages in this folder that are made from the code; `make docs` runs it."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from typer.main import get_command

from t2iflow.nodes.weights.content import amount
from t2iflow.nodes.weights.families import FAMILIES, Family
from t2iflow.nodes.weights.published import KNOWN
from t2iflow.nodes.weights.records import Record
from t2iflow.pipelines.codes import GROUPS
from t2iflow.pipelines.graph.wiring import wire
from t2iflow.pipelines.problems import Problems, render
from t2iflow.pipelines.show.node_pages import markdown
from t2iflow.pipelines.text.recipe import read_text
from t2iflow.runner.cli.main import app

FOLDER = Path(__file__).parent

WRONG = """t2iflow: 1
nodes:
  photo: {use: images.noise, size: [64, 64]}
  cuts:  {use: cutouts.square, image: $photo, cuont: 32}
"""


def pages() -> dict[str, str]:
    """The text of each page, by its file's name."""
    return {"nodes.md": markdown(), "errors.md": "\n".join(_errors()) + "\n", **dict(_refilled())}


def _errors() -> Iterator[str]:
    yield "# Errors\n"
    yield "Made from the code by `make docs`. Every mistake in a recipe is reported at once, with a stable code: where"
    yield "it is and how to fix it. The program then exits with code 3. `t2iflow check` reports them without a run.\n"
    yield from (f"    {line}".rstrip() for line in _example().splitlines())
    for title, codes in GROUPS.items():
        yield f"\n## {title}\n"
        yield "| code | meaning |"
        yield "|---|---|"
        yield from (f"| {code} | {meaning} |" for code, meaning in codes.items())


def _example() -> str:
    """What is reported for a recipe with a mistake."""
    problems = Problems()
    recipe = read_text(WRONG, "mine.yaml", Path(), problems=problems)
    wire(recipe, problems)
    return render(problems, recipe.sources)


def _refilled() -> Iterator[tuple[str, str]]:
    """Pages written by hand whose tables, known by how they begin, are made anew."""
    tables = {
        "weights.md": {
            "| name | what": [_row(record) for record in KNOWN.values() if not record.bundled],
            "| family | files": [f"| `{name}` | {_files(family)} |" for name, family in FAMILIES.items()],
        },
        "commands.md": {"| command | what": list(_commands(get_command(app)))},
    }
    for page, heads in tables.items():
        text = (FOLDER / page).read_text(encoding="utf-8")
        for head, rows in heads.items():
            above, _, rest = text.partition(head)
            first, line, below = rest.split("\n", 2)
            while below.startswith("|"):
                below = below.partition("\n")[2]
            text = "\n".join([f"{above}{head}{first}", line, *rows, below])
        yield page, text


def _commands(group: Any, before: str = "t2iflow") -> Iterator[str]:
    """A row for each command: what it takes, and what its help says."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before} {name}")
            continue
        taken = [_taken(one) for one in command.params if one.param_type_name == "argument"]
        yield f"| `{' '.join([before, name, *taken])}` | {' '.join(command.help.split())} |"


def _taken(argument: Any) -> str:
    name = (argument.metavar or argument.name).upper()
    # A command says in its own words that it needs a recipe.
    return name if argument.required or name.startswith(("[", "RECIPE")) else f"[{name}]"


def _files(family: Family) -> str:
    return ", ".join(" or ".join(f"`{pattern}`" for pattern in patterns) for patterns in family.files.values())


def _row(record: Record) -> str:
    hosts = {urlsplit(url).hostname: None for file in record.files.values() for url in file.urls}
    size = amount(record.size) if record.size else ""
    return f"| `{record.name}` | {record.about} | {size} | {record.licence} | {', '.join(map(str, hosts))} |"


if __name__ == "__main__":
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"wrote {FOLDER / name}\n")
