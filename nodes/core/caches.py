"""Folders of a cache that nobody has opened for long."""

import contextlib
import shutil
import time
from pathlib import Path

KEPT = 30 * 24 * 3600
"""Seconds for which a folder that nobody opens stays in a cache."""


def forget_old(cache: Path) -> None:
    """Remove what lies in a cache and was not opened for long."""
    for folder in cache.glob("*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > KEPT:
                shutil.rmtree(folder)
