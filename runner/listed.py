"""Runs as they are listed: where they are looked for, and a row for each."""

import os
from pathlib import Path

from t2iflow.nodes.core.texts import in_line, shortened
from t2iflow.runner.exits import UsageError
from t2iflow.runner.folder.places import RUNS, SWEEPS
from t2iflow.runner.folder.summary import Summary, summaries
from t2iflow.runner.timing.duration import duration

HEADS = ("state", "began", "took", "recipe", "seed", "prompt", "folder")
PLACES = f"`{RUNS}` or `{SWEEPS}`"
"""Where runs are looked for."""
PROMPT = 36
"""Letters of a prompt, at most."""


def listed(folder: Path | None) -> list[Summary]:
    """The runs in a folder of runs or sweeps, or without one in `runs` and `sweeps`; UsageError where it can't be
    read."""
    place = folder or Path()
    places = [place / name for name in (RUNS, SWEEPS) if os.path.isdir(place / name)]
    if folder is None and not places:
        raise UsageError(f"there is no folder {PLACES} here; `t2iflow run hello` makes a run")
    try:
        return summaries(*(places or [place]))
    except FileNotFoundError:
        raise UsageError(f"there is no folder `{folder}`; `t2iflow run hello` makes a run in `{RUNS}`") from None
    except NotADirectoryError:
        raise UsageError(f"`{folder}` is a file, not a folder of runs") from None
    except OSError as fault:
        raise UsageError(f"`{fault.filename}` can't be read: {fault.strerror}") from None


def row(one: Summary) -> tuple[str, ...]:
    """What a line says of a run, as HEADS name it."""
    took = "" if one.seconds is None else duration(one.seconds)
    seed = "" if one.seed is None else str(one.seed)
    began = f"{one.began:%Y-%m-%d %H:%M}" if one.began else ""
    words = one.message if one.state == "damaged" else one.prompt
    return (one.state, began, took, one.recipe, seed, shortened(in_line(words), PROMPT), str(one.folder))
