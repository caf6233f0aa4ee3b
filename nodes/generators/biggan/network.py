"""BigGAN-deep's generator: a picture from a row of noise and a mixture of ImageNet's classes for each of its blocks.

Brock et al. 2018, "Large Scale GAN Training for High Fidelity Natural Image Synthesis", as in pytorch-pretrained-biggan
0.1 (Wolf 2019); a row for each block is Big Sleep's (Wang 2021), with the same row for all it is BigGAN. A picture is
painted at a time, so that a block's condition is a plain scale and shift of its channels.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from t2iflow.nodes.generators.biggan import checkpoint as checkpoint
from t2iflow.nodes.generators.wrapping import convolved
from t2iflow.nodes.weights.weights import Weights


class BigGAN:
    """The generator, with gradients for what it paints from alone; what never changes is folded when it is made.

    Where it `wraps`, pictures are seamless.
    """

    def __init__(
        self, weights: Weights, truncation: float, device: torch.device, dtype: torch.dtype, wraps: bool = False
    ) -> None:
        self._wraps = wraps
        self.layout, stored = checkpoint.read(weights)
        generator = stored.generator
        fold = Fold(truncation, self.layout.eps, device, dtype)
        self._embeddings = stored.embeddings.weight.to(device, torch.float32)
        self._start = fold.weight(generator.gen_z), generator.gen_z.bias.to(device, torch.float32)
        self._layers: list[Block | Attention] = []
        for layer in generator.layers:
            if isinstance(layer, checkpoint.StoredBlock):
                self._layers.append(Block(layer, fold, wraps))
            elif isinstance(layer, checkpoint.StoredAttention):
                self._layers.append(Attention(layer, fold))
        self._statistics = fold.statistics(generator.bn)
        self._scale, self._shift = (one.to(device, torch.float32) for one in (generator.bn.weight, generator.bn.bias))
        weight, bias = fold.convolution(generator.conv_to_rgb)
        self._colours = weight[:3], bias[:3]  # no picture shows the others
        self._dtype = dtype

    def __call__(self, noise: Tensor, classes: Tensor) -> Tensor:
        """Noise (rows, 128) and shares of classes (rows, 1000) to a picture (1, 3, side, side) in -1..1."""
        conditions = iter(torch.cat([noise, F.linear(classes, self._embeddings)], 1))
        x = F.linear(next(conditions), *self._start).view(1, 4, 4, -1).permute(0, 3, 1, 2).to(self._dtype)
        for layer in self._layers:
            x = layer(x, next(conditions)) if isinstance(layer, Block) else layer(x)
        x = F.batch_norm(x, *self._statistics, self._scale, self._shift, eps=self.layout.eps)
        return convolved(F.relu_(x), *self._colours, self._wraps).float().tanh()


class Block:
    """Four convolutions in a bottleneck, each of normalised, conditioned and rectified channels, beside a shortcut."""

    def __init__(self, stored: checkpoint.StoredBlock, fold: "Fold", wraps: bool) -> None:
        self._wraps = wraps
        self._statistics = [fold.statistics(norm) for norm in stored.norms]
        self._convolutions = [fold.convolution(convolution) for convolution in stored.convolutions]
        linears = [fold.weight(linear) for norm in stored.norms for linear in (norm.scale, norm.offset)]
        self._conditions, self._lengths = torch.cat(linears), [len(linear) for linear in linears]  # one product for 8
        self._doubles, self._made, self._eps = stored.doubles, stored.made, fold.eps

    def __call__(self, x: Tensor, condition: Tensor) -> Tensor:
        """(1, channels, h, w) to (1, made, h, w), or twice as high and wide."""
        shortcut = x[:, : self._made]
        conditions = iter(F.linear(condition, self._conditions).split(self._lengths))
        for number, ((mean, variance), (weight, bias)) in enumerate(
            zip(self._statistics, self._convolutions, strict=True)
        ):
            x = F.batch_norm(x, mean, variance, 1 + next(conditions), next(conditions), eps=self._eps)
            x = F.relu_(x)
            if number == 1 and self._doubles:
                x, shortcut = (F.interpolate(one, scale_factor=2.0, mode="nearest") for one in (x, shortcut))
            x = convolved(x, weight, bias, self._wraps)
        return x + shortcut


class Attention:
    """Each place takes what it asks for from the largest of every four places (Zhang et al. 2018)."""

    def __init__(self, stored: checkpoint.StoredAttention, fold: "Fold") -> None:
        self._ask, self._offer, self._give = (
            fold.kernel(one) for one in (stored.snconv1x1_theta, stored.snconv1x1_phi, stored.snconv1x1_g)
        )
        self._out = fold.kernel(stored.snconv1x1_o_conv, stored.gamma)

    def __call__(self, x: Tensor) -> Tensor:
        """(1, channels, h, w) to the same."""
        offered, given = (F.max_pool2d(F.conv2d(x, kernel), 2) for kernel in (self._offer, self._give))
        query, key, value = (
            one.flatten(2).transpose(1, 2)[:, None] for one in (F.conv2d(x, self._ask), offered, given)
        )
        taken = F.scaled_dot_product_attention(query, key, value, scale=1.0)[:, 0]  # (1, h * w, channels / 2)
        return x + F.conv2d(taken.transpose(1, 2).unflatten(2, x.shape[2:]), self._out)


class Fold:
    """How what is stored becomes what is computed with: at a truncation, on a device, convolutions in `dtype`.

    Conditions are in float32: they are small and decide on whole channels.
    """

    def __init__(self, truncation: float, eps: float, device: torch.device, dtype: torch.dtype) -> None:
        self.eps = eps
        self._truncation, self._device, self._dtype = truncation, device, dtype

    def weight(self, stored: checkpoint.Spectral) -> Tensor:
        """A weight divided by its largest singular value, as the stored vectors estimate it."""
        weight = stored.weight_orig.float()
        largest = stored.weight_u.float() @ weight.flatten(1) @ stored.weight_v.float()
        return (weight / largest).to(self._device)

    def kernel(self, stored: checkpoint.Spectral, gain: Tensor | None = None) -> Tensor:
        """Such a weight of a convolution, times a gain."""
        weight = self.weight(stored)
        weight = weight if gain is None else weight * gain.to(self._device)
        return weight.to(self._dtype, memory_format=torch.channels_last)

    def convolution(self, stored: checkpoint.Biased) -> tuple[Tensor, Tensor]:
        """Weight and bias of a convolution."""
        return self.kernel(stored), stored.bias.to(self._device, self._dtype)

    def statistics(self, stored: checkpoint.Norm) -> tuple[Tensor, Tensor]:
        """Means and variances of channels at the truncation.

        Between two truncations that are stored the nearer one counts less, not more: a slip of pytorch-pretrained-
        biggan's, kept so that pictures are the same. It is without effect at 1.0.
        """
        rest, whole = math.modf(self._truncation / (1.0 / (len(stored.running_means) - 1)))
        lower = int(whole)
        means, variances = (
            rows[lower] if rest == 0.0 else rows[lower] * rest + rows[lower + 1] * (1 - rest)
            for rows in (stored.running_means, stored.running_vars)
        )
        return means.to(self._device, torch.float32), variances.to(self._device, torch.float32)
