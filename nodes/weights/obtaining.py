"""Weights by name or by file: found, fetched where they are not here, and read as tensors only."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.ambient import Notes
from t2iflow.nodes.weights import finding, places
from t2iflow.nodes.weights.checkpoints.tensors import LONGEST, Content, read
from t2iflow.nodes.weights.records import KNOWN, ROLES


@dataclass(frozen=True)
class Weights:
    """Weights that are here: a file for each role."""

    name: str
    files: Mapping[str, Path]

    def text(self, role: str) -> str:
        """What a file of text says: a configuration, a vocabulary. ValueError for one that no family has."""
        path = self.files[role]
        if path.stat().st_size > LONGEST:
            raise ValueError(f"`{path.name}` of the weights `{self.name}` is longer than {LONGEST >> 20} MB")
        return path.read_text(encoding="utf-8")

    def tensors(self, role: str, drop: tuple[str, ...] = ()) -> dict[str, Tensor]:
        """The tensors of a checkpoint by their names, mapped from disk; without those under the prefixes in `drop`.

        A module, a plain state dict, one under `state_dict` (Lightning's) or under `weights` (DALLE-pytorch's).
        """
        return self._read(role, drop).tensors

    def data(self, role: str) -> dict[str, Any]:
        """What a checkpoint says beside its tensors, in plain containers: DALLE-pytorch's `hparams`, `vae_params`."""
        return self._read(role, ("",)).data  # every name begins with nothing

    def _read(self, role: str, drop: tuple[str, ...]) -> Content:
        advice = "fetch it again" + f": `t2iflow weights pull {self.name}`" * (self.name in KNOWN)
        return read(self.files[role], drop=drop, advice=advice)


def obtain(name: str, family: str, notes: Notes, *, roles: tuple[str, ...] | None = None) -> Weights:
    """The weights of a family by name, or in a folder or file; of all roles, or only of some.

    MissingWeightsError where they are unavailable or not those that they should be, ValueError where a checkpoint
    can't be read.
    """
    return Weights(name, finding.files(name, family, notes, tuple(ROLES[family]) if roles is None else roles))


def offers(name: str, family: str, role: str) -> bool:
    """Whether weights have a file for a role at all, be it here or still to be fetched."""
    record = places.find(name)
    if record is not None:
        return role in record.files
    return role in finding.beside(paths.given(name), family, (role,))
