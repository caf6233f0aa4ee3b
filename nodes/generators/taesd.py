"""TAESD: tiny autoencoders that stand in for those of diffusion models, in a few megabytes.

Ollin Boer Bohan 2023, github.com/madebyollin/taesd; all of the family that are one sequence of convolutions and blocks
(taesd, taesdxl, taesd3, taef1, taef2, and the 32-fold ones), sizes and layers as the tensors say. Nothing of the
networks is trained.
"""

import re
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2iflow.nodes.weights.checkpoints.filling import fill

PLACE = re.compile(r"(?:layers\.)?(\d+)\.(.+)")
REACH = 3.0
"""Where the decoder softly bounds what it paints from, to both sides of 0."""


class Tiny(nn.Sequential):
    """The layers that have tensors; those without any are inferred from their neighbours."""

    def __init__(self, tensors: Mapping[str, Tensor], name: str, device: torch.device, dtype: torch.dtype) -> None:
        found: dict[int, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            match = PLACE.fullmatch(key)
            if match is None:
                raise ValueError(f"the weights `{name}` are not those of a tiny autoencoder: it has no `{key}`")
            found.setdefault(int(match[1]), {})[match[2]] = tensor
        decodes = 0 not in found
        with torch.device("meta"):
            layers = [self._layer(number, found, decodes) for number in range(max(found, default=-1) + 1)]
        super().__init__(*layers)
        fill(self, {key.removeprefix("layers."): tensor for key, tensor in tensors.items()}, name)
        placed: Any = self.to(device, dtype)  # torch 2.13 does not say that `to` takes a memory format
        placed.to(memory_format=torch.channels_last)
        halvings = sum(layer.stride[0] == 2 for layer in layers if isinstance(layer, nn.Conv2d))
        self.factor = 2 ** max(halvings, sum(isinstance(layer, nn.Upsample) for layer in layers))
        convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
        taken, made = (convolutions[0].in_channels, convolutions[-1].out_channels) if convolutions else (0, 0)
        colours, self.channels = (made, taken) if decodes else (taken, made)
        if colours != 3:
            raise ValueError(f"the weights `{name}` are of pictures with {colours} channels, not red, green and blue")

    @staticmethod
    def _layer(number: int, found: Mapping[int, Mapping[str, Tensor]], decodes: bool) -> nn.Module:
        tensors = found.get(number)
        if tensors is None:
            if number == 0:
                return Bound()
            before = found.get(number - 1, {})
            return nn.ReLU() if "bias" in before else nn.Upsample(scale_factor=2)
        if "weight" in tensors:
            made, taken = tensors["weight"].shape[:2]
            # In an encoder those halve that have no bias, or a layer without tensors after them.
            halves = not decodes and ("bias" not in tensors or (number + 1 not in found and number < max(found)))
            return nn.Conv2d(taken, made, 3, 2 if halves else 1, 1, bias="bias" in tensors)
        return Block(tensors)


class Bound(nn.Module):
    """Keep what the decoder paints from within 3 to both sides of 0, softly."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape."""
        return torch.tanh(x / REACH) * REACH


class Block(nn.Module):
    """Three convolutions beside a shortcut; in the middle of taef2, after a glance at the whole channel group."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        made, taken = tensors["conv.0.weight"].shape[:2] if "conv.0.weight" in tensors else (0, 0)
        ends = ((taken, made), (made, made), (made, made))
        first, *others = (nn.Conv2d(old, new, 3, padding=1) for old, new in ends)
        self.conv = nn.Sequential(first, nn.ReLU(), others[0], nn.ReLU(), others[1])
        self.skip = nn.Conv2d(taken, made, 1, bias=False) if "skip.weight" in tensors else nn.Identity()
        self.pool: nn.Module | None = None
        if "pool.0.weight" in tensors:
            wide = len(tensors["pool.0.weight"])
            widen, narrow = nn.Conv2d(taken, wide, 1, bias=False), nn.Conv2d(wide, taken, 1, bias=False)
            self.pool = nn.Sequential(widen, nn.GroupNorm(4, wide), nn.ReLU(), narrow)

    def forward(self, x: Tensor) -> Tensor:
        """(n, taken, h, w) to (n, made, h, w)."""
        if self.pool is not None:
            x = x + self.pool(x)
        return F.relu(self.conv(x) + self.skip(x))
