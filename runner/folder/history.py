"""A run's past, as its folder keeps it: the recipe that it began with, and its log, read back. Reads without torch."""

import contextlib
import os
import re
import shlex
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from glob import escape
from pathlib import Path
from typing import Any, BinaryIO

from t2iflow.nodes.core.run_files import LOG, RECIPE
from t2iflow.nodes.pictures.endings import PICTURES
from t2iflow.runner.entries import Ended, Entry, Started, Wrote, entry_of, json_of

SWEEP = "sweep.yaml"
"""The file by which the folder of a sweep is known."""
RUNS, SWEEPS = "runs", "sweeps"
"""Where runs and sweeps are kept where nothing else is said; a sweep's own runs are in its `runs`, too."""
SAVE_EVERY = 10.0
"""Seconds between checkpoints, where nothing else is said."""
SHORT, LONG = 8_192, 1_000_000
"""Bytes in which the first or last event is looked for at first, and at most."""
FOLLOW_EVERY = 0.1
"""Seconds between looks whether a log has grown."""


def read(folder: Path) -> Iterator[Entry]:
    """The log of a run; a line that is no entry is left out."""
    return filter(None, map(entry_of, _lines(folder)))


def milestones(folder: Path) -> list[Entry]:
    """The log of a run but for its steps, which are most of a long one and are not looked at."""
    return list(filter(None, (entry_of(line) for line in _lines(folder) if '"type": "stepped"' not in line)))


def follow(folder: Path, going: Callable[[], bool]) -> Iterator[dict[str, Any]]:
    """The events in the log of a run as JSON has them, each as it comes for as long as the run is `going`."""
    place, last = 0, False
    while not last:
        last = not going()  # what is written before that is read below
        lines, place = added(folder, place, last)
        yield from filter(None, map(json_of, lines))
        if not last:
            time.sleep(FOLLOW_EVERY)


def added(folder: Path, place: int, whole: bool = False) -> tuple[list[str], int]:
    """The lines in the log of a run from a `place` in the file on, and the place where they end; of one whose rest is
    still to come nothing, unless it is `whole`."""
    with contextlib.suppress(OSError), _opened(folder / LOG) as file:
        file.seek(place)
        text = file.read()
        text = text if whole else text[: text.rfind(b"\n") + 1]
        return text.decode("utf-8", "replace").splitlines(), place + len(text)
    return [], place


def ends(folder: Path) -> tuple[Entry | None, Entry | None]:
    """The first and the last entry of the log, read without what is between; None for a line that is none."""
    with contextlib.suppress(OSError), _opened(folder / LOG) as file:
        first = file.readline(LONG)
        return entry_of(first.decode("utf-8", "replace")), entry_of(_last(file).decode("utf-8", "replace"))
    return None, None


def tail(folder: Path) -> list[Entry]:
    """The last entries of the log, as many as are in its last bytes."""
    with contextlib.suppress(OSError), _opened(folder / LOG) as file:
        file.seek(max(file.seek(0, os.SEEK_END) - SHORT, 0))
        lines = file.read(SHORT).decode("utf-8", "replace").splitlines()
        return list(filter(None, map(entry_of, lines)))
    return []


def has_finished(folder: Path) -> bool:
    """Whether the run in this folder came to its end."""
    _, last = ends(folder)
    return isinstance(last, Ended) and last.how == "finished"


def is_run(folder: Path) -> bool:
    """Whether this is the folder of a run, however it stands."""
    return any(os.path.isfile(folder / name) for name in (RECIPE, LOG)) and not is_sweep(folder)


def is_sweep(folder: Path) -> bool:
    """Whether this is the folder of a sweep."""
    return os.path.isfile(folder / SWEEP)  # which answers for impossible names too


def resume_command(place: str | Path) -> str:
    """The command that resumes the run or the sweep in this folder, or the sweep at this address."""
    is_run = "://" not in str(place) and not is_sweep(Path(place))
    return f"t2iflow {'resume' if is_run else 'sweep'} {shlex.quote(str(place))}"


def not_finished(folder: Path) -> str:
    """What to say of a folder that was given for that of a finished run, and is none."""
    runs = sorted(folder.glob(f"{RUNS}/[!.]*")) if is_sweep(folder) else []
    such = f": it is that of a sweep; name one of its runs, such as `{runs[0]}`" if runs else ""
    return f"`{folder}` is not the folder of a finished run{such}"


def recipe_name(folder: Path) -> str:
    """What the recipe of the run in this folder is called; nothing where that is not known."""
    return next((told.recipe for told in read(folder) if isinstance(told, Started)), "")


def wrote(folder: Path) -> list[Path]:
    """The files of which the log says that they are complete, each once, as far as they are there; of a row of numbered
    ones only the first."""
    return list(dict.fromkeys(_wrote(folder)))  # a run that was stopped and resumed has written them again


def _wrote(folder: Path) -> Iterator[Path]:
    home = folder
    # Of a long run's log most lines are steps, which need not be read for this.
    lines = (line for line in _lines(folder) if '"started"' in line or '"wrote"' in line)
    for told in filter(None, map(entry_of, lines)):
        if isinstance(told, Started):
            home = Path(told.folder) if told.folder else home
        elif isinstance(told, Wrote):
            with contextlib.suppress(ValueError):  # somebody's edit
                path = folder / Path(told.path).relative_to(home)  # the folder may have been moved
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


def _last(file: BinaryIO) -> bytes:
    """The last line."""
    size = file.seek(0, os.SEEK_END)
    line = b""
    for most in (SHORT, LONG):
        file.seek(max(size - most, 0))
        before, _, line = file.read(most).rstrip().rpartition(b"\n")
        if before or size <= most:
            break
    return line


def _lines(folder: Path) -> list[str]:
    with contextlib.suppress(OSError), _opened(folder / LOG) as file:
        return file.read().decode("utf-8", "replace").rstrip().splitlines()
    return []


def _opened(path: Path) -> BinaryIO:
    """A file to read, and nothing that can be read without end."""
    if not os.path.isfile(path):
        raise FileNotFoundError(path)
    return path.open("rb")
