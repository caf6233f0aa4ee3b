"""TAESD: decoder and encoder with random weights, sequences of layers as madebyollin/taesd saves them."""

from pathlib import Path

import torch
from torch import Tensor

DECODER, ENCODER = "c b b b / b b b / b b b / b c", "c b \\ b b b \\ b b b \\ b b b c"
"""The layers: convolutions, blocks, doublings and halvings, each of the last two with a convolution without bias."""


def make(folder: Path, full: bool = False, middle: bool = True) -> Path:
    """Write taef2_decoder.pth and taef2_encoder.pth; gives the folder.

    Small ones have 8 channels within and 4 in what is painted from; full ones 64 and 32. The three blocks in the
    `middle` glance at groups of channels, as those of taef2 do, and those of taesd don't.
    """
    folder.mkdir(parents=True, exist_ok=True)
    width, latent = (64, 32) if full else (8, 4)
    for role, plan, ends in (("decoder", DECODER, (latent, 3)), ("encoder", ENCODER, (3, latent))):
        torch.save(_tensors(role, plan, width, ends, middle), folder / f"taef2_{role}.pth")
    return folder


def _tensors(role: str, plan: str, width: int, ends: tuple[int, int], middle: bool) -> dict[str, Tensor]:
    chance = torch.Generator().manual_seed(0)
    tensors: dict[str, Tensor] = {}

    def convolution(name: str, taken: int, made: int, side: int = 3, bias: bool = True, gain: float = 1.4) -> None:
        fan = taken * side * side
        tensors[f"{name}.weight"] = torch.randn(made, taken, side, side, generator=chance) * (gain / fan**0.5)
        if bias:
            tensors[f"{name}.bias"] = torch.randn(made, generator=chance) * 0.1

    signs = plan.split()
    blocks = [place for place, sign in enumerate(signs) if sign == "b"]
    within = set(blocks[:3] if role == "decoder" else blocks[-3:]) if middle else set()
    number = 1 if role == "decoder" else 0  # a decoder begins by a bound
    for place, sign in enumerate(signs):
        taken = ends[0] if place == 0 else width
        made = ends[1] if place == len(signs) - 1 else width
        if sign == "b":
            for layer in (0, 2, 4):
                convolution(f"{number}.conv.{layer}", width, width, gain=0.4 if layer == 4 else 1.4)
            if place in within:
                convolution(f"{number}.pool.0", width, 4 * width, side=1, bias=False)
                for part, value in (("weight", 1.0), ("bias", 0.0)):
                    tensors[f"{number}.pool.1.{part}"] = torch.full((4 * width,), value)
                convolution(f"{number}.pool.3", 4 * width, width, side=1, bias=False, gain=0.4)
        elif sign == "c":
            convolution(str(number), taken, made, gain=1.4 if place == 0 else 0.3)
            number += role == "decoder" and place == 0  # which is rectified
        else:
            number += sign == "/"  # a doubling is a layer of its own, a halving the convolution's stride
            convolution(str(number), width, width, bias=False)
        number += 1
    if role == "decoder":
        tensors[f"{number - 1}.bias"] += 0.5
    return tensors
