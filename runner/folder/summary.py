"""A run at a glance, from the first and last line of its log: so little that thousands are listed at once."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from t2iflow.nodes.core import paths
from t2iflow.runner.folder.claim import goes_on
from t2iflow.runner.folder.history import LOG, RECIPE, RUNS, ends, is_run, is_sweep

State: TypeAlias = Literal["finished", "part", "stopped", "running", "failed", "damaged"]
ENDS: dict[object, State] = {"finished": "finished", "part": "part", "interrupted": "stopped", "failed": "failed"}
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
    ended = last if last and last["type"] == "ended" else {}
    damage = _damage(folder, first)
    state: State = ENDS.get(ended.get("how")) or ("running" if goes_on(folder) else "stopped")
    return _told(folder, "damaged" if damage else state, first or {}, ended, damage or _text(ended.get("message")))


def _damage(folder: Path, first: dict[str, Any] | None) -> str:
    """What is wrong with a run's files; nothing with a log that a kill left empty."""
    for name in (RECIPE, LOG):
        why = paths.no_file(folder / name)
        if why and (name, why) != (LOG, paths.MISSING):
            return f"its {name} {why}"
    begun = first is not None and first["type"] == "started"
    return "" if begun or paths.no_content(folder / LOG) else f"its {LOG} is damaged"


def _told(folder: Path, state: State, started: dict[str, Any], ended: dict[str, Any], message: str) -> Summary:
    prompts, seed, seconds = started.get("prompts"), started.get("seed"), ended.get("seconds")
    return Summary(
        folder,
        state,
        recipe=_text(started.get("recipe")),
        prompt=_text(prompts[0]) if isinstance(prompts, list) and prompts else "",
        seed=seed if type(seed) is int else None,
        began=_date(started.get("date")),
        seconds=float(seconds) if isinstance(seconds, int | float) else None,
        message=message,
    )


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


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _date(value: object) -> datetime | None:
    with suppress(ValueError):
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    return None
