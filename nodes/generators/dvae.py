"""OpenAI's dVAE, with which DALL-E sees and paints: for every 8 x 8 pixels one of 8192 codes, or a mixture of them.

Ramesh et al. 2021, "Zero-Shot Text-to-Image Generation"; networks and names of tensors as in the DALL-E package 0.1,
sizes follow from the tensors. The networks are frozen.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2iflow.nodes.generators.wrapping import convolved
from t2iflow.nodes.weights.checkpoints.filling import fill

BLOCK = re.compile(r"blocks\.group_(\d+)\.block_(\d+)\.res_path\.conv_4\.w")
FIRST, LAST = "blocks.input.w", "blocks.output.conv.w"


class Decoder(nn.Module):
    """From the features of codes to a picture's logits.

    `rows`, (codes, features): what each code stands for, the first layer's weight; `bias`: what is added to them. Both
    are in float32, as the original has them. Where it `wraps`, pictures are seamless.
    """

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        name: str,
        device: torch.device,
        dtype: torch.dtype,
        wraps: bool = False,
    ) -> None:
        super().__init__()
        self.blocks = Blocks(tensors, name, (1, 3, 3, 3))
        fill(self, tensors, name)
        for layer in self.modules():
            if isinstance(layer, Convolution):
                layer.wraps = wraps
        first = self.blocks.input
        self.rows = first.w.detach()[:, :, 0, 0].T.to(device, torch.float32)
        self.bias = first.b.detach().to(device, torch.float32)
        self.blocks.place(device, dtype)
        self.factor = 2 ** (len(self.blocks.groups) - 1)

    def forward(self, x: Tensor) -> Tensor:
        """Features (1, features, h, w) to (1, 6, height, width).

        Of red, green and blue first the logits, then the logarithms of how far they may be off.
        """
        x = x.to(self.blocks.input.w.dtype)
        for number, group in enumerate(self.blocks.groups):
            for place, block in enumerate(group):
                x = block(x, doubled=number > 0 and place == 0)
        logits: Tensor = self.blocks.output(x).float()
        return logits


class Encoder(nn.Module):
    """From a picture to logits of codes."""

    def __init__(self, tensors: Mapping[str, Tensor], name: str, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__()
        self.blocks = Blocks(tensors, name, (3, 3, 3, 1))
        fill(self, tensors, name)
        self.blocks.place(device, dtype)
        self.blocks.output.float()  # as the original has it

    def forward(self, image: Tensor) -> Tensor:
        """(1, 3, height, width) in 0..1 to logits (1, codes, h, w)."""
        x = self.blocks.input(0.8 * image + 0.1)
        for number, group in enumerate(self.blocks.groups):
            x = F.max_pool2d(x, 2) if number else x
            for block in group:
                x = block(x)
        logits: Tensor = self.blocks.output(x)
        return logits


class Blocks(nn.Module):
    """Groups of blocks between a first and a last convolution, without values yet; `sides` of the layers of a block."""

    def __init__(self, tensors: Mapping[str, Tensor], name: str, sides: tuple[int, ...]) -> None:
        super().__init__()
        found = [match for match in map(BLOCK.fullmatch, tensors) if match]
        places = sorted((int(match[1]), int(match[2]), match[0]) for match in found)
        if not places or not {FIRST, LAST} <= tensors.keys():
            raise ValueError(f"the weights `{name}` are not those of a dVAE: there is no `{FIRST}`, `{LAST}`")
        with torch.device("meta"):
            self.input = Convolution(*tensors[FIRST].shape[:3])
            width = len(tensors[FIRST])
            self.groups: list[list[Block]] = []
            for number, group in groupby(places, lambda place: place[0]):
                blocks = []
                for _, _, key in group:
                    made = len(tensors[key])
                    blocks.append(Block(width, made, sides, gain=1 / len(places) ** 2))
                    width = made
                self.groups.append(blocks)
                named = {f"block_{place}": block for place, block in enumerate(blocks, 1)}
                self.add_module(f"group_{number}", nn.ModuleDict(named))
            last = Convolution(len(tensors[LAST]), width, 1)
        self.output = nn.Sequential(OrderedDict(relu=nn.ReLU(), conv=last))

    def place(self, device: torch.device, dtype: torch.dtype) -> None:
        """Go to a device and a format, the channels of each pixel together, as convolutions are fastest."""
        self.to(device, dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]


class Block(nn.Module):
    """Four convolutions of rectified channels in a bottleneck, times `gain`, beside a shortcut."""

    def __init__(self, taken: int, made: int, sides: tuple[int, ...], gain: float) -> None:
        super().__init__()
        inner = made // 4
        ends = zip((taken, inner, inner, inner), (inner, inner, inner, made), sides, strict=True)
        self.layers = [Convolution(new, old, side) for old, new, side in ends]
        self.res_path = nn.ModuleDict({f"conv_{number}": layer for number, layer in enumerate(self.layers, 1)})
        self.id_path = Convolution(made, taken, 1) if taken != made else None
        self.gain = gain

    def forward(self, x: Tensor, doubled: bool = False) -> Tensor:
        """(1, taken, h, w) to (1, made, h, w); `doubled`: as if x were twice as high and wide, each pixel four times.

        Where the first layer sees single pixels this is the same, for a quarter of its work and of the shortcut's.
        """
        first, *others = self.layers
        inner = first(F.relu(x))
        x = x if self.id_path is None else self.id_path(x)
        if doubled:
            x, inner = (F.interpolate(one, scale_factor=2.0, mode="nearest") for one in (x, inner))
        for layer in others:
            inner = layer(F.relu_(inner))
        return x.add_(inner, alpha=self.gain)  # in place: no gradient asks for what was there


class Convolution(nn.Module):
    """A convolution that keeps height and width, and computes in the format of its weight."""

    def __init__(self, made: int, taken: int, side: int) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.empty(made, taken, side, side))
        self.b = nn.Parameter(torch.empty(made))
        self.wraps = False

    def forward(self, x: Tensor) -> Tensor:
        """(1, taken, h, w) to (1, made, h, w)."""
        return convolved(x.to(self.w.dtype), self.w, self.b, self.wraps)


def mixed(
    logits: Tensor,
    rows: Tensor,
    temperature: float = 1.0,
    noise: Tensor | None = None,
    choose: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """What codes stand for, each as much as it is likely, (places, features).

    `logits` (parts, places, codes) and `rows` (parts, codes, features): each part has a softmax of its own, of logits /
    `temperature` + `noise` (which is overwritten), and what comes of them is added up. With `choose`, from likelihoods
    to numbers of codes (parts, places), these alone are taken, and the gradient is as if all were.
    """
    features: Tensor = _Mixed.apply(logits, rows, temperature, noise, choose)  # type: ignore[no-untyped-call]
    return features


def chosen(codes: Tensor, rows: Tensor) -> Tensor:
    """What the codes (parts, places) stand for, added up, (places, features)."""
    return torch.stack([own[numbers] for own, numbers in zip(rows, codes, strict=True)]).sum(0)


class _Mixed(torch.autograd.Function):
    """One product each way, and of all that is as large as the logits only the likelihoods are kept between."""

    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        rows: Tensor,
        temperature: float,
        noise: Tensor | None,
        choose: Callable[[Tensor], Tensor] | None,
    ) -> Tensor:
        scaled = logits / temperature
        likely = torch.softmax(scaled if noise is None else noise.add_(scaled), -1)
        features = likely @ rows
        ctx.save_for_backward(likely, features, rows)
        ctx.temperature = temperature
        return features.sum(0) if choose is None else chosen(choose(likely), rows)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        likely, features, rows = ctx.saved_tensors
        gradient = gradient / ctx.temperature
        pull = gradient @ rows.transpose(1, 2)
        # The mean pull of a part's codes, without another pass over all of them.
        pull -= (gradient * features).sum(-1, keepdim=True)
        return pull.mul_(likely), None, None, None, None
