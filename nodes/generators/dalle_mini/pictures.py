"""DALL-E mini from a prompt to codes, and from codes to pictures.

Follows min-dalle 0.4 (Brett Kuprel 2022). Each network is loaded when it is needed and forgotten then, so that memory
holds the largest, not all; unless later runs of the process may need them.
"""

import math
from typing import Any

import torch
from torch import Tensor

from t2iflow.nodes.core.ambient import Notes
from t2iflow.nodes.core.shelf import Shelf
from t2iflow.nodes.generators.dalle_mini.text import tokens
from t2iflow.nodes.generators.dalle_mini.transformer import Network, Reader, Sampling, Writer, built, draw
from t2iflow.nodes.generators.vqgan.layout import Layout
from t2iflow.nodes.generators.vqgan.network import Painter
from t2iflow.nodes.weights.checkpoints.filling import filled
from t2iflow.nodes.weights.weights import Weights


def rows(weights: Weights, role: str, name: str) -> int:
    """How many rows a tensor of a file has; ValueError where there is no such tensor."""
    tensors = weights.tensors(role)
    if name not in tensors:
        raise ValueError(f"the weights `{weights.name}` are not those of DALL-E mini: the {role} has no {name}")
    return len(tensors[name])


@torch.no_grad()
def codes(
    prompt: str,
    weights: Weights,
    chances: Tensor,
    sampling: Sampling,
    batch: int,
    dtype: torch.dtype,
    notes: Notes,
    shelf: Shelf,
) -> Tensor:
    """Codes of pictures, (pictures, side, side), as chances (pictures, side * side) have it, `batch` at a time."""
    device, side = chances.device, math.isqrt(chances.shape[1])
    known = rows(weights, "detoker", "embedding.weight")
    reader = shelf.for_large.get(_part, Reader, "encoder", weights, device, dtype)
    text = tokens(prompt, weights, reader.length, notes).to(device)
    read = reader(text)
    del reader
    writer = shelf.for_large.get(_part, Writer, "decoder", weights, device, dtype)
    drawn = []
    for number, some in enumerate(chances.split(batch)):
        first = number * batch + 1
        notes.say(f"drawing pictures {first} to {first + len(some) - 1} of {len(chances)}, {side} x {side} codes each")
        # min-dalle starts from the last code; Dayma's own start token is the one after it.
        begun = writer.begin(text, read, len(some))
        drawn.append(draw(begun, some, sampling, known=known, start=known - 1, notes=notes))
        del begun  # its memory, before the next batch takes as much
    return torch.cat(drawn).view(-1, side, side)


def _part(kind: type[Network], role: str, weights: Weights, device: torch.device, dtype: torch.dtype) -> Network:
    return built(kind, weights.tensors(role), weights.name, device, dtype)


@torch.no_grad()
def pictures(codes: Tensor, weights: Weights, dtype: torch.dtype, shelf: Shelf) -> Tensor:
    """Pictures in 0..1 of codes (n, h, w), one at a time, which takes no longer than all at once."""
    painter = shelf.for_large.get(_painter, weights, codes.device, dtype)
    book = painter.quantize["embedding"]
    # This VQGAN was trained to paint in 0..1, unlike taming's own.
    painted = [painter(book(some).permute(0, 3, 1, 2)).float().clamp(0, 1) for some in codes.split(1)]
    return torch.cat(painted).contiguous()


def _painter(weights: Weights, device: torch.device, dtype: torch.dtype) -> Any:
    tensors = dict(weights.tensors("detoker"))
    tensors["quantize.embedding.weight"] = tensors.pop("embedding.weight")
    try:
        layout = Layout.of(tensors)
    except KeyError as fault:
        raise ValueError(f"the weights `{weights.name}` are not those of DALL-E mini: there is no {fault}") from fault
    # torch 2.13 does not say that `to` takes a memory format.
    painter: Any = filled(lambda: Painter(layout), tensors, weights.name)
    return painter.to(device, dtype).to(memory_format=torch.channels_last)


def side_by_side(codes: Tensor) -> Tensor:
    """Codes of n * n pictures (n * n, h, w) as those of one, (1, n * h, n * w)."""
    number = math.isqrt(len(codes))
    rows: Tensor = codes.unflatten(0, (number, number)).transpose(1, 2)
    return rows.flatten(2).flatten(0, 1)[None]
