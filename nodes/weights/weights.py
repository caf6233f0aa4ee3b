"""Weights that are here, read as tensors only."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from t2iflow.nodes.core.shelf import identity
from t2iflow.nodes.weights.checkpoints.checkpoint import Checkpoint, read
from t2iflow.nodes.weights.checkpoints.containers import LONGEST
from t2iflow.nodes.weights.published import KNOWN


@dataclass(frozen=True)
class Weights:
    """A file for each role; `looked` are checkpoints that were looked into already."""

    name: str
    files: Mapping[str, Path]
    looked: dict[str, Checkpoint] = field(default_factory=dict, repr=False, compare=False)

    @property
    def identity(self) -> Hashable:
        """What tells these weights from others, as a shelf must know."""
        return self.name, identity(self.files)

    def text(self, role: str) -> str:
        """What a file of text says: a configuration, a vocabulary. ValueError for one that no family has."""
        path = self.files[role]
        if path.stat().st_size > LONGEST:
            raise ValueError(f"`{path.name}` of the weights `{self.name}` is longer than {LONGEST >> 20} MB")
        try:
            return path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as fault:
            raise ValueError(f"`{path.name}` of the weights `{self.name}` is not text in UTF-8") from fault

    def tensors(self, role: str, drop: tuple[str, ...] = ()) -> dict[str, Tensor]:
        """The tensors of a checkpoint by their names, mapped from disk; without those under the prefixes in `drop`.

        A module, a plain state dict, one under `state_dict` (Lightning's) or under `weights` (DALLE-pytorch's).
        """
        return self._checkpoint(role).tensors(drop)

    def data(self, role: str) -> dict[str, Any]:
        """What a checkpoint says beside its tensors, in plain containers: DALLE-pytorch's `hparams`, `vae_params`."""
        return self._checkpoint(role).data

    def _checkpoint(self, role: str) -> Checkpoint:
        if role not in self.looked:
            advice = "fetch it again" + f": `t2iflow weights pull {self.name}`" * (self.name in KNOWN)
            self.looked[role] = read(self.files[role], advice)
        return self.looked[role]
