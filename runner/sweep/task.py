"""What a cluster's nodes do for a sweep: a check before it begins, and its cells. Torch is imported there alone."""

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from t2iflow.runner import environment

if TYPE_CHECKING:
    from t2iflow.runner.sweep.weights import Named
    from t2iflow.runner.sweep.work import Made

SCRATCH = "t2iflow-sweep-"
"""What the folders of processes that work for a storage are called, before the process's number."""


def prepare(place: str, packages: Mapping[str, str], named: "Sequence[Named]") -> str:
    """Make a node ready for a sweep's cells: its weights fetched; gives what is wrong with the node, or nothing."""
    environment.prepare()
    from t2iflow.nodes.core.missing import MissingPackageError, MissingWeightsError
    from t2iflow.runner.folder.claim import FolderError
    from t2iflow.runner.sweep.weights import fetch

    if differs := _differing(packages):
        return differs
    try:
        _folder(place)
        fetch(named)
    except (FolderError, MissingPackageError, MissingWeightsError) as fault:
        return str(fault)
    return ""


def make(place: str, cell: str, device: str, save_every: float, packages: Mapping[str, str]) -> "Made":
    """Make a cell of the sweep at a place that this node sees too; see `work.make`."""
    environment.prepare()
    from t2iflow.runner.exits import FAILED
    from t2iflow.runner.folder.claim import FolderError
    from t2iflow.runner.folder.places import RUNS
    from t2iflow.runner.sweep import work

    if differs := _differing(packages):  # of a node that joined since
        return work.Made(cell, FAILED, differs)
    try:
        folder = _folder(place)
    except FolderError as fault:
        return work.Made(cell, FAILED, str(fault))
    made = work.make(folder, cell, device, save_every=save_every)
    if folder != Path(place):
        shutil.rmtree(folder / RUNS / cell, ignore_errors=True)
    return made


def _folder(place: str) -> Path:
    """The sweep's folder as this node sees it; FolderError where it doesn't."""
    from t2iflow.runner.folder.claim import FolderError
    from t2iflow.runner.folder.places import is_sweep
    from t2iflow.runner.sweep.storage import is_address

    if is_address(place):
        return _copied(place)
    folder = Path(place)
    if not is_sweep(folder):
        raise FolderError(
            f"`{place}` doesn't exist here: keep the sweep in a folder that all nodes share, or on a storage, such as"
            " `--out s3://BUCKET/PATH`"
        )
    return folder


@cache
def _copied(address: str) -> Path:
    """A folder of this process for a sweep that is kept on a storage; what it makes is brought there."""
    from t2iflow.runner.sweep import kept

    for left in Path(tempfile.gettempdir()).glob(f"{SCRATCH}*"):  # Ray's processes end without a chance to tidy up
        process = Path("/proc", left.name.removeprefix(SCRATCH).partition("-")[0])
        if os.path.exists(process.parent) and not os.path.exists(process):
            shutil.rmtree(left, ignore_errors=True)
    return kept.copied(address, Path(tempfile.mkdtemp(prefix=f"{SCRATCH}{os.getpid()}-"))).at


def _differing(packages: Mapping[str, str]) -> str:
    """Which packages have other versions than those that the sweep was begun with, in words."""
    now = _versions()
    wrong = [f"{name} {was} ({now.get(name, 'none')} here)" for name, was in packages.items() if now.get(name) != was]
    return f"other versions make different pictures; the sweep was started with {', '.join(wrong)}" if wrong else ""


@cache
def _versions() -> dict[str, str]:
    from t2iflow.runner.folder.lock import versions

    return versions()
