"""A sweep that is kept on a storage: begun there, opened from there, and brought there."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from t2iflow.nodes.core.run_files import CHECKPOINT, LOG
from t2iflow.runner.folder.claim import FolderError, is_claimed
from t2iflow.runner.folder.history import has_finished
from t2iflow.runner.folder.places import RUNS, SWEEP
from t2iflow.runner.sweep import sharing
from t2iflow.runner.sweep.folder import SweepFolder, read
from t2iflow.runner.sweep.storage import LEASES, Storage, stored, unkept


def opened(address: str) -> SweepFolder:
    """The sweep that is kept at an address, with what its runs have made so far; FolderError if there is none."""
    storage = Storage(address)
    sizes = storage.sizes()
    if SWEEP not in sizes:
        raise FolderError(f"there is no sweep at `{address}`: it has no {SWEEP}")
    storage.get(_wanted(storage, sizes))
    (storage.folder / RUNS).mkdir(exist_ok=True)
    for log in storage.folder.glob(f"{RUNS}/*/{LOG}"):
        run, size = log.parent, sizes.get(log.relative_to(storage.folder).as_posix())
        if has_finished(run) and size != log.stat().st_size and not is_claimed(run):
            unkept(run).touch()
    storage.mark()
    return read(storage.folder)


def copied(address: str, folder: Path) -> SweepFolder:
    """The sweep that is kept at an address, in a folder here, without its runs; FolderError if there is none."""
    storage = Storage(address, folder)
    storage.get(name for name in storage.names() if not _run(name) and not name.startswith(f"{LEASES}/"))
    storage.mark()
    return read(folder)


def begin(storage: Storage) -> None:
    """Keep a sweep that has just been written."""
    storage.mark()
    storage.put(storage.files())


def bring(sweep: SweepFolder) -> str:
    """Keep what was made of all runs together: page, sheet and tables. Gives the address, if the sweep has one."""
    if storage := stored(sweep.at):
        storage.put(name for name in storage.files() if not _run(name) and not name.startswith(f"{sharing.FOLDER}/"))
    return storage.address if storage else ""


def _wanted(storage: Storage, names: Iterable[str]) -> Iterator[str]:
    """What is not here yet, and no process here is at; a finished run never changes."""
    settled: dict[str, bool] = {}
    for name in names:
        run = _run(name)
        if run and run not in settled:
            here = storage.folder / RUNS / run
            settled[run] = os.path.isdir(here) and (has_finished(here) or is_claimed(here))
        if not name.startswith(f"{LEASES}/") and not name.endswith(CHECKPOINT) and not settled.get(run):
            yield name


def _run(name: str) -> str:
    """The run that a file is of, if it is of one."""
    first, _, rest = name.partition("/")
    return rest.partition("/")[0] if first == RUNS else ""
