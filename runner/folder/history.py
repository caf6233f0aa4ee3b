"""The log of a run, read back. Reads without torch."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from t2iflow.nodes.core.run_files import LOG
from t2iflow.runner.entries import Ended, Entry, Started, entry_of, json_of

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


def some(folder: Path, *types: str) -> Iterator[Entry]:
    """The entries of these types in the log of a run; the others, most of a long one, are not looked at."""
    lines = (line for line in _lines(folder) if any(f'"{one}"' in line for one in types))
    return filter(None, map(entry_of, lines))


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


def recipe_name(folder: Path) -> str:
    """What the recipe of the run in this folder is called; nothing where that is not known."""
    return next((entry.recipe for entry in read(folder) if isinstance(entry, Started)), "")


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
