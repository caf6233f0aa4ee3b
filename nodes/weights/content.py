"""What a file of weights looks like: not a web page, not cut short, of the expected size and digest."""

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from t2iflow.nodes.weights.records import File

if TYPE_CHECKING:
    from t2iflow.nodes.weights.checkpoints.checkpoint import Checkpoint

TEXTS = (".yaml", ".yml", ".json", ".txt")
ROUNDED = 2.0
"""By what factor a file may differ from a size that is only stated roughly."""

DIGEST = re.compile("[0-9a-f]{64}")


class WrongFileError(ValueError):
    """A file is not what it should be."""


def examine(path: Path, name: str, file: File | None = None) -> "Checkpoint | None":
    """The checkpoint that a file is, None for a text; WrongFileError where it can't be what its name says, or is not of
    the published size."""
    size = path.stat().st_size
    with path.open("rb") as opened:
        head = opened.read(4096)
    if head[:512].lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        raise WrongFileError("it is a web page")
    if file and file.exact and size != file.size:
        raise WrongFileError(f"it has {size} bytes, not {file.size}")
    if file and file.size and not file.size / ROUNDED <= size <= file.size * ROUNDED:
        raise WrongFileError(f"it has {amount(size)}, not about {amount(file.size)}")
    if name.endswith(TEXTS):
        if not head.strip() or b"\0" in head:
            raise WrongFileError("it is no text")
        if name.endswith((".yaml", ".yml")) and head.lstrip().startswith(b"{"):  # as servers report their errors
            raise WrongFileError("it isn't the YAML of a configuration")
        return None
    from t2iflow.nodes.weights.checkpoints import checkpoint  # which imports torch, and a list of weights needs none

    try:
        return checkpoint.survey(path)
    except ValueError as fault:
        raise WrongFileError(str(fault)) from fault


def sha256(path: Path) -> str:
    """The digest of the file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 22):
            digest.update(chunk)
    return digest.hexdigest()


def brief(text: str) -> str:
    """A digest by its beginning, and any other text as it is."""
    return f"{text[:12]}..." if DIGEST.fullmatch(text) else text


def amount(size: float) -> str:
    """Bytes as people say them: `958 MB`."""
    for unit in ("bytes", "kB", "MB"):
        if size < 999.5:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
