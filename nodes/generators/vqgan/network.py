"""VQGAN: a picture as a grid of codes from a learnt codebook, and the convolutions that paint it.

Esser et al. 2021, "Taming Transformers for High-Resolution Image Synthesis", as taming-transformers saves it: a yaml
and a checkpoint of Lightning's. The layers are that package's own. How they are called is written here: with the fused
swish and attention, a normalization of our own, and channels last, a step on a CPU takes a third less time and an
eighth to a fifth less memory. Nothing that the yaml names is imported.
"""

import contextlib
import io
from typing import Any

import torch
import torch.nn.functional as F
from taming.modules.diffusionmodules.model import AttnBlock, Decoder, Encoder, ResnetBlock
from torch import Tensor, nn

from t2iflow.nodes.generators.grid import remaining
from t2iflow.nodes.generators.vqgan.enlarging import Enlarged
from t2iflow.nodes.generators.vqgan.group_norm import normalized, swished
from t2iflow.nodes.generators.vqgan.layout import Layout
from t2iflow.nodes.generators.wrapping import wrap
from t2iflow.nodes.weights.checkpoints.filling import filled
from t2iflow.nodes.weights.weights import Weights

PARTS = ("encoder.", "quant_conv.", "quantize.", "post_quant_conv.", "decoder.", "loss.")
AROUND = ("transformer.", "cond_stage_model.", "permuter.")
MOST = 2048
"""Places whose nearest codes are sought at a time: with 16384 codes that takes 128 MiB."""


class VQGAN:
    """Codes and their painter; their reader is loaded when the first picture comes in, and stays.

    `codes` (n, channels), float32: the codebook without those of the numbers `without`. All else computes in `dtype`.
    Where it `wraps`, pictures are seamless.
    """

    def __init__(
        self, weights: Weights, without: list[int], device: torch.device, dtype: torch.dtype, wraps: bool = False
    ) -> None:
        self._weights, self._device, self._dtype = weights, device, dtype
        self.layout = Layout.read(weights.text("config"), weights.name)
        number = self.layout.n_embed
        remaining(without, number)
        self._kept = torch.tensor(sorted(set(range(number)) - set(without)), device=device) if without else None
        painter = self._filled(Painter, "post_quant_conv.", "decoder.", f"quantize.{self.layout.book}.")
        # Apart from the network's own tensor, which changes its format with the others.
        codes: Tensor = painter.quantize[self.layout.book].weight.detach().float()
        del painter.quantize
        self.codes = codes if self._kept is None else codes[self._kept]
        if wraps:
            wrap(painter)
        for level in painter.decoder.up:  # a transposed convolution can't wrap
            if hasattr(level, "upsample") and level.upsample.with_conv and not wraps:
                level.upsample = Enlarged(level.upsample.conv)
        self._painter = painter.to(dtype=dtype, memory_format=torch.channels_last)
        self._reader: Reader | None = None

    def decode(self, z: Tensor) -> Tensor:
        """Codes in a grid (1, channels, h, w) to a picture (1, 3, h * factor, w * factor) around -1..1."""
        picture: Tensor = self._painter(z.to(self._dtype, memory_format=torch.channels_last))
        return picture.float().contiguous()

    def nearness(self, image: Tensor) -> Tensor:
        """How well each code stands for each place of pictures (b, 3, h, w) in 0..1: (places, n), more is better."""
        if self._reader is None:
            reader = self._filled(Reader, "encoder.", "quant_conv.", "quantize.proj.")
            self._reader = reader.to(dtype=self._dtype, memory_format=torch.channels_last)
        read = self._reader((image * 2 - 1).to(self._dtype, memory_format=torch.channels_last))
        places: Tensor = read.float().permute(0, 2, 3, 1).flatten(0, 2)
        if self.layout.book == "embedding":
            return nearness(places, self.codes)
        return places if self._kept is None else places[:, self._kept]

    def _filled(self, kind: "type[Painter] | type[Reader]", *parts: str) -> Any:
        """A part of the network with its tensors, on the device, in the format in which they are stored."""
        prefix = self.layout.prefix
        unwanted = tuple(prefix + part for part in PARTS if not any(own.startswith(part) for own in parts))
        read = self._weights.tensors("checkpoint", drop=(*unwanted, *AROUND))
        tensors = {name.removeprefix(prefix): tensor for name, tensor in read.items() if name.startswith(prefix)}
        wanted = {name: tensor for name, tensor in tensors.items() if name.startswith(parts)}
        return filled(lambda: kind(self.layout), wanted, self._weights.name).to(self._device)


class Painter(nn.Module):
    """From codes to a picture, with the names of the checkpoint."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.quantize = nn.ModuleDict({layout.book: nn.Embedding(layout.n_embed, layout.embed_dim)})
        self.post_quant_conv = nn.Conv2d(layout.embed_dim, layout.ddconfig.z_channels, 1)
        with contextlib.redirect_stdout(io.StringIO()):  # it prints how many numbers it paints from
            self.decoder = Decoder(**layout.ddconfig.model_dump())

    def forward(self, z: Tensor) -> Tensor:
        """(1, channels, h, w) to (1, 3, h * factor, w * factor)."""
        decoder = self.decoder
        x = _middle(decoder.mid, decoder.conv_in(self.post_quant_conv(z)))
        for level in reversed(decoder.up):
            x = _level(level, x)
            if hasattr(level, "upsample"):
                x = level.upsample(x)
        return _activated(decoder.norm_out, decoder.conv_out, x)


class Reader(nn.Module):
    """From a picture to what codes are chosen by: a vector for each place, or with GumbelVQ a number for each code."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        channels = layout.ddconfig.z_channels
        self.encoder = Encoder(**layout.ddconfig.model_dump())
        self.quant_conv = nn.Conv2d(channels, layout.embed_dim, 1)
        proj = {"proj": nn.Conv2d(channels, layout.n_embed, 1)} if layout.book == "embed" else {}
        self.quantize = nn.ModuleDict(proj)

    def forward(self, image: Tensor) -> Tensor:
        """(1, 3, h, w) to (1, channels or n, h / factor, w / factor)."""
        encoder = self.encoder
        x = encoder.conv_in(image)
        for level in encoder.down:
            x = _level(level, x)
            if hasattr(level, "downsample"):
                x = level.downsample(x)
        x = _middle(encoder.mid, x)
        read: Tensor = self.quant_conv(_activated(encoder.norm_out, encoder.conv_out, x))
        for proj in self.quantize.values():
            read = proj(read)
        return read


def nearness(places: Tensor, codes: Tensor) -> Tensor:
    """How near each of n codes is to each place, (places, n): half the squared distance, negative, but for a constant.

    The constant is half of the place's own square, without which the distances need one product and no more.
    """
    return torch.addmm(codes.square().sum(1), places, codes.T, beta=-0.5)


def nearest(places: Tensor, codes: Tensor) -> Tensor:
    """The number of the code that is nearest to each place, (places,)."""
    return torch.cat([nearness(some, codes).argmax(1) for some in places.split(MOST)])


def _middle(middle: Any, x: Tensor) -> Tensor:
    return _residual(middle.block_2, _attended(middle.attn_1, _residual(middle.block_1, x)))


def _level(level: Any, x: Tensor) -> Tensor:
    for number, block in enumerate(level.block):
        x = _residual(block, x)
        if level.attn:
            x = _attended(level.attn[number], x)
    return x


def _residual(block: ResnetBlock, x: Tensor) -> Tensor:
    shortcut: Tensor = x if block.in_channels == block.out_channels else block.nin_shortcut(x)
    return _activated(block.norm2, block.conv2, _activated(block.norm1, block.conv1, x)).add_(shortcut)


def _activated(norm: nn.Module, convolution: nn.Module, x: Tensor) -> Tensor:
    picture: Tensor = convolution(swished(norm, x))
    return picture


def _attended(attention: AttnBlock, x: Tensor) -> Tensor:
    y = normalized(attention.norm, x)
    query, key, value = (
        part(y).flatten(2).transpose(1, 2)[:, None] for part in (attention.q, attention.k, attention.v)
    )
    taken = F.scaled_dot_product_attention(query, key, value)
    attended: Tensor = x + attention.proj_out(taken[:, 0].transpose(1, 2).unflatten(2, x.shape[2:]))
    return attended
