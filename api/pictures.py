"""Which of the files that a run has written are its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from t2iflow.nodes.pictures.endings import PICTURES
from t2iflow.pipelines.problems import RecipeError
from t2iflow.pipelines.text.recipe import read
from t2iflow.runner.folder.history import RECIPE, foremost

STRIP = "output.strip"


def pictures(folder: Path, files: Sequence[Path]) -> list[Path]:
    """Those of the files that are pictures, without strips of snapshots."""
    strips = _strips(folder)
    return [file for file in files if file.suffix.lower() in PICTURES and file.name not in strips]


def best(folder: Path, files: Sequence[Path]) -> Path | None:
    """The picture that a run is known by."""
    return foremost(pictures(folder, files))


def _strips(folder: Path) -> set[object]:
    """The names of the strips, as the run's resolved recipe has them."""
    with suppress(RecipeError):
        nodes = read(folder / RECIPE).nodes.values()
        return {node.values["file"].value for node in nodes if node.use.value == STRIP and "file" in node.values}
    return set()
