"""How a run is watched while it goes on, without torch: whoever looks says so in its folder, and the run then keeps a
small picture there, which is another several times a second."""

import contextlib
import os
import time
from pathlib import Path

LIVE, WATCHED = ".live.jpg", ".watched"
"""The picture, and the file whose date says when somebody last looked."""
ATTENTION = 5.0
"""Seconds for which a look counts."""


def watch(folder: Path) -> None:
    """Say that somebody looks now; a folder that can't be written is watched by what else its run writes."""
    with contextlib.suppress(OSError):
        flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        os.close(os.open(folder / WATCHED, flags, 0o666))
        os.utime(folder / WATCHED)


def is_watched(folder: Path) -> bool:
    """Whether somebody looks."""
    try:
        return time.time() - (folder / WATCHED).stat().st_mtime < ATTENTION
    except OSError:
        return False
