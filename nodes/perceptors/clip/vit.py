"""The image tower of a CLIP that is a vision transformer (Dosovitskiy et al. 2020), folded into fewer, larger steps.

Its weights never change here, so each step takes in what lies beside it: the product after a layer norm its scale and
shift, the one before a LayerScale its factors, those around QuickGELU its 1.702, the patches the mean and deviation of
pixels. What comes out is what open_clip computes, except for rounding.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

SHORT = 300
"""Up to how many tokens plain products are used in bfloat16 on a CPU, where torch's own attention is slow.

It takes 4.8 times as long for 50 tokens and 2.2 times for 257; for 577 1.4 times, but then plain products would double
the memory of a step.
"""

MIDDLE = 0.5
"""What is subtracted from pixels, since half precision is finest around zero."""

ALWAYS = {
    *("conv1.weight", "class_embedding", "positional_embedding", "ln_post.weight", "ln_post.bias", "proj"),
    *(
        f"transformer.resblocks.{part}.{kind}"
        for part in ("ln_1", "ln_2", "attn.out_proj", "mlp.c_fc", "mlp.c_proj")
        for kind in ("weight", "bias")
    ),
    *("transformer.resblocks.attn.in_proj_weight", "transformer.resblocks.attn.in_proj_bias"),
}
SOMETIMES = {"ln_pre.weight", "ln_pre.bias", "transformer.resblocks.ls_1.gamma", "transformer.resblocks.ls_2.gamma"}
"""Names of tensors, without the numbers of blocks."""


def foldable(visual: nn.Module) -> bool:
    """Whether all that an image tower of open_clip is made of is known here; pooling by attention, for one, isn't."""
    from open_clip import transformer as own

    known = {
        *(own.VisionTransformer, own.Transformer, own.ResidualAttentionBlock, own.PatchDropout, own.LayerScale),
        *(own.LayerNorm, own.LayerNormFp32, own.QuickGELU, nn.GELU, nn.Identity, nn.Conv2d, nn.ModuleList),
        *(nn.Sequential, nn.Linear, nn.MultiheadAttention, NonDynamicallyQuantizableLinear),
    }
    names = {re.sub(r"\.\d+\.", ".", name) for name in visual.state_dict()}
    return (
        isinstance(visual, own.VisionTransformer)
        and {type(module) for module in visual.modules()} <= known
        and ALWAYS <= names <= ALWAYS | SOMETIMES
        and visual.pool_type in ("tok", "avg")
    )


class ViT(nn.Module):
    """A folded tower: features (n, d) in float32, of crops (n, 3, s, s) of 0..1.

    Takes a `foldable` tower apart, so that its weights are never in memory twice. Products are computed in `dtype`,
    layer norms in float32.
    """

    kernel: Tensor
    places: Tensor

    @torch.no_grad()
    def __init__(self, visual: Any, mean: Sequence[float], std: Sequence[float], dtype: torch.dtype) -> None:
        super().__init__()
        visual = visual.eval().requires_grad_(False).float()
        self.size: int = visual.image_size[0]
        self.dtype = dtype
        self._patch: tuple[int, int] = visual.conv1.kernel_size
        self._average = visual.pool_type == "avg"
        self._early = self._average and not visual.final_ln_after_pool
        kernel = visual.conv1.weight
        centre, spread = (kernel.new_tensor(three).view(3, 1, 1) for three in (mean, std))
        kernel = (kernel / spread).to(dtype)
        shift = (kernel.float() * (MIDDLE - centre)).sum((1, 2, 3))
        self.register_buffer("kernel", kernel.flatten(1))
        places = visual.positional_embedding + shift
        places[0] = visual.positional_embedding[0] + visual.class_embedding
        self.register_buffer("places", places)
        self.before = visual.ln_pre
        self.blocks = nn.Sequential(*_blocks(visual.transformer.resblocks, dtype, only_first=not self._average))
        self.norm, weight, bias = _after(visual.ln_post, visual.proj.T, torch.zeros_like(visual.proj[0]))
        self.head = Product(weight, bias, torch.float32)

    def forward(self, pixels: Tensor) -> Tensor:
        """Features of crops."""
        patches = F.linear(self._cut((pixels - MIDDLE).to(self.dtype)), self.kernel)
        x = F.pad(patches.float(), (0, 0, 1, 0)) + self.places
        x = self.blocks(self.before(x).to(self.dtype)).float()
        x = self.norm(x) if self._early else x
        x = x[:, 1:].mean(1) if self._average else x[:, 0]
        features: Tensor = self.head(x if self._early else self.norm(x))
        return features

    def _cut(self, pixels: Tensor) -> Tensor:
        """The patches of crops, (n, patches, numbers)."""
        high, wide = self._patch
        down, across = pixels.shape[-2] // high, pixels.shape[-1] // wide
        inside = pixels[..., : down * high, : across * wide]
        squares = inside.unflatten(3, (across, wide)).unflatten(2, (down, high))
        patches: Tensor = squares.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
        return patches


def _blocks(blocks: Any, dtype: torch.dtype, *, only_first: bool) -> Iterator["Block"]:
    """Each folded, and then gone from where it was; the last needs to compute no more than is pooled."""
    while blocks:
        block = blocks.pop(0)
        yield Block(block, dtype, slice(0, 1) if only_first and not blocks else slice(None))


class Block(nn.Module):
    """Attention, then two products with an activation between them, each added to what went in.

    Of what comes out only the tokens of `kept` are computed.
    """

    @torch.no_grad()
    def __init__(self, block: Any, dtype: torch.dtype, kept: slice) -> None:
        super().__init__()
        self._kept = kept
        self._heads: int = block.attn.num_heads
        self.norm_1, weight, bias = _after(block.ln_1, block.attn.in_proj_weight, block.attn.in_proj_bias)
        scale = torch.ones_like(bias)
        scale[: len(bias) // 3] = block.attn.head_dim**-0.5
        self.queries_keys_values = Product(weight * scale[:, None], bias * scale, dtype)
        self.out = Product(*_before(block.ls_1, block.attn.out_proj), dtype)
        quick = type(block.mlp.gelu).__name__ == "QuickGELU"  # x sigmoid(1.702 x), which is SiLU of 1.702 x, over that
        factor = 1.702 if quick else 1.0
        self.norm_2, weight, bias = _after(block.ln_2, block.mlp.c_fc.weight, block.mlp.c_fc.bias)
        self.up = Product(weight * factor, bias * factor, dtype)
        self.activation = nn.SiLU() if quick else block.mlp.gelu
        weight, bias = _before(block.ls_2, block.mlp.c_proj)
        self.down = Product(weight / factor, bias, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (n, l, d) to tokens."""
        three = self.queries_keys_values(self.norm_1(x)).unflatten(-1, (3, self._heads, -1))
        queries, keys, values = three.permute(2, 0, 3, 1, 4).unbind()
        seen = attend(queries[:, :, self._kept], keys, values)
        x = x[:, self._kept] + self.out(seen.transpose(1, 2).flatten(2))
        more: Tensor = self.down(self.activation(self.up(self.norm_2(x))))
        return x + more


class Product(nn.Module):
    """A linear layer whose weights never change."""

    weight: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("weight", weight.detach().to(dtype).contiguous())
        self.register_buffer("bias", bias.detach().to(dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Of the last axis."""
        return F.linear(x, self.weight, self.bias)


def attend(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """What queries, scaled already, find: (n, heads, l, d)."""
    if queries.dtype == torch.bfloat16 and queries.device.type == "cpu" and keys.shape[-2] <= SHORT:
        return torch.softmax(queries @ keys.transpose(-2, -1), -1) @ values
    return F.scaled_dot_product_attention(queries, keys, values, scale=1.0)


def _after(norm: nn.LayerNorm, weight: Tensor, bias: Tensor) -> tuple[nn.LayerNorm, Tensor, Tensor]:
    """A layer norm without its scale and shift, and the product after it with them."""
    bare = nn.LayerNorm(norm.normalized_shape, eps=norm.eps, elementwise_affine=False)
    return bare, weight * norm.weight, bias + weight @ norm.bias


def _before(scale: Any, linear: nn.Linear) -> tuple[Tensor, Tensor]:
    """A product that takes in the LayerScale after it, where there is one."""
    if isinstance(scale, nn.Identity):
        return linear.weight, linear.bias
    return linear.weight * scale.gamma[:, None], linear.bias * scale.gamma
