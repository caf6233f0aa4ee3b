"""Files that are written whole or not at all: under a private name first, which then takes the place of the old one."""

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A private path beside `path` to write to, which takes its place at the end; what fails leaves nothing behind."""
    fresh = path.with_name(f".{path.name}")
    fresh.unlink(missing_ok=True)  # somebody's link there would be written through
    try:
        yield fresh
        os.replace(fresh, path)
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise


def sync(path: Path) -> None:
    """Wait until a file, or the list of a folder's files, is safe from a power cut."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
