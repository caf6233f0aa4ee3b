"""Embeddings from files, which others computed: of texts, of pictures, or directions that were trained."""

from pathlib import Path

import numpy
import torch
from safetensors.torch import load_file
from torch import Tensor

MOST = 64 * 2**20
"""Bytes of a file."""
ENDINGS = (".pt", ".pth", ".npy", ".safetensors")


def read(path: Path) -> Tensor:
    """The embeddings in a file, (k, d), of unit length; ValueError for anything else. Reading runs no code."""
    if path.suffix.lower() not in ENDINGS:
        raise ValueError(f"`{path.name}` is not a file of embeddings, which end in {', '.join(ENDINGS)}")
    if path.stat().st_size > MOST:
        raise ValueError(f"`{path.name}` is larger than {MOST >> 20} MB, so it is not a file of embeddings")
    try:
        found = _loaded(path)
    except OSError:
        raise
    except Exception as fault:  # whatever the libraries make of strangers' bytes
        raise ValueError(f"`{path.name}` can't be read as numbers: it is damaged, or holds something else") from fault
    rows = found.detach().squeeze().float()  # what was trained may still ask for gradients
    rows = rows[None] if rows.ndim == 1 else rows
    if rows.ndim != 2 or not len(rows) or not torch.isfinite(rows).all() or not (rows.norm(dim=1) > 0).all():
        shape = " x ".join(map(str, found.shape))
        raise ValueError(
            f"`{path.name}` holds no embeddings: one row of numbers for each is needed, not {shape or 'one'}"
        )
    return torch.nn.functional.normalize(rows, dim=1)


def _loaded(path: Path) -> Tensor:
    if path.suffix.lower() == ".npy":
        return torch.from_numpy(numpy.load(path, allow_pickle=False).astype("float32"))
    if path.suffix.lower() == ".safetensors":
        (tensor,) = load_file(path).values()
        return tensor
    found = torch.load(path, map_location="cpu", weights_only=True)
    tensor = next(iter(found.values())) if isinstance(found, dict) and len(found) == 1 else found
    return tensor if isinstance(tensor, Tensor) else torch.tensor(tensor)
