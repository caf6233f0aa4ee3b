"""Where runs and sweeps are kept, and which of the two is in a folder."""

import os
import shlex
from pathlib import Path

from t2iflow.nodes.core.run_files import LOG, RECIPE

SWEEP = "sweep.yaml"
"""The file by which the folder of a sweep is known."""
RUNS, SWEEPS = "runs", "sweeps"
"""Where runs and sweeps are kept where nothing else is said; a sweep's own runs are in its `runs`, too."""


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
