"""Seamless pictures: convolutions that see, beyond an edge, what lies at the opposite one."""

import torch.nn.functional as F
from torch import Tensor, nn


def wrap(network: nn.Module) -> None:
    """Let all convolutions of a network see its picture as if it were laid side by side with itself."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and any(layer.padding):
            layer.padding_mode = "circular"


def convolved(x: Tensor, weight: Tensor, bias: Tensor, wraps: bool) -> Tensor:
    """A convolution that keeps height and width; beyond the edges is nothing, or the picture again."""
    around = weight.shape[-1] // 2
    if not (wraps and around):
        return F.conv2d(x, weight, bias, padding=around)
    return F.conv2d(F.pad(x, (around,) * 4, mode="circular"), weight, bias)
