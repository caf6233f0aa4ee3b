"""Where runs and sweeps are kept, and which of the two is in a folder."""

import os
import shlex
from pathlib import Path

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.run_files import LOG, RECIPE
from t2iflow.runner.exits import UsageError
from t2iflow.runner.sharing.address import SCHEME

SWEEP = "sweep.yaml"
"""The file by which the folder of a sweep is known."""
SHEET, RESULTS = "sheet.png", "results.json"
"""All pictures of a sweep on one sheet, and what came of it cell by cell."""
RUNS, SWEEPS = "runs", "sweeps"
"""Where runs and sweeps are kept where nothing else is said; a sweep's own runs are in its `runs`, too."""


def local(place: str | Path) -> Path:
    """The path of a folder or file that a person named; UsageError for an address, which would lead to a folder here
    that is called `s3:`."""
    if SCHEME.match(str(place)):
        raise UsageError(
            f"`{place}` is an address, not a folder or file on this machine; only a sweep can be kept at one:"
            " `t2iflow sweep ... --out s3://BUCKET/PATH`"
        )
    return paths.given(place)


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
