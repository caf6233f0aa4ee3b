"""A small dVAE in the form of OpenAI's: one of 1024 codes, or a mixture of them, for each 8 x 8 pixels.

Ramesh et al. 2021, "Zero-Shot Text-to-Image Generation", section 2.1 and appendix A: a relaxed categorical code that is
ever more decided, and a head that tells how far it may be off. In place of the pull of every place's codes towards the
uniform, all places' together are pulled there: with few steps the former leaves too few codes in use.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from t2iflow.nodes.generators.dvae import Decoder, Encoder
from training.autoencoder import Painted
from training.pictures import Batch

CODES = 1024
BEGUN = 128
"""Features that a code stands for in the decoder."""
PAINTING, READING = 64, 32
"""Channels of the decoder and of the encoder where there are most pixels; 2, 4 and 8 times as many further in."""
BLOCKS = 2
"""Of each of the four groups."""
HEAT = (1.0, 1 / 16)
"""Temperature at the start, and from two thirds of the training on."""
LAPLACE = 0.05
SPREAD = 0.02
BRANCH = 0.25
"""How large a block's branch begins beside its shortcut."""


class Coder:
    """The encoder and the decoder."""

    def __init__(self) -> None:
        cpu = torch.device("cpu")
        self._encoder = Encoder(dict(_encoder()), "in training", cpu, torch.float32)
        self._decoder = Decoder(dict(_decoder()), "in training", cpu, torch.float32)
        self.networks = nn.ModuleDict({"encoder": self._encoder, "decoder": self._decoder})
        self.networks.requires_grad_(True)

    def paint(self, batch: Batch, progress: float) -> Painted:
        """Read, draw relaxed codes, paint."""
        logits = self._encoder(batch.images).float()
        first, last = HEAT
        heat = last ** min(1.0, 1.5 * progress) * first
        relaxed = nn.functional.gumbel_softmax(logits, heat, dim=1)
        raw, pictures = self._painted(relaxed)
        wanted, spread = torch.logit(0.8 * batch.images + 0.1), raw[:, 3:].clamp(-6, 3)
        surprise = ((wanted - raw[:, :3]).abs() * torch.exp(-spread) + spread).mean()
        shares = logits.softmax(1).mean((0, 2, 3))
        uneven = math.log(CODES) + (shares * torch.log(shares + 1e-10)).sum()
        told = {"surprise": surprise.item(), "perplexity": CODES * math.exp(-uneven.item()), "heat": heat}
        return Painted(pictures, LAPLACE * surprise + SPREAD * uneven, told)

    def reconstruct(self, batch: Batch) -> Tensor:
        """Read, take the likeliest codes, paint."""
        logits = self._encoder(batch.images)
        return self._painted(nn.functional.one_hot(logits.argmax(1), CODES).permute(0, 3, 1, 2).float())[1]

    def export(self, folder: Path) -> None:
        """Write `encoder_small.pkl` and `decoder_small.pkl`, plain tensors in half precision."""
        for role, network in self.networks.items():
            halved = {name: value.half().contiguous() for name, value in network.state_dict().items()}
            torch.save(halved, folder / f"{role}_small.pkl")

    def _painted(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Shares of codes (n, codes, h, w) to logits and spreads, (n, 6, height, width), and pictures in 0..1."""
        first = self._decoder.blocks.input
        raw: Tensor = self._decoder(nn.functional.conv2d(codes, first.w, first.b))
        return raw, (torch.sigmoid(raw[:, :3]) - 0.1) / 0.8


def _decoder() -> Iterator[tuple[str, Tensor]]:
    yield from _layer("blocks.input", CODES, BEGUN, 1, math.sqrt(CODES))  # a code's features begin about 1
    widths = [PAINTING * 2**level for level in (3, 2, 1, 0)]
    yield from _groups([BEGUN, *widths], (1, 3, 3, 3))
    yield from _layer("blocks.output.conv", widths[-1], 6, 1)


def _encoder() -> Iterator[tuple[str, Tensor]]:
    widths = [READING * 2**level for level in range(4)]
    yield from _layer("blocks.input", 3, widths[0], 7)
    yield from _groups([widths[0], *widths], (3, 3, 3, 1))
    yield from _layer("blocks.output.conv", widths[-1], CODES, 1)


def _groups(widths: list[int], sides: tuple[int, ...]) -> Iterator[tuple[str, Tensor]]:
    for group, made in enumerate(widths[1:], 1):
        for block in range(1, BLOCKS + 1):
            name = f"blocks.group_{group}.block_{block}"
            taken = widths[group - 1] if block == 1 else made
            inner = made // 4
            ends = zip((taken, inner, inner, inner), (inner, inner, inner, made), sides, strict=True)
            for number, (old, new, side) in enumerate(ends, 1):
                # The network multiplies what comes out by 1 / layers^2, which the four make up for in equal parts.
                gain = (BRANCH * (4 * BLOCKS) ** 2) ** 0.25 * (1 if number == 4 else math.sqrt(2))
                yield from _layer(f"{name}.res_path.conv_{number}", old, new, side, gain)
            if taken != made:
                yield from _layer(f"{name}.id_path", taken, made, 1)


def _layer(name: str, taken: int, made: int, side: int, gain: float = 1.0) -> Iterator[tuple[str, Tensor]]:
    yield f"{name}.w", torch.randn(made, taken, side, side) * gain / math.sqrt(taken * side * side)
    yield f"{name}.b", torch.zeros(made)
