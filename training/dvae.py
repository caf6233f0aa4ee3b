"""A small dVAE in the form of OpenAI's: one of 1024 codes, or a mixture of them, for each 8 x 8 pixels.

Ramesh et al. 2021, "Zero-Shot Text-to-Image Generation", section 2.1 and appendix A, with its networks and its head
that estimates its own error. Codes are those of `training.codes`, in place of relaxed ones that are learnt with the
rest: the encoder learns how near each is, and the decoder paints from one or from those that are near.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from t2iflow.nodes.generators.dvae import Decoder, Encoder
from training.autoencoder import Painted
from training.codes import CODES, Codes
from training.evaluate import perplexity
from training.pictures import Batch

BEGUN = 128
"""Features that a code stands for in the decoder."""
PAINTING, READING = 64, 32
"""Channels of the decoder and of the encoder where there are most pixels; 2, 4 and 8 times as many further in."""
BLOCKS = 2
"""Of each of the four groups."""
NEAR = 0.5
"""Squared distance in what codes stand for over which one is less likely by e."""
LAPLACE, SURPRISE = 0.05, 0.05
"""Weights of the head's loss and of the encoder's."""
BRANCH = 0.25
"""How large a block's branch begins beside its shortcut."""


class Coder:
    """The encoder and the decoder."""

    def __init__(self, codes: Codes) -> None:
        cpu = torch.device("cpu")
        self._codes = codes
        self._encoder = Encoder(dict(_encoder()), "in training", cpu, torch.float32)
        self._decoder = Decoder(dict(_decoder(codes.centres.cpu())), "in training", cpu, torch.float32)
        self.networks = nn.ModuleDict({"encoder": self._encoder, "decoder": self._decoder})
        self.networks.requires_grad_(True)

    def paint(self, batch: Batch, progress: float) -> Painted:
        """Paint one half from codes, and the other from mixtures of those that are near."""
        read, numbers = self._codes.read(batch.images)
        apart = torch.cdist(read.permute(0, 2, 3, 1).flatten(0, 2), self._codes.centres).square()
        likely = torch.softmax(-apart / NEAR, 1).unflatten(0, numbers.shape).permute(0, 3, 1, 2)
        logits = self._encoder(batch.images).float()
        surprise = nn.functional.cross_entropy(logits, likely)
        half = (torch.arange(len(read), device=read.device) % 2 == 0)[:, None, None, None]
        raw, pictures = self._painted(torch.where(half, _decided(numbers), likely))
        wanted, spread = torch.logit(0.8 * batch.images + 0.1), raw[:, 3:].clamp(-6, 3)
        off = ((wanted - raw[:, :3]).abs() * torch.exp(-spread) + spread).mean()
        told = {"perplexity": perplexity(numbers), "surprise": surprise.item(), "laplace": off.item()}
        return Painted(pictures, LAPLACE * off + SURPRISE * surprise, told)

    def reconstruct(self, batch: Batch) -> Tensor:
        """Read, take the likeliest codes, paint."""
        return self._painted(_decided(self._encoder(batch.images).argmax(1)))[1]

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


def _decided(numbers: Tensor) -> Tensor:
    """Numbers of codes (n, h, w) as shares, all of one each, (n, codes, h, w)."""
    return nn.functional.one_hot(numbers, CODES).permute(0, 3, 1, 2).float()


def _decoder(centres: Tensor) -> Iterator[tuple[str, Tensor]]:
    channels = centres.shape[1]
    mixed = torch.randn(BEGUN, channels) / math.sqrt(channels)
    yield "blocks.input.w", (mixed @ centres.T)[:, :, None, None]  # codes that are near begin with features alike
    yield "blocks.input.b", torch.zeros(BEGUN)
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
