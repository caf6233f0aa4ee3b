"""Colours as the eye measures them: CIE L*a*b*, in which equal distances look alike."""

import torch
from torch import Tensor

from t2iflow.nodes.core.constants import table

TO_XYZ = (
    (0.4124564 / 0.95047, 0.3575761 / 0.95047, 0.1804375 / 0.95047),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339 / 1.08883, 0.1191920 / 1.08883, 0.9503041 / 1.08883),
)
"""From linear sRGB to XYZ, each as a part of white (D65)."""
KNEE, SLOPE = 216 / 24389, 24389 / 27
"""Below which the cube root is a line, and how steep that is."""


def lab(image: Tensor) -> Tensor:
    """Pictures (n, 3, h, w) of sRGB in 0..1 to L* (0..1) and a*, b* (about -1..1), each a hundredth of its usual
    figure."""
    pixels = image.clamp(0, 1)
    linear = torch.where(pixels > 0.04045, ((pixels + 0.055) / 1.055).clamp(min=1e-3) ** 2.4, pixels / 12.92)
    parts = torch.einsum("xc,nchw->nxhw", table(TO_XYZ, image.device).to(image.dtype), linear)
    f = torch.where(parts > KNEE, parts.clamp(min=KNEE) ** (1 / 3), (SLOPE * parts + 16) / 116)
    x, y, z = f.unbind(1)
    return torch.stack([1.16 * y - 0.16, 5 * (x - y), 2 * (y - z)], 1)


def tint(image: Tensor) -> Tensor:
    """The mean and the deviation of L*, a* and b* over all pixels, (2, 3)."""
    colours = lab(image)
    spread = (colours.var((0, 2, 3), correction=0) + 1e-8).sqrt()
    return torch.stack([colours.mean((0, 2, 3)), spread])
