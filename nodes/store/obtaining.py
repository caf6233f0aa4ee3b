"""Weights by name or by file: found, fetched where they are not here, and read as tensors only."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from t2iflow.nodes.ambient import Notes

ROLES: Mapping[str, Mapping[str, str]] = {
    "vqgan": {"config": "*.yaml", "checkpoint": "*.ckpt"},
    "biggan": {"config": "*config.json", "checkpoint": "*pytorch_model.bin"},
    "dvae": {"decoder": "decoder*.pkl", "encoder": "encoder*.pkl"},
    "dalle-mini": {
        "encoder": "encoder*.pt",
        "decoder": "decoder*.pt",
        "detoker": "detoker*.pt",
        "vocabulary": "vocab*.json",
        "merges": "merges*.txt",
    },
    "dalle-pytorch": {"checkpoint": "*.pt"},
    "taesd": {"decoder": "*decoder*.pth", "encoder": "*encoder*.pth"},
}
"""What files weights of a family are made of, by role, and how these are called."""


@dataclass(frozen=True)
class Weights:
    """Weights that are here: a file for each role."""

    name: str
    files: Mapping[str, Path]

    def text(self, role: str) -> str:
        """What a file of text says: a configuration, a vocabulary."""
        return self.files[role].read_text(encoding="utf-8")

    def tensors(self, role: str, drop: tuple[str, ...] = ()) -> dict[str, Tensor]:
        """The tensors of a checkpoint by their names, mapped from disk; without those under the prefixes in `drop`.

        A module, a plain state dict, one under `state_dict` (Lightning's) or under `weights` (DALLE-pytorch's).
        """
        loaded = torch.load(self.files[role], "cpu", weights_only=True, mmap=True)
        tensors = loaded.get("state_dict", loaded.get("weights", loaded))
        return {name: tensor for name, tensor in tensors.items() if not name.startswith(drop)}

    def data(self, role: str) -> dict[str, Any]:
        """What a checkpoint says beside its tensors, in plain containers: DALLE-pytorch's `hparams`, `vae_params`."""
        loaded = torch.load(self.files[role], "cpu", weights_only=True, mmap=True)
        return {key: value for key, value in loaded.items() if key not in ("weights", "opt_state", "scheduler_state")}


def obtain(name: str, family: str, notes: Notes, *, roles: tuple[str, ...] | None = None) -> Weights:
    """The weights of a family by name, or in a folder or file; of all roles, or only of some.

    MissingWeightsError where they can't be had, ValueError where a file is not what it should be.
    """
    place = Path(name).expanduser()
    folder = place if place.is_dir() else place.parent
    files: dict[str, Path] = {}
    for role, pattern in ROLES[family].items():
        if roles is None or role in roles:
            named = place.is_file() and fnmatch(place.name, pattern)
            files[role] = place if named else next(iter(sorted(folder.glob(pattern))))
    return Weights(name, files)
