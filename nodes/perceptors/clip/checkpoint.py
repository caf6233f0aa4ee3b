"""Files of CLIP weights: their tensors, and the architecture inferred from them."""

import math
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from t2iflow.nodes.weights.checkpoints import checkpoint as checkpoints

BOOKKEEPING = {"input_resolution", "context_length", "vocab_size"}
"""Buffers that only OpenAI's archives have."""


class Weights(NamedTuple):
    """What a file holds."""

    tensors: dict[str, Tensor]
    openai: bool
    """Whether it is an archive of OpenAI's, whose networks use QuickGELU."""


def read(path: Path) -> Weights:
    """The tensors in a file; ValueError if it is damaged or holds anything else."""
    content = checkpoints.read(path)
    tensors = {
        name: tensor for name, tensor in content.tensors().items() if not (content.archive and name in BOOKKEEPING)
    }
    return Weights(tensors, content.archive)


def is_archive(path: Path) -> bool:
    """Whether this is a TorchScript archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") and name.count("/") == 1 for name in archive.namelist())
    except zipfile.BadZipFile:
        return False


class Shape(NamedTuple):
    """What the tensors of a CLIP say of its architecture, as open_clip's configurations put it."""

    embed_dim: int
    vision_cfg: dict[str, Any]
    text_cfg: dict[str, Any]


HEAD_WIDTHS = {1280: 80, 1408: 88, 1664: 104}
"""Width of an attention head by width of the tower, where it isn't 64: open_clip's ViT-H, -g and -bigG."""


def shape(tensors: dict[str, Tensor]) -> Shape:
    """The architecture of a CLIP in OpenAI's form, as its own build_model finds it; KeyError for anything else."""
    sizes = {name: tensor.shape for name, tensor in tensors.items()}
    context, width = sizes["positional_embedding"]
    text = {
        "context_length": context,
        "vocab_size": sizes["token_embedding.weight"][0],
        "width": width,
        "heads": max(1, width // 64),
        "layers": _count(sizes, "transformer.resblocks."),
    }
    return Shape(sizes["text_projection"][1], _vision(sizes), text)


def _vision(sizes: dict[str, torch.Size]) -> dict[str, Any]:
    if "visual.proj" not in sizes:
        side = math.isqrt(sizes["visual.attnpool.positional_embedding"][0] - 1)
        layers = [_count(sizes, f"visual.layer{stage}.") for stage in (1, 2, 3, 4)]
        return {"layers": layers, "width": sizes["visual.layer1.0.conv1.weight"][0], "image_size": 32 * side}
    width, _, _, patch = sizes["visual.conv1.weight"]
    return {
        "layers": _count(sizes, "visual.transformer.resblocks."),
        "width": width,
        "head_width": HEAD_WIDTHS.get(width, min(64, width)),
        "patch_size": patch,
        "image_size": patch * math.isqrt(sizes["visual.positional_embedding"][0] - 1),
    }


def _count(names: dict[str, Any], prefix: str) -> int:
    """How many numbered parts there are under a prefix."""
    return len({name[len(prefix) :].split(".")[0] for name in names if name.startswith(prefix)})
