"""How well autoencoders reconstruct held-out photographs, through the nodes that recipes use."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from t2iflow.nodes import dvae, taesd, vqgan
from t2iflow.nodes.core.ambient import SILENCE, Random
from t2iflow.nodes.core.types import Image
from training.features import Features, distance
from training.pictures import whole

SIZE = (224, 224)
CANVASES: dict[str, Callable[..., Any]] = {
    "taesd": taesd.Canvas,
    "vqgan": partial(vqgan.Canvas, steer="codebook"),
    "dvae": partial(dvae.Canvas, softmax="plain"),
}
"""How each family's weights are painted with."""


@torch.no_grad()
def evaluate(family: str, weights: str, work: Path) -> dict[str, float]:
    """Of 15 photographs' middles: PSNR in dB, and distance in features of EfficientNet-Lite2 (1.1: nothing alike).

    Where there are codes, they are as decided as in a finished picture; `perplexity` is of those in use.
    """
    features = Features("lite2", torch.float32)
    pictures = whole(work, SIZE[0])
    noises, distances, used = [], [], []
    for picture in pictures.split(1):
        canvas = CANVASES[family](
            Random(0), torch.device("cpu"), SILENCE, Image(picture), weights=weights, size=SIZE, precision="float32"
        )
        with canvas.finished() if hasattr(canvas, "finished") else nullcontext():
            painted = canvas() if family == "taesd" else canvas(Random(0))
        again: Tensor = getattr(painted, "image", painted)
        noises.append((again - picture).square().mean())
        distances.append(distance(features(again), features(picture)))
        used.append(canvas.trainable()[0].argmax(-1).flatten())
    told = {"psnr": _mean([-10 * torch.log10(noise) for noise in noises]), "distance": _mean(distances)}
    if family != "taesd":
        told["perplexity"] = perplexity(torch.cat(used))
    return told


def _mean(values: list[Tensor]) -> float:
    return torch.stack(values).mean().item()


def perplexity(numbers: Tensor) -> float:
    """How many codes are in use, as if all that are were as common."""
    shares = torch.bincount(numbers.flatten()).float()
    shares = shares[shares > 0] / shares.sum()
    return float(torch.exp(-(shares * shares.log()).sum()))
