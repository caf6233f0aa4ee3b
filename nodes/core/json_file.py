"""JSON files of ours, read as far as they are well."""

import contextlib
import json
from pathlib import Path
from typing import Any

from t2iflow.nodes.core import paths

MOST = 100_000_000
"""Bytes of a file that are read."""


def read(path: Path, most: int = MOST) -> dict[str, Any]:
    """The mapping in a file; an empty one where there is no file, or a crash or somebody's edit left something else."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        said = json.loads(paths.read_start(path, most))
        return said if isinstance(said, dict) else {}
    return {}
