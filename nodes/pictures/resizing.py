"""Pictures in another size, low-passed where they shrink."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from t2iflow.nodes.core.constants import constant
from t2iflow.nodes.core.types import Size
from t2iflow.nodes.pictures.resampling import lanczos

Fit = Literal["fill", "squeeze"]
"""Into another shape: `fill` it and crop what overhangs, or `squeeze` it."""


def like(picture: Tensor, image: Tensor) -> Tensor:
    """A picture squeezed to the size of an image."""
    height, width = image.shape[-2:]
    return picture if picture.shape[-2:] == image.shape[-2:] else resized(picture, (width, height), "squeeze")


def resized(image: Tensor, size: Size, fit: Fit) -> Tensor:
    """Any number of channels in another size, 0..1."""
    if fit == "fill":
        image = _cut(image, size)
    height, width = image.shape[-2:]
    if (width, height) == tuple(size):
        return image
    across = _shares(width, size[0], image.device)
    down = _shares(height, size[1], image.device)
    return (down @ image @ across.T).clamp(0, 1)


def _cut(image: Tensor, size: Size) -> Tensor:
    """The middle of the image, in the shape of this size."""
    height, width = image.shape[-2:]
    wide = min(width, max(1, round(height * size[0] / size[1])))
    high = min(height, max(1, round(width * size[1] / size[0])))
    left, top = (width - wide) // 2, (height - high) // 2
    return image[..., top : top + high, left : left + wide]


@constant
def _shares(old: int, new: int, device: torch.device) -> Tensor:
    """The weight of each old pixel in each new one, (new, old)."""
    scale = max(old / new, 1.0)
    centres = (torch.arange(new, dtype=torch.float64) + 0.5) * old / new - 0.5
    away = (torch.arange(old) - centres[:, None]) / scale
    return lanczos(away).float().to(device)


def fitted(image: Tensor, size: Size) -> Tensor:
    """The first picture of a batch in another size, (1, 3, h, w), low-passed where it shrinks."""
    width, height = size
    return F.interpolate(image[:1], (height, width), mode="bilinear", antialias=True, align_corners=False)
