"""What came of a sweep, cell by cell: `results.csv` and `results.json`."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from t2iflow.nodes.core.whole import share
from t2iflow.runner.folder.places import RESULTS
from t2iflow.runner.sweep.cell import Cell, said
from t2iflow.runner.sweep.events import State
from t2iflow.runner.sweep.folder import SweepFolder

CSV = "results.csv"
SCHEMA = "t2iflow.sweep/2"


@dataclass(frozen=True)
class Result:
    """A cell, how far it is, what went wrong, how long it took in seconds, its picture, and how well that fits its
    prompt: its score, and its place among all."""

    cell: Cell
    state: State
    message: str = ""
    seconds: float | None = None
    picture: Path | None = None
    score: float | None = None
    rank: int | None = None


def ranked(scores: Mapping[str, float]) -> dict[str, int]:
    """The place of each cell, from 1."""
    best = sorted(scores, key=lambda cell: -scores[cell])
    return {cell: number for number, cell in enumerate(best, 1)}


def write_results(sweep: SweepFolder, results: Sequence[Result]) -> None:
    """Write both files; paths are relative to the sweep's folder."""
    rows = [_row(sweep, one) for one in results]
    table = io.StringIO()
    writer = csv.DictWriter(table, list(_flat(rows[0])), lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(_flat, rows))
    share(sweep.at / CSV, table.getvalue())
    content = {"schema": SCHEMA, "recipe": sweep.recipe, "threads": sweep.threads, "cells": rows}
    share(sweep.at / RESULTS, json.dumps(content, indent=1) + "\n")


def _row(sweep: SweepFolder, one: Result) -> dict[str, Any]:
    names = [*(name for axis in sweep.axes for name in axis.names), *one.cell.set]
    picture = one.picture and one.picture.relative_to(sweep.at).as_posix()
    return {
        "cell": one.cell.name,
        "values": {name: _text(one.cell.set.get(name)) for name in dict.fromkeys(names)},
        "state": one.state,
        "rank": one.rank,
        "score": one.score,
        "seconds": one.seconds,
        "picture": picture,
        "message": one.message,
    }


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with the values in columns of their own; one that has the name of another column is `values.NAME`."""
    values = {f"values.{name}" if name in row else name: value for name, value in row["values"].items()}
    flat = {"cell": row["cell"], **values, **row}
    del flat["values"]
    return {name: said(value) if isinstance(value, list | dict) else value for name, value in flat.items()}


def _text(value: Any) -> Any:
    return said(value) if isinstance(value, str) else value
