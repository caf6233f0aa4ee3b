"""Which of the files that a run has written are its pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from t2iflow.nodes.core.catalog import BrokenPackageError, UnknownNodeError, find
from t2iflow.nodes.core.run_files import RECIPE
from t2iflow.pipelines.problems import RecipeError
from t2iflow.pipelines.text.recipe import NodeText, read
from t2iflow.runner.folder.outputs import foremost, stills


def pictures(folder: Path, files: Sequence[Path]) -> list[Path]:
    """Those of the files that are pictures, without strips of snapshots."""
    return stills(files, _strips(folder))


def best(folder: Path, files: Sequence[Path]) -> Path | None:
    """The picture that a run is known by."""
    return foremost(pictures(folder, files))


def _strips(folder: Path) -> set[object]:
    """The names of the strips, as the run's resolved recipe has them."""
    with suppress(RecipeError):
        return {name for node in read(folder / RECIPE).nodes.values() for name in _strip(node)}
    return set()


def _strip(node: NodeText) -> Iterator[object]:
    with suppress(UnknownNodeError, BrokenPackageError):  # of a package that was here when it ran
        key = find(node.use.value).meanings.get("strip", "")
        if key in node.values:
            yield node.values[key].value
