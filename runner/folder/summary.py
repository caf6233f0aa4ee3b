"""A run at a glance, from the first and last line of its log: so little that thousands are listed at once."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.run_files import LOG, RECIPE
from t2iflow.runner.entries import Ended, Entry, Started
from t2iflow.runner.folder.claim import goes_on
from t2iflow.runner.folder.history import ends
from t2iflow.runner.folder.places import RUNS, is_run, is_sweep

State: TypeAlias = Literal["finished", "part", "stopped", "running", "failed", "damaged"]
ENDS: dict[str, State] = {"finished": "finished", "part": "part", "interrupted": "stopped", "failed": "failed"}
"""The state of a run by how it ended; one that was killed did not end, and is stopped too."""


@dataclass(frozen=True)
class Summary:
    """What a run folder says of its run. `began` is None, and texts are empty, where that is not known; `seconds` are
    those since the run began or was last resumed; `message` is what failed, or why the folder counts as damaged."""

    folder: Path
    state: State
    recipe: str = ""
    prompt: str = ""
    seed: int | None = None
    began: datetime | None = None
    seconds: float | None = None
    message: str = ""


def summaries(*parents: Path) -> list[Summary]:
    """Those of the run folders in these folders, in the order in which they began; OSError if one can't be read."""
    found = [summary(folder) for parent in parents for folder in _runs(parent)]
    return sorted(found, key=lambda one: (one.began.timestamp() if one.began else 0.0, one.folder.name))


def summary(folder: Path) -> Summary:
    """A run's; of one whose files are not as they should be as much as they say, as `damaged`."""
    first, last = ends(folder)
    started = first if isinstance(first, Started) else Started()
    ended = last if isinstance(last, Ended) else None
    state: State = ENDS[ended.how] if ended else "running" if goes_on(folder) else "stopped"
    damage = _damage(folder, first)
    return Summary(
        folder,
        "damaged" if damage else state,
        recipe=started.recipe,
        prompt=started.prompt,
        seed=started.seed,
        began=started.began,
        seconds=ended.seconds if ended else None,
        message=damage or (ended.message if ended else ""),
    )


def _damage(folder: Path, first: Entry | None) -> str:
    """What is wrong with a run's files; nothing with a log that a kill left empty."""
    for name in (RECIPE, LOG):
        why = paths.no_file(folder / name)
        if why and (name, why) != (LOG, paths.MISSING):
            return f"its {name} {why}"
    return "" if isinstance(first, Started) or paths.no_content(folder / LOG) else f"its {LOG} is damaged"


def _runs(parent: Path) -> Iterator[Path]:
    """The folders in a folder that hold runs, and those of the sweeps in it."""
    with os.scandir(parent) as entries:
        for entry in entries:
            folder = Path(entry.path)
            if entry.name.startswith("."):
                continue
            if is_sweep(folder):
                yield from _runs(folder / RUNS) if os.path.isdir(folder / RUNS) else ()
            elif is_run(folder):
                yield folder
