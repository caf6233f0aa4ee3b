"""Checkpoints: all that a run needs to continue as if it had never stopped, in one file of tensors and plain values.

Two are kept, each with a digest at its end: where the last is damaged, the run resumes from the one before.
"""

import hashlib
import io
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from t2iflow.nodes.core.run_files import BEFORE, CHECKPOINT
from t2iflow.nodes.core.whole import sync, whole
from t2iflow.nodes.weights.checkpoints import pickles

SEAL = b"t2iflow checkpoint 1, blake2b: "
LENGTH = 32
"""Bytes of the digest, which follows the seal at the file's end."""
MOST_SHARED = 4
"""How many times over the tensors of a checkpoint may take what is stored of them: a few are the same picture."""


class DamagedError(ValueError):
    """A checkpoint, or what it relies on in the run folder, is not as it was written."""


class UnfitError(ValueError):
    """A checkpoint is whole, but of another recipe or plan."""


@dataclass
class Checkpoint:
    """Where a run stands: at an optimiser, `turn` and `step` of its work, and the memory of everything that has one."""

    optimizer: str
    turn: int
    step: int
    parts: int
    trained: dict[str, list[Tensor]] = field(default_factory=dict)  # by canvas
    memories: dict[str, dict[str, Any]] = field(default_factory=dict)  # by node
    results: dict[str, Tensor] = field(default_factory=dict)  # finished pictures, by optimiser and camera
    recipe: str = ""  # as it was while all this was painted

    def save(self, folder: Path) -> None:
        """Write it whole or not at all, and keep the one before it."""
        packed = io.BytesIO()
        torch.save({one.name: getattr(self, one.name) for one in fields(self)}, packed)
        packed.write(SEAL + _digest(packed.getbuffer()))
        path = folder / CHECKPOINT
        with whole(path) as fresh:
            with fresh.open("xb") as file:
                file.write(packed.getbuffer())
                file.flush()
                os.fsync(file.fileno())
            if os.path.exists(path):
                os.replace(path, folder / BEFORE)
        sync(folder)


def kept(folder: Path) -> Iterator[tuple[Path, Callable[[], Checkpoint]]]:
    """The checkpoints of a run folder, the last first, each with what reads it: DamagedError or UnfitError, if so."""
    for name in (CHECKPOINT, BEFORE):
        path = folder / name
        if path.is_symlink() or os.path.exists(path):
            yield path, lambda path=path: read(path)  # type: ignore[misc]


def read(path: Path) -> Checkpoint:
    """One checkpoint; only tensors and plain values are read."""
    try:
        packed = _unsealed(path)
        _survey(packed)
        content = torch.load(io.BytesIO(packed), map_location="cpu", weights_only=True)
        _check(content, len(packed))
        return Checkpoint(**content)
    except (DamagedError, UnfitError, OSError, MemoryError):  # what can't be read now may be whole
        raise
    except Exception as fault:  # untrusted bytes fail in zipfile, pickletools, torch and here
        raise DamagedError(f"`{path.name}` is damaged: its content makes no sense") from fault


def _digest(packed: bytes | memoryview) -> bytes:
    return hashlib.blake2b(packed, digest_size=LENGTH).digest()


def _unsealed(path: Path) -> bytes:
    """The content of the file, if it is as it was written."""
    if path.is_symlink() or not os.path.isfile(path):
        raise DamagedError(f"`{path.name}` is not a file of this run")
    data = path.read_bytes()
    packed, tail = data[: -LENGTH - len(SEAL)], data[-LENGTH - len(SEAL) :]
    if not tail.startswith(SEAL):
        raise DamagedError(f"`{path.name}` is damaged or cut short: its digest is missing")
    if _digest(packed) != tail[len(SEAL) :]:
        raise DamagedError(f"`{path.name}` is damaged: its digest does not match its content")
    return packed


def _survey(packed: bytes) -> None:
    """Refuse what would take more memory or time than a checkpoint of this size can need."""
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        entries = archive.infolist()
        program = next(entry for entry in entries if entry.filename.endswith("/data.pkl"))
        if sum(entry.file_size for entry in entries) > len(packed):
            raise DamagedError("the checkpoint is refused: it expands to more than it holds")
        pickles.follow(io.BytesIO(archive.read(program)))


def _check(content: Any, size: int) -> None:
    """Refuse what no run of ours has written."""
    if not isinstance(content, dict) or set(content) != {one.name for one in fields(Checkpoint)}:
        raise UnfitError("the checkpoint was written by another version of t2iflow")
    if not isinstance(content["optimizer"], str):
        raise UnfitError("the checkpoint names no optimiser")
    for name in ("turn", "step", "parts"):
        if type(content[name]) is not int or content[name] < (name == "parts"):
            raise UnfitError(f"the checkpoint says {name} {content[name]!r:.20}, which no run reaches")
    tensors = [
        tensor for value in (content["trained"], content["memories"], content["results"]) for tensor in _tensors(value)
    ]
    needed = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    if needed > MOST_SHARED * size or any(tensor.layout != torch.strided for tensor in tensors):
        raise UnfitError("the checkpoint is refused: its tensors take more memory than it holds")


def _tensors(value: Any) -> Iterator[Tensor]:
    waiting = [value]
    for _ in range(pickles.MOST):  # a few bytes can hold themselves twice, and so on, sixty times over
        if not waiting:
            return
        one = waiting.pop()
        if isinstance(one, Tensor):
            yield one
        elif isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list | tuple):
            waiting += one
    raise UnfitError("the checkpoint is refused: it expands without end")
