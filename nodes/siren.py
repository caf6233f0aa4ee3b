"""A picture as a small network of sines from position to colour, the canvas of Deep Daze.

Sitzmann et al. 2020, "Implicit Neural Representations with Periodic Activation Functions"; sizes and figures of Deep
Daze 0.11 (2021). The whole network is one autograd function: positions pass through in strips that stay in the
processor's cache, and the cosines that the backward pass needs are computed in the forward pass.
"""

import math
from typing import Annotated, Any, Literal

import torch
from annotated_types import Interval
from torch import Tensor

from t2iflow.nodes.core.ambient import Random
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.precision import Precision, dtype_of
from t2iflow.nodes.core.types import Count, Factor, Image, Means, Positive, Size
from t2iflow.nodes.optimizing.target import fit
from t2iflow.nodes.pictures.border import Border
from t2iflow.nodes.pictures.motion import Motion
from t2iflow.nodes.pictures.resampling import reach
from t2iflow.nodes.pictures.resizing import fitted


@node
class Canvas:
    """A picture painted by a network of sines.

    `layers` of `width` sines each and a linear one for the colours; `w0` is the frequency of the sines: higher paints
    finer detail. `output` brings colours into 0..1: `clamp` is Deep Daze's clamped (y + 1) / 2; `sigmoid` (of 3 y)
    never stops the gradient. The shorter side of the picture spans -1..1.

    `scale`: draw at this fraction of `size`, for a sketch, which takes a quarter of the time at 0.5.

    `init`: a picture to start from; `start_steps` and `start_rate`: the steps and rate of Adam with which the network
    is fitted to it, and to every frame of a zoom. Deep Daze takes 10 steps of DiffGrad at 3e-4.

    `pace`: a factor on the optimiser's rate; for sharing an optimiser with a canvas of another kind, whose rate may be
    a hundred times higher.

    `seamless`: opposite edges meet, so that the picture can be laid side by side with itself (see `images.roll`):
    places lie on two circles instead of in a plane.

    `precision`: what the hidden layers compute in; `auto` is bfloat16 where the device has it (twice as fast, half the
    memory, colours exact to about 0.002).
    """

    usual_rate = 2e-4

    def __init__(
        self,
        random: Random,
        device: torch.device,
        init: Image | None = None,
        *,
        size: Size = (512, 512),
        scale: Annotated[float, Interval(gt=0, le=1), Means("resized")] = 1.0,
        layers: Annotated[int, Interval(ge=1, le=64)] = 16,
        width: Annotated[int, Interval(ge=8, le=2048)] = 256,
        w0: Positive = 30.0,
        output: Literal["clamp", "sigmoid"] = "clamp",
        start_steps: Count = 100,
        start_rate: Factor = 3e-4,
        pace: Positive = 1.0,
        seamless: bool = False,
        precision: Precision = "auto",
    ) -> None:
        self._size = size = (_scaled(size[0], scale), _scaled(size[1], scale))
        self.pace = pace
        self._w0, self._output = w0, output
        self._start_steps, self._start_rate = start_steps, start_rate
        self._dtype = dtype_of(precision, device)
        self._seamless = seamless
        self._places = (_around(size) if seamless else _places(size)).to(device)
        self._strip = 2048 if device.type == "cpu" else len(self._places)
        self._parameters = []
        for number, ends in enumerate(
            zip([self._places.shape[1], *[width] * layers], [*[width] * layers, 3], strict=True)
        ):
            bound = 1 / 2 if number == 0 else (6 / width) ** 0.5 / w0
            for shape in ((ends[1], ends[0]), (ends[1],)):
                values = random.uniform(*shape, low=-bound, high=bound)
                self._parameters.append(values.requires_grad_())
        if init is not None:
            self.repaint(init)

    def __call__(self) -> Image:
        """The whole picture."""
        colours = self._colours()
        painted = torch.sigmoid(3 * colours) if self._output == "sigmoid" else ((colours + 1) / 2).clamp(0, 1)
        width, height = self._size
        return Image(painted.T.reshape(1, 3, height, width))

    def trainable(self) -> list[Tensor]:
        """Weight and bias of each layer in turn."""
        return self._parameters

    def repaint(self, image: Image) -> None:
        """Fit the network to the picture for `start_steps` steps."""
        target = fitted(image.detach(), self._size)[0].flatten(1).T.clamp(0, 1)
        # Before the last function, where a colour that was cut off still has a gradient.
        wanted = target * 2 - 1 if self._output == "clamp" else torch.logit(target, eps=0.02) / 3
        fit(self._parameters, self._colours, wanted, self._start_steps, self._start_rate)

    @torch.no_grad()
    def move(self, motion: Motion, border: Border) -> bool:
        """Take on an affine motion, exactly, in the first layer; beyond its border the network paints on. A seamless
        picture takes on a pan that wraps."""
        affine = motion.affine(reach(self._size))
        if affine is None:
            return False
        if self._seamless:
            return border == "wrap" and self._turned(affine)
        # Here down comes before across, and the outermost pixels' middles, not their edges, are what spans -1..1.
        stretch = torch.tensor([side / max(side - 1, 1) for side in reversed(self._size)], dtype=affine.dtype)
        linear, shift = affine[:, :2].flip(0, 1) * stretch[:, None] / stretch, affine[:, 2].flip(0) * stretch
        weight, bias = self._parameters[:2]
        bias += weight @ shift.to(weight)
        weight.copy_(weight @ linear.to(weight))
        return True

    def _turned(self, affine: Tensor) -> bool:
        """Take on a pan by turning the circles; False for another motion."""
        if not torch.equal(affine[:, :2], torch.eye(2, dtype=affine.dtype)):
            return False
        weight = self._parameters[0]
        for first, shift, side in zip((0, 2), affine[:, 2].flip(0), reversed(self._size), strict=True):
            angle = shift * math.pi * min(self._size) / side
            turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()]).view(2, 2).to(weight)
            weight[:, first : first + 2] = weight[:, first : first + 2] @ turn
        return True

    def _colours(self) -> Tensor:
        """Three numbers around 0 for each place, (h * w, 3)."""
        settings = (self._w0, self._dtype, self._strip)
        colours: Tensor = _Sines.apply(self._places, *settings, *self._parameters)  # type: ignore[no-untyped-call]
        return colours


class _Sines(torch.autograd.Function):
    """The network, (places, 2) to (places, 3), with gradients for its weights alone.

    The first and the last layer compute in float32: in bfloat16 the first would put places in the wrong pixel.
    """

    @staticmethod
    def forward(ctx: Any, places: Tensor, w0: float, dtype: torch.dtype, strip: int, *parameters: Tensor) -> Tensor:
        *hidden, last, last_bias = parameters
        weights = [(weight * w0).to(dtype if number else weight.dtype) for number, weight in enumerate(hidden[0::2])]
        biases = [(bias * w0).to(dtype if number else bias.dtype) for number, bias in enumerate(hidden[1::2])]
        colours = []
        ctx.strips = []
        for x in places.split(strip):
            inputs, slopes = [], []
            for weight, bias in zip(weights, biases, strict=True):
                inputs.append(x)
                phase = torch.addmm(bias, x, weight.T)
                slopes.append(phase.cos().to(dtype))
                x = phase.sin_().to(dtype)
            inputs.append(x)
            colours.append(torch.addmm(last_bias, x.float(), last.T))
            ctx.strips.append((inputs, slopes))
        ctx.weights, ctx.last, ctx.w0, ctx.strip = weights, last, w0, strip
        return torch.cat(colours)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        weights = [torch.zeros_like(weight, dtype=torch.float32) for weight in (*ctx.weights, ctx.last)]
        biases = [weight.new_zeros(len(weight)) for weight in weights]

        def gather(layer: int, wanted: Tensor, inputs: Tensor) -> None:
            # A product, because a sum of bfloat16 would be taken in a float32 copy.
            biases[layer] += (wanted.new_ones(1, len(wanted)) @ wanted)[0]
            if wanted.dtype == torch.float32:
                weights[layer].addmm_(wanted.T, inputs)
            else:
                weights[layer] += wanted.T @ inputs

        for wanted, (inputs, slopes) in zip(gradient.split(ctx.strip), ctx.strips, strict=True):
            gather(-1, wanted, inputs[-1].float())
            flow = (wanted @ ctx.last).to(inputs[-1].dtype)
            for layer in reversed(range(len(slopes))):
                flow.mul_(slopes[layer])
                if layer == 0:
                    gather(0, flow.float(), inputs[0])
                else:
                    gather(layer, flow, inputs[layer])
                    flow = flow @ ctx.weights[layer]
        scales = [*[ctx.w0] * len(ctx.weights), 1.0]
        pairs = [tensor.mul_(scale) for *pair, scale in zip(weights, biases, scales, strict=True) for tensor in pair]
        return None, None, None, None, *pairs


def _scaled(side: int, scale: float) -> int:
    """A side in whole pixels."""
    return max(round(side * scale), 1)


def _places(size: Size) -> Tensor:
    """Down and across of each pixel, row by row, (h * w, 2); the shorter side from -1 to 1."""
    width, height = size
    short = min(size)
    down, across = (torch.linspace(-length / short, length / short, length) for length in (height, width))
    return torch.stack(torch.meshgrid(down, across, indexing="ij"), -1).view(-1, 2)


def _around(size: Size) -> Tensor:
    """The same as places on a circle for down and one for across, as long as the sides, (h * w, 4)."""
    short = min(size)
    turns = [torch.arange(side) * (2 * math.pi / side) for side in reversed(size)]
    circles = [
        torch.stack([turn.cos(), turn.sin()], -1) * (2 * side / short / (2 * math.pi))
        for turn, side in zip(turns, reversed(size), strict=True)
    ]
    down, across = circles
    lines, columns = len(down), len(across)
    return torch.cat([down[:, None].expand(-1, columns, -1), across.expand(lines, -1, -1)], -1).reshape(-1, 4)
