"""Only one process at a time writes into a run folder."""

import contextlib
import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from t2iflow.nodes.core import json_file
from t2iflow.nodes.core.whole import write

LOCK, HOLDER = ".lock", ".running.json"
MOST = 10_000
"""Bytes of the holder's word that are read."""


class FolderError(OSError):
    """A run folder can't be made or used."""


class NotResumableError(FolderError):
    """There is no run in a folder that could be resumed."""


class BusyError(FolderError):
    """Another process is running in the folder."""


@contextmanager
def claim(folder: Path) -> Iterator[None]:
    """Hold a run folder; BusyError, at once, while another process does. A killed holder's claim ends with it."""
    with _locked(folder):
        try:
            _sign(folder)
            yield
        finally:
            with contextlib.suppress(OSError):
                (folder / HOLDER).unlink(missing_ok=True)


def is_claimed(folder: Path) -> bool:
    """Whether a process holds the folder now; OSError where that can't be known."""
    try:
        with _locked(folder):
            return False
    except BusyError:
        return True


def goes_on(folder: Path) -> bool:
    """Whether a run goes on in the folder, as far as that can be known. Looked at again and again, it keeps no run from
    starting there: the lock is tried only where somebody seems to hold it."""
    with contextlib.suppress(OSError):
        return os.path.exists(folder / HOLDER) and not _is_gone(_word(folder)) and is_claimed(folder)
    return False


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / LOCK)
    try:
        if (folder / LOCK).is_symlink():
            raise FolderError(f"`{folder / LOCK}` is a link; delete it")
        if os.path.isdir(folder) and not os.access(folder, os.W_OK):  # an existing lock can be opened
            raise FolderError(f"can't write in `{folder}`: you have no permission, or its disk is read-only")
        lock.acquire(timeout=0)
    except Timeout:
        raise BusyError(f"the run in `{folder}` is in progress: {_holder(folder)} holds the folder") from None
    except FolderError:
        raise
    except OSError as fault:
        raise FolderError(f"can't write in `{folder}`: {fault.strerror}") from fault
    try:
        yield
    finally:
        lock.release()


def _sign(folder: Path) -> None:
    """Leave word of who holds the folder."""
    about = {"process": os.getpid(), "machine": platform.node(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
    with contextlib.suppress(OSError):  # a full disk: the lock itself holds
        write(folder / HOLDER, json.dumps(about) + "\n")


def _holder(folder: Path) -> str:
    with contextlib.suppress(KeyError):
        about = _word(folder)
        return f"process {about['process']} on {about['machine']}, since {about['since']},"
    return "another process"


def _word(folder: Path) -> dict[str, Any]:
    """What its holder says in a folder; nothing, if that can't be read."""
    return json_file.read(folder / HOLDER, MOST)


def _is_gone(about: dict[str, Any]) -> bool:
    """Whether the process of this word has surely ended."""
    if about.get("machine") != platform.node() or os.name == "nt":
        return False
    try:
        os.kill(int(about["process"]), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return False
    return False
