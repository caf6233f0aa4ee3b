"""Pictures made symmetric: one part of them, and its mirror images in place of the others."""

import math
from typing import Annotated, Literal, TypeAlias

import torch
import torch.nn.functional as F
from annotated_types import Interval
from torch import Tensor

from t2iflow.nodes.core.constants import constant

Symmetry: TypeAlias = Literal["left-right", "up-down", "both", "kaleidoscope"]
"""What is kept: the left half, the upper half, the upper left quarter, or a sector that points up."""

Sectors = Annotated[int, Interval(ge=2, le=64)]


def mirrored(image: Tensor, kind: Symmetry, sectors: int) -> Tensor:
    """A picture (n, c, h, w), made symmetric; `sectors` is how many pairs of mirrored sectors a kaleidoscope has."""
    if kind == "kaleidoscope":
        places = _folded(image.shape[-2], image.shape[-1], sectors, image.device)
        grid = places.to(image.dtype).expand(len(image), -1, -1, -1)
        return F.grid_sample(image, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    if kind != "up-down":
        image = _halved(image, -1)
    return image if kind == "left-right" else _halved(image, -2)


def _halved(image: Tensor, axis: int) -> Tensor:
    """The first half along an axis and its mirror image; a middle line stays."""
    side = image.shape[axis]
    first = image.narrow(axis, 0, side - side // 2)
    return torch.cat([first, first.narrow(axis, 0, side // 2).flip(axis)], axis)


@constant
def _folded(height: int, width: int, sectors: int, device: torch.device) -> Tensor:
    """Where each pixel of a kaleidoscope is read, (1, h, w, 2), edges at -1 and 1."""
    down, across = torch.meshgrid(
        *(torch.arange(side, dtype=torch.float64) + 0.5 - side / 2 for side in (height, width)), indexing="ij"
    )
    half = math.pi / sectors
    angle = torch.remainder(torch.atan2(across, -down), 2 * half)  # clockwise from straight up
    angle = half - (angle - half).abs()
    far = torch.hypot(across, down)
    places = torch.stack([far * angle.sin() / (width / 2), -far * angle.cos() / (height / 2)], -1)
    return places[None].float().to(device)
