"""Tensors that take long to find, kept in files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock


def kept(path: Path, find: Callable[[], Any]) -> Any:
    """What a file holds; where there is none, it is found and written, by one process while others wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if not path.is_file():
            scratch = path.with_suffix(".part")
            torch.save(find(), scratch)
            scratch.replace(path)
    return torch.load(path, weights_only=True)
