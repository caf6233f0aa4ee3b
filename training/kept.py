"""What takes long to find, kept in files: by one process, while others wait for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from t2iflow.nodes.core.whole import whole


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Within it, no other process is within the same for this path, whose folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f"{path.name}.lock")):
        yield


def kept(path: Path, find: Callable[[], Any]) -> Any:
    """The tensors that a file holds; where there is none, they are found and written."""
    with alone(path):
        if not path.is_file():
            with whole(path) as fresh:
                torch.save(find(), fresh)
    return torch.load(path, weights_only=True)
