"""The run folder: one run's pictures, film, events, recipe, lock and checkpoints, in a folder of its own."""

import contextlib
import filecmp
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.run_files import BEFORE, CHECKPOINT, LOCK, NOW, RECIPE, WAITING
from t2iflow.nodes.core.whole import check_new, new, private, sync
from t2iflow.runner.events import Event, Wrote
from t2iflow.runner.exits import UsageError
from t2iflow.runner.folder import claim, lock, watching
from t2iflow.runner.folder.claim import FolderError, NotResumableError
from t2iflow.runner.folder.history import has_finished
from t2iflow.runner.folder.places import RUNS, is_sweep, resume_command

SNAPSHOTS = ".snapshots"
"""The folder of small pictures of a run on its way."""
PASSING = (CHECKPOINT, BEFORE, NOW, claim.HOLDER, claim.LOCK, watching.LIVE, watching.WATCHED)
"""Files that only a run that is not finished needs."""
MAKING = ".making-"
"""What a folder's name begins with until it is whole."""
ABANDONED = 60.0
"""Seconds after which an unfinished folder that nobody holds is taken for one whose maker was killed."""


class RunFolder:
    """Where a run writes, and the only place where it does."""

    def __init__(self, path: Path, recipe: str, emit: Callable[[Event], None]) -> None:
        self.at = path
        self.recipe = recipe
        self._emit = emit

    def path(self, name: str) -> Path:
        """Where a file of this name goes; a name that leads out of the folder is refused."""
        path = self.at / name
        if not path.resolve().is_relative_to(self.at.resolve()):
            raise FolderError(f"`{name}` leads out of the run folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def wrote(self, path: Path) -> None:
        """Say that a file is complete."""
        self._emit(Wrote(path))


def new_path(parent: Path, name: str) -> Path:
    """Where a new run folder goes: `<time>-<recipe>-<id>`."""
    return parent / f"{time.strftime('%Y-%m-%d_%H%M%S')}-{name}-{secrets.token_hex(2)}"


def create(
    path: Path, recipe: str, device: tuple[str, str], threads: int, files: Mapping[str, str], address: str = ""
) -> None:
    """Make a new run folder with copies of the files that the run reads, the lock and the recipe: whole or not at all.

    `device` is the one chosen, and why; `threads` are those that it computes with; `address` is where the recipe comes
    from, if it was fetched.
    """
    with making(path) as fresh:
        copy(files, fresh)
        _fill(fresh, recipe, lock.describe(*device, threads, fresh, list(files.values()), address))


@contextmanager
def making(path: Path) -> Iterator[Path]:
    """A new folder that is at `path` once it is whole, or not at all; FolderError where it can't be made. It is held
    meanwhile, or whoever begins a run beside it could take it for abandoned."""
    fresh = path.with_name(f"{MAKING}{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        clear(path.parent)
        if os.path.exists(path) and not (os.path.isdir(path) and not any(path.iterdir())):
            raise FolderError(f"`{path}` exists; choose another folder, or `{resume_command(path)}`")
        fresh.mkdir()
        try:
            with claim.claim(fresh):
                yield fresh
            (fresh / claim.LOCK).unlink(missing_ok=True)
            sync(fresh)
            fresh.replace(path)
            sync(path.parent)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
    except FolderError:
        raise
    except OSError as fault:
        is_file = isinstance(fault, FileExistsError | NotADirectoryError)
        is_fixed = isinstance(fault, FileNotFoundError)  # as in /proc, where no folder can be made
        why = "it is a file, or beneath one" if is_file else "nothing can be made there" if is_fixed else fault.strerror
        raise FolderError(f"can't make a run folder in `{path.parent}`: {why}; choose another folder") from fault


def copy(files: Mapping[str, str], folder: Path) -> None:
    """Copy files, which are named by whole path, to their names in a folder."""
    for source, name in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / name)
        sync(folder / name)


def write_copy(target: Path, recipe: str, beside: Mapping[str, Path]) -> list[str]:
    """Write a recipe to a new file, with copies of files `beside` it, named by their paths from there; gives the names
    of those that were not there yet. FileExistsError, and nothing is written, where another file has such a name."""
    missing = {name: path for name, path in beside.items() if not _is_copy(target.parent / name, path)}
    for path in (target, *(target.parent / name for name in missing)):
        check_new(path)
    for name, path in missing.items():
        (target.parent / name).parent.mkdir(parents=True, exist_ok=True)
        with new(target.parent / name) as fresh:
            shutil.copyfile(path, fresh)
    with new(target) as fresh:
        fresh.write_text(recipe, encoding="utf-8")
    return list(missing)


def _is_copy(path: Path, other: Path) -> bool:
    return os.path.isfile(path) and filecmp.cmp(path, other, shallow=False)


def _fill(folder: Path, recipe: str, said: str) -> None:
    """The lock and the recipe, the recipe last: a folder without one has not begun."""
    texts = {LOCK: said, RECIPE: recipe}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
        sync(folder / name)


def clear(parent: Path, age: float = ABANDONED) -> None:
    """Remove the unfinished folders of starts that were killed: those of some age, in seconds, that nobody holds."""
    for left in parent.glob(f"{MAKING}*"):
        with contextlib.suppress(OSError):
            old = time.time() - left.stat().st_mtime >= age
            if old and not left.is_symlink() and not claim.is_claimed(left):
                shutil.rmtree(left)


def check_resumable(path: Path) -> None:
    """Raise NotResumableError, with what to do instead, where no run in the folder can be resumed."""
    if path.name.startswith(MAKING) or (os.path.isdir(path) and _begun_without_recipe(path)):
        raise NotResumableError(f"`{path}` holds no run: its start was interrupted; run the recipe again")
    if os.path.isfile(path) and os.path.isfile(path.parent / RECIPE):
        raise NotResumableError(f"`{path}` is a file; name its folder: `{resume_command(path.parent)}`")
    if is_sweep(path):
        raise NotResumableError(f"`{path}` is the folder of a sweep; to resume it: `{resume_command(path)}`")
    check_run(path)
    if (path / RECIPE).is_symlink():
        raise NotResumableError(f"`{path / RECIPE}` is a link; a run folder holds its recipe itself")
    check_unfinished(path)


def check_run(path: Path) -> None:
    """Raise NotResumableError where there is no run in the folder, finished or not."""
    if why := paths.nothing(path):
        raise NotResumableError(f"`{path}` {why}")
    if why := paths.no_file(path / RECIPE):
        raise NotResumableError(f"`{path}` is not a run folder: its {RECIPE} {why}")


def check_finished(path: Path) -> None:
    """Raise UsageError where no finished run is in the folder."""
    if not has_finished(path):
        runs = sorted(path.glob(f"{RUNS}/[!.]*")) if is_sweep(path) else []
        such = f": it is that of a sweep; name one of its runs, such as `{runs[0]}`" if runs else ""
        raise UsageError(f"`{path}` is not the folder of a finished run{such}")


def _begun_without_recipe(path: Path) -> bool:
    return not os.path.exists(path / RECIPE) and (os.path.isfile(path / LOCK) or os.path.isdir(path / "inputs"))


def check_unfinished(path: Path) -> None:
    """Raise NotResumableError where the run has finished; what a kill left to tidy in it is tidied."""
    if has_finished(path):
        tidy(path)
        raise NotResumableError(
            f"the run in `{path}` is finished; `t2iflow run {quote(str(path / RECIPE))}` makes it again, and "
            f"`t2iflow fork {quote(str(path))} --at STEP --set ...` makes another from its past"
        )


def settle(path: Path) -> None:
    """Wait until all that a finished run made is safe from a power cut."""
    for file in path.rglob("*"):
        is_hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        if os.path.isfile(file) and not file.is_symlink() and not is_hidden:
            sync(file)
    sync(path)


def tidy(path: Path) -> None:
    """After a finished run, drop what was only needed to resume it, whole or as a kill left it."""
    for name in (WAITING, SNAPSHOTS):
        shutil.rmtree(path / name, ignore_errors=True)
    for name in PASSING:
        for file in (private(path / name), path / name):
            with contextlib.suppress(OSError):
                discard(file)


def discard(path: Path) -> None:
    """Remove a file of a run, or what lies in its place."""
    if os.path.isdir(path) and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def writable(parent: Path) -> bool:
    """Whether run folders can be made there."""
    while not os.path.exists(parent):
        parent = parent.parent
    return os.access(parent, os.W_OK)
