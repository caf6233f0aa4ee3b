"""A tiny autoencoder in the form of TAESD's: 12 numbers for each 8 x 8 pixels, painted by a pyramid of convolutions.

Of the original (64 channels everywhere) it differs by widths alone: wide where there are few pixels, narrow where there
are many, so that a CPU paints it faster.
"""

import math
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from t2iflow.nodes.generators.taesd import Tiny
from training.autoencoder import Painted
from training.pictures import Batch

CHANNELS = 12
WIDTHS = (128, 64, 32, 16)
BLOCKS = (3, 2, 2, 1)
"""Of the decoder, from the fewest pixels to the most."""
READING = (1, 1, 1, 2)
"""Blocks of the encoder, from the most pixels to the fewest."""
NOISE = 0.15
"""Deviation of what is added to the code in training, so that codes near each other are pictures alike."""


class Coder:
    """The encoder and the decoder."""

    def __init__(self) -> None:
        cpu = torch.device("cpu")
        self.networks = nn.ModuleDict(
            {role: Tiny(start, "in training", cpu, torch.float32) for role, start in _starts().items()}
        )
        self.networks.requires_grad_(True)

    def paint(self, batch: Batch, progress: float) -> Painted:
        """Read, add noise, paint."""
        decoder: Any = self.networks["decoder"]
        bound, *layers = decoder
        code = bound(self.networks["encoder"](batch.images).float())
        # Noise that were bounded as well would be nothing where numbers are large, and all of them would become so.
        pictures = reduce(lambda x, layer: layer(x), layers, code + NOISE * torch.randn_like(code))
        return Painted(pictures, 1e-3 * code.square().mean(), {"spread": code.std().item()})

    def reconstruct(self, batch: Batch) -> Tensor:
        """Read and paint."""
        painted: Tensor = self.networks["decoder"](self.networks["encoder"](batch.images))
        return painted

    def export(self, folder: Path) -> None:
        """Write `small_encoder.pth` and `small_decoder.pth`, in half precision."""
        for role, network in self.networks.items():
            halved = {name: value.half().contiguous() for name, value in network.state_dict().items()}
            torch.save(halved, folder / f"small_{role}.pth")


def _starts() -> dict[str, dict[str, Tensor]]:
    """Weights to begin with, by the names and places of TAESD's layers."""
    decoder = Layers(1)  # the bound is the first
    decoder.convolution(CHANNELS, WIDTHS[0])
    decoder.place += 1  # its ReLU
    for level, (width, blocks) in enumerate(zip(WIDTHS, BLOCKS, strict=True)):
        if level:
            decoder.place += 1  # doubling
            decoder.convolution(WIDTHS[level - 1], width, bias=False)
        decoder.blocks(width, blocks)
    decoder.convolution(WIDTHS[-1], 3)
    encoder = Layers(0)
    widths: Sequence[int] = WIDTHS[::-1]
    encoder.convolution(3, widths[0])
    for level, (width, blocks) in enumerate(zip(widths, READING, strict=True)):
        if level:
            encoder.convolution(widths[level - 1], width, bias=False)
        encoder.blocks(width, blocks)
    encoder.convolution(widths[-1], CHANNELS)
    return {"decoder": decoder.tensors, "encoder": encoder.tensors}


class Layers:
    """Random tensors for layers, one after another."""

    def __init__(self, place: int) -> None:
        self.place = place
        self.tensors: dict[str, Tensor] = {}

    def convolution(self, taken: int, made: int, bias: bool = True, name: str = "", gain: float = 1.0) -> None:
        """A layer of its own, or with a name a part of the one that is being made."""
        key = f"{self.place}.{name}"
        self.tensors[f"{key}weight"] = torch.randn(made, taken, 3, 3) * gain / math.sqrt(9 * taken)
        if bias:
            self.tensors[f"{key}bias"] = torch.zeros(made)
        self.place += not name

    def blocks(self, width: int, number: int) -> None:
        """Blocks of three convolutions, the last of which is small: a block begins as little more than its shortcut."""
        for _ in range(number):
            for place, gain in ((0, math.sqrt(2)), (2, math.sqrt(2)), (4, 0.2)):
                self.convolution(width, width, name=f"conv.{place}.", gain=gain)
            self.place += 1
