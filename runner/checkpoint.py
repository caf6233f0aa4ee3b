"""Checkpoints: all that a run needs to go on as if it had never stopped, in one file of tensors and plain values."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

NAME = "checkpoint.pt"


class UnfitError(ValueError):
    """A checkpoint is damaged, or of another recipe."""


@dataclass
class Checkpoint:
    """Where a run stands: `item` of the plan, `turn` and `step` in it, and the memory of everything that has one."""

    item: int
    turn: int
    step: int
    parts: int
    trained: dict[str, list[Tensor]] = field(default_factory=dict)  # by canvas
    memories: dict[str, dict[str, Any]] = field(default_factory=dict)  # by node
    results: dict[str, Tensor] = field(default_factory=dict)  # finished pictures, by optimiser and camera

    def save(self, folder: Path) -> None:
        """Write it whole or not at all."""
        path = folder / NAME
        fresh = path.with_suffix(".new")
        torch.save(dict(vars(self)), fresh)
        with fresh.open("rb+") as file:
            os.fsync(file.fileno())
        fresh.replace(path)


def load(folder: Path) -> Checkpoint | None:
    """The run folder's checkpoint, if it has one; only tensors and plain values are read."""
    path = folder / NAME
    if not path.exists():
        return None
    try:
        return Checkpoint(**torch.load(path, map_location="cpu", weights_only=True))
    except Exception as fault:  # torch raises many kinds for a damaged file
        raise UnfitError(f"`{path}` is damaged; delete it, and the run starts again: {fault}") from fault
