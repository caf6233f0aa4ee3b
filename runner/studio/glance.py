"""A run or a sweep at a glance, as the gallery shows it; see RUN in the table of the package."""

import os
import re
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.run_files import LOG, NOW
from t2iflow.nodes.pictures.endings import IMAGES, VIDEOS
from t2iflow.runner.entries import Entry, Filmed, Stepped, Wrote
from t2iflow.runner.folder.history import tail
from t2iflow.runner.folder.outputs import foremost
from t2iflow.runner.folder.places import RUNS, SHEET, SWEEP, is_sweep
from t2iflow.runner.folder.summary import Summary, summary
from t2iflow.runner.folder.watching import LIVE
from t2iflow.runner.studio.home import Home, holds_run

SIDE = 320
"""Pixels of the longer side of a picture in the gallery."""
PICTURE = "picture.png"
"""What runs are known by."""


@dataclass(frozen=True, slots=True)
class Glance:
    """RUN."""

    name: str
    kind: str
    state: str
    recipe: str = ""
    prompt: str = ""
    seed: int | None = None
    began: str | None = None
    seconds: float | None = None
    message: str = ""
    picture: str | None = None
    size: tuple[int, int] | None = None
    place: Mapping[str, Any] | None = None
    cells: Mapping[str, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """What a search looks through."""
        return " ".join([self.name, self.recipe, self.prompt, self.state, self.kind]).lower()

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def glance(home: Home, folder: Path) -> Glance:
    """Of a run's folder, or of a sweep's."""
    return _sweep(home, folder) if is_sweep(folder) else _run(home, folder, summary(folder))


def _run(home: Home, folder: Path, known: Summary) -> Glance:
    is_done = known.state == "finished" and os.path.isfile(folder / PICTURE)
    log = [] if is_done else tail(folder)  # of thousands that are, the last lines of the log say nothing more
    shown = picture(folder, log, known.state)
    address, size = _shown(home, folder, shown)
    return Glance(
        name=home.name(folder),
        kind="run",
        state=known.state,
        recipe=known.recipe,
        prompt=known.prompt,
        seed=known.seed,
        began=known.began.isoformat() if known.began else None,
        seconds=known.seconds,
        message=known.message,
        picture=address,
        size=size,
        place=None if known.state == "finished" else place(log),
    )


def _sweep(home: Home, folder: Path) -> Glance:
    recipe, count = _said(folder / SWEEP)
    runs = [summary(run) for run in cells(folder)]
    states = Counter[str](run.state for run in runs)
    if waiting := count - len(runs):
        states["waiting"] = max(waiting, 0)
    began = min((run.began.isoformat() for run in runs if run.began), default=None)
    prompts = dict.fromkeys(run.prompt for run in runs if run.prompt)
    address, size = _shown(home, folder, folder / SHEET)
    return Glance(
        name=home.name(folder),
        kind="sweep",
        state=_state(states),
        recipe=recipe,
        prompt="; ".join(prompts),
        began=began,
        picture=address,
        size=size,
        cells=dict(states),
    )


def cells(folder: Path) -> list[Path]:
    """The folders of the runs that a sweep has begun, in order."""
    with suppress(OSError), os.scandir(folder / RUNS) as entries:
        found = sorted(entry.path for entry in entries if not entry.name.startswith("."))
        return [path for path in map(Path, found) if holds_run(path)]
    return []


def _state(states: Mapping[str, int]) -> str:
    """That of the whole."""
    if states.get("running"):
        return "running"
    if states.get("failed") or states.get("damaged"):
        return "failed"
    return "stopped" if {*states} - {"finished"} else "finished"


def _said(file: Path) -> tuple[str, int]:
    """The recipe of a sweep, and how many cells it has."""
    with suppress(OSError):
        return _written(file, file.stat().st_mtime_ns)
    return "", 0


@lru_cache(maxsize=256)
def _written(file: Path, stamp: int) -> tuple[str, int]:
    """The same, read once: sweeps are looked at often, and write this once."""
    text = paths.read_start(file, 100_000_000).decode("utf-8", "replace")
    named = re.search(r"^recipe: (.*)$", text, re.MULTILINE)
    _, _, rows = text.partition("\ncells:\n")
    return named[1].strip("'\"") if named else "", sum(row.startswith("- ") for row in rows.splitlines())


def place(log: Sequence[Entry]) -> dict[str, Any] | None:
    """Where a run stands by these entries of its log, if they say."""
    step = next((entry for entry in reversed(log) if isinstance(entry, Stepped)), None)
    film = next((entry for entry in reversed(log) if isinstance(entry, Filmed)), None)
    if step is None:
        return None
    at = {"step": step.step, "steps": step.steps, "node": step.node, "loss": step.loss}
    return {**at, "frame": film and film.frame, "frames": film and film.frames, "left": None}


def picture(folder: Path, log: Sequence[Entry], state: str) -> Path | None:
    """The picture that shows best what a run has made so far, or else the film, if there is one."""
    if state != "finished":
        now = next((folder / name for name in (LIVE, NOW) if os.path.isfile(folder / name)), None)
        if now:
            return now
    written = [folder / PurePath(entry.path).name for entry in log if isinstance(entry, Wrote)]
    written.insert(0, folder / PICTURE)  # which may have been written long before
    there = [path for path in written if os.path.isfile(path)]
    films = [path for path in there if path.suffix.lower() in VIDEOS]
    return foremost([path for path in there if path.suffix.lower() in IMAGES]) or next(iter(films), None)


def _shown(home: Home, folder: Path, file: Path | None) -> tuple[str | None, tuple[int, int] | None]:
    """The address of a small copy of a picture, which is another when the picture is, and its size."""
    with suppress(OSError):
        if file is not None:
            stamp = file.stat().st_mtime_ns
            return home.address(folder, file.name, side=SIDE, at=stamp), size(file)
    return None, None


def size(file: Path) -> tuple[int, int] | None:
    """Width and height of a PNG, by its first bytes."""
    start = paths.read_start(file, 24)
    if start[:8] != b"\x89PNG\r\n\x1a\n" or len(start) < 24:
        return None
    width, height = struct.unpack(">II", start[16:24])
    return width, height


def stamp(folder: Path) -> tuple[int, int, int]:
    """What is another when a run's log is, or the sheet of a sweep, or when a file has come or gone, as in a folder
    that is being copied."""
    for name in (LOG, SHEET):
        with suppress(OSError):
            found = os.stat(folder / name)
            return found.st_mtime_ns, found.st_size, os.stat(folder).st_mtime_ns
    return 0, 0, 0
