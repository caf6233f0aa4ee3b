"""What the outputs of a run wrote, by its log. Reads without torch."""

import contextlib
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from glob import escape
from pathlib import Path

from t2iflow.nodes.pictures.endings import PICTURES
from t2iflow.runner.entries import Started, Wrote
from t2iflow.runner.folder.history import some


def wrote(folder: Path) -> list[Path]:
    """The files of which the log says that they are complete, each once, as far as they are there; of a row of numbered
    ones only the first."""
    return list(dict.fromkeys(_wrote(folder)))  # a run that was stopped and resumed has written them again


def _wrote(folder: Path) -> Iterator[Path]:
    home = folder
    for entry in some(folder, "started", "wrote"):
        if isinstance(entry, Started):
            home = Path(entry.folder) if entry.folder else home
        elif isinstance(entry, Wrote):
            with contextlib.suppress(ValueError):  # somebody's edit
                path = folder / Path(entry.path).relative_to(home)  # the folder may have been moved
                if os.path.isfile(path) and path.resolve().is_relative_to(folder.resolve()):
                    yield path


def stills(files: Iterable[Path], strips: Collection[object]) -> list[Path]:
    """The pictures among the files that a run wrote, without strips of how they came about."""
    return [path for path in files if path.suffix.lower() in PICTURES and path.name not in strips]


def foremost(pictures: Sequence[Path]) -> Path | None:
    """Of the pictures that a run wrote, in their order, the one that it is known by: what `output.image` calls
    `picture` where nothing else is said, or else the last; of a batch, `picture-1`, `picture-2`, ..., the first."""
    by_default = next((path for path in pictures if re.fullmatch(r"picture(-1)?", path.stem)), None)
    if by_default or not pictures:
        return by_default
    first = pictures[-1].with_stem(re.sub(r"-\d+$", "-1", pictures[-1].stem))
    return first if first in pictures else pictures[-1]


def outputs(folder: Path) -> list[Path]:
    """All files that the outputs of a run wrote."""
    rows = (path.parent.glob(re.sub(r"\d+", "[0-9]*", escape(path.name))) for path in wrote(folder))
    return list(dict.fromkeys(path for row in rows for path in sorted(row)))
