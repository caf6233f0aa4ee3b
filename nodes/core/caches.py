"""The folder of this user's cache that is ours, and what in it nobody has opened for long."""

import contextlib
import shutil
import time
from pathlib import Path

from platformdirs import user_cache_path

KEPT = 30 * 24 * 3600
"""Seconds for which a folder that nobody opens stays in a cache."""


def cache_folder(part: str = "") -> Path:
    """All of it, or a part of it."""
    return user_cache_path("t2iflow") / part


def forget_old(cache: Path) -> None:
    """Remove what lies in a cache and was not opened for long."""
    for folder in cache.glob("*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > KEPT:
                shutil.rmtree(folder)
