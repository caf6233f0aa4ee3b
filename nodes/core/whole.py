"""Files that are written whole or not at all: under a private name first, which then replaces the old file."""

import contextlib
import errno
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What the system answers where there is no room for a file."""


def private(path: Path, mark: str = "") -> Path:
    """Under which name a file is written before it takes its place; a killed process leaves it there."""
    return path.with_name(f".{path.name}{mark}")


@contextmanager
def whole(path: Path, mark: str = "", lasting: bool = False) -> Iterator[Path]:
    """A private path beside `path` to write to, which takes its place at the end; what fails leaves nothing behind.

    `mark` is added to the private name, where several processes may write the same file at once. `lasting` is for what
    could not be made again: it is safe from a power cut before the old file is gone.
    """
    fresh = private(path, mark)
    try:
        fresh.unlink(missing_ok=True)  # somebody's link there would be written through
        yield fresh
        if lasting:
            sync(fresh)
        os.replace(fresh, path)
        if lasting:
            sync(path.parent)
    except BaseException as fault:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        if isinstance(fault, OSError) and str(fault.filename) == str(fresh):
            fault.filename = str(path)  # the name that people know
        raise


def check_new(path: Path) -> None:
    """FileExistsError where there is something of this name."""
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


@contextmanager
def new(path: Path) -> Iterator[Path]:
    """As `whole`, for a file that a user names: what exists is never replaced."""
    check_new(path)
    with whole(path, lasting=True) as fresh:
        yield fresh


def write(path: Path, content: str | bytes, lasting: bool = False) -> None:
    """Write a file whole or not at all; a text in UTF-8, its lines as they are. `lasting` is as for `whole`."""
    with whole(path, lasting=lasting) as fresh:
        fresh.write_bytes(content.encode() if isinstance(content, str) else content)


def share(path: Path, content: str | bytes) -> None:
    """As `write`, for a file that other processes, of other machines too, may be writing."""
    with whole(path, mark=f".{platform.node()}.{os.getpid()}") as fresh:
        fresh.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def cached(path: Path) -> Iterator[Path]:
    """As `whole`, for a file of a cache, whose folder is made if need be, and which others may be writing too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path, mark=f".{os.getpid()}") as fresh:
        yield fresh


def keep(path: Path, content: str) -> None:
    """Write a cache's file, where that can be written; a cache that is only read is as good."""
    with contextlib.suppress(OSError), cached(path) as fresh:
        fresh.write_text(content, encoding="utf-8")


def sync(path: Path) -> None:
    """Wait until a file, or the list of a folder's files, is safe from a power cut."""
    if os.path.isdir(path) and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
