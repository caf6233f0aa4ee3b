"""BigGAN-deep as it is stored: what config.json says, and the places of the tensors in pytorch_model.bin.

The files of pytorch-pretrained-biggan 0.1 (Wolf 2019). Nothing is computed with the modules here: they are what a
checkpoint must fit, name by name, before `t2iflow.nodes.generators.biggan.network` folds it into a network.
"""

import math

import torch
from pydantic import BaseModel, Field, ValidationError
from torch import nn

from t2iflow.nodes.weights.checkpoints.filling import filled
from t2iflow.nodes.weights.weights import Weights


class Layout(BaseModel, frozen=True):
    """What config.json says.

    A layer is whether it doubles the size, and its channels in and out in units of `channel_width`; the attention comes
    before the block of number `attention_layer_position`. `n_stats` truncations have statistics of their own.
    """

    z_dim: int
    num_classes: int
    channel_width: int
    layers: list[tuple[bool, int, int]] = Field(min_length=1)
    attention_layer_position: int
    eps: float
    n_stats: int = Field(ge=2)

    @property
    def side(self) -> int:
        """Width and height of the pictures."""
        side: int = 4 * 2 ** sum(doubles for doubles, _, _ in self.layers)
        return side

    @property
    def rows(self) -> int:
        """How many rows of noise and classes a picture is painted from: one for the start and one for each block."""
        return len(self.layers) + 1


def read(weights: Weights) -> "tuple[Layout, Stored]":
    """Weights in their places; ValueError where the configuration says too little or the tensors don't fit it."""
    try:
        layout = Layout.model_validate_json(weights.text("config"))
    except ValidationError as fault:
        faults = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}".removeprefix(": ") for one in fault.errors())
        message = f"the weights `{weights.name}` have no configuration of BigGAN-deep: {'; '.join(faults)}"
        raise ValueError(message) from None
    return layout, filled(lambda: Stored(layout), weights.tensors("checkpoint"), weights.name)


class Stored(nn.Module):
    """The places of all tensors."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.embeddings = nn.Linear(layout.num_classes, layout.z_dim, bias=False)
        self.generator = StoredGenerator(layout)


class StoredGenerator(nn.Module):
    """Those of all layers, of the start and of the colours."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        width, condition = layout.channel_width, 2 * layout.z_dim
        self.gen_z = Biased(4 * 4 * 16 * width, condition)
        self.layers = nn.ModuleList()
        for number, (doubles, taken, made) in enumerate(layout.layers):
            if number == layout.attention_layer_position:
                self.layers.append(StoredAttention(taken * width))
            self.layers.append(StoredBlock(taken * width, made * width, doubles, layout.n_stats, condition))
        self.bn = FixedNorm(width, layout.n_stats)
        self.conv_to_rgb = Biased(width, width, 3, 3)


class StoredBlock(nn.Module):
    """Those of a block, which has a quarter of its channels inside."""

    def __init__(self, taken: int, made: int, doubles: bool, truncations: int, condition: int) -> None:
        super().__init__()
        self.doubles, self.made, inner = doubles, made, taken // 4
        layers = ((taken, inner, 1), (inner, inner, 3), (inner, inner, 3), (inner, made, 1))
        self.norms = [ConditionedNorm(old, truncations, condition) for old, _, _ in layers]
        self.convolutions = [Biased(new, old, side, side) for old, new, side in layers]
        for number, (norm, convolution) in enumerate(zip(self.norms, self.convolutions, strict=True)):
            self.add_module(f"bn_{number}", norm)
            self.add_module(f"conv_{number}", convolution)


class StoredAttention(nn.Module):
    """Those of the attention."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.snconv1x1_theta = Spectral(channels // 8, channels, 1, 1)
        self.snconv1x1_phi = Spectral(channels // 8, channels, 1, 1)
        self.snconv1x1_g = Spectral(channels // 2, channels, 1, 1)
        self.snconv1x1_o_conv = Spectral(channels, channels // 2, 1, 1)
        self.gamma = nn.Parameter(torch.empty(1))


class Norm(nn.Module):
    """Those of a normalisation's means and variances, a row for each of the truncations from 0 to 1."""

    def __init__(self, channels: int, truncations: int) -> None:
        super().__init__()
        self.running_means = nn.Parameter(torch.empty(truncations, channels))
        self.running_vars = nn.Parameter(torch.empty(truncations, channels))


class FixedNorm(Norm):
    """Those of a normalisation with one scale and shift for all pictures."""

    def __init__(self, channels: int, truncations: int) -> None:
        super().__init__(channels, truncations)
        self.weight = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))


class ConditionedNorm(Norm):
    """Those of a normalisation whose scale and shift are made of a condition."""

    def __init__(self, channels: int, truncations: int, condition: int) -> None:
        super().__init__(channels, truncations)
        self.scale = Spectral(channels, condition)
        self.offset = Spectral(channels, condition)


class Spectral(nn.Module):
    """Those of a weight and its largest singular value's vectors, as torch.nn.utils.spectral_norm keeps them."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.weight_orig = nn.Parameter(torch.empty(shape))
        self.weight_u = nn.Parameter(torch.empty(shape[0]))
        self.weight_v = nn.Parameter(torch.empty(math.prod(shape[1:])))


class Biased(Spectral):
    """Those of such a weight and a bias."""

    def __init__(self, *shape: int) -> None:
        super().__init__(*shape)
        self.bias = nn.Parameter(torch.empty(shape[0]))
