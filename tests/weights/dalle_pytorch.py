"""A checkpoint of DALLE-pytorch as `train_dalle.py` 1.6.6 saves it, with a DiscreteVAE of its own inside."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

SMALL = {"num_text_tokens": 49408, "text_seq_len": 16, "dim": 32, "depth": 2, "heads": 2, "dim_head": 16}
FULL = {"num_text_tokens": 49408, "text_seq_len": 256, "dim": 512, "depth": 12, "heads": 8, "dim_head": 64}
FLAGS = {
    "reversible": False,
    "loss_img_weight": 7,
    "attn_types": ("full", "axial_row", "axial_col", "conv_like"),
    "ff_dropout": 0.0,
    "attn_dropout": 0.0,
    "stable": False,
    "shift_tokens": True,
    "rotary_emb": True,
    "shared_attn_ids": None,
    "shared_ff_ids": None,
    "share_input_output_emb": False,
}
BLOCKS = {"num_resnet_blocks": 1}
SMALL_VAE = {
    "image_size": 16,
    "num_layers": 2,
    "num_tokens": 24,
    "codebook_dim": 16,
    "hidden_dim": 8,
    "num_resnet_blocks": 1,
}
FULL_VAE = {
    "image_size": 256,
    "num_layers": 3,
    "num_tokens": 8192,
    "codebook_dim": 512,
    "hidden_dim": 256,
    "num_resnet_blocks": 1,
}


def make(folder: Path, full: bool = False, **hparams: Any) -> Path:
    """Write `dalle.pt`; small ones are 2 layers of 32 numbers, 16 tokens of CLIP's, 16 codes of 24, 16 x 16 pixels.

    `hparams` may be of other sizes and patterns; other flags would want other names of tensors.
    """
    hparams = {**(FULL if full else SMALL), **FLAGS, **hparams}
    vae = FULL_VAE if full else SMALL_VAE
    content = {"hparams": hparams, "vae_params": vae, "epoch": 0, "version": "1.6.6", "vae_class_name": "DiscreteVAE"}
    path = folder / "dalle.pt"
    torch.save({**content, "weights": weights(hparams, vae)}, path)
    return path


def weights(hparams: dict[str, Any], vae: dict[str, Any]) -> dict[str, Tensor]:
    """Random tensors by the official names."""
    chance = torch.Generator().manual_seed(0)

    def numbers(*shape: int) -> Tensor:
        return torch.randn(shape, generator=chance) * (shape[-1] if len(shape) > 1 else 25) ** -0.5

    made = {f"vae.{name}": numbers(*shape) for name, shape in _vae(**vae)}
    made |= {name: numbers(*shape) for name, shape in _transformer(hparams, vae)}
    return made


def _vae(
    image_size: int, num_layers: int, num_tokens: int, codebook_dim: int, hidden_dim: int, num_resnet_blocks: int
) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "codebook.weight", (num_tokens, codebook_dim)

    def convolution(name: str, *shape: int, bias: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield f"{name}.weight", shape
        yield f"{name}.bias", (bias,)

    def block(name: str) -> Iterator[tuple[str, tuple[int, ...]]]:
        for layer, side in ((0, 3), (2, 3), (4, 1)):
            yield from convolution(f"{name}.net.{layer}", hidden_dim, hidden_dim, side, side, bias=hidden_dim)

    for layer in range(num_layers):
        start = hidden_dim if layer else 3
        yield from convolution(f"encoder.{layer}.0", hidden_dim, start, 4, 4, bias=hidden_dim)
    for number in range(num_resnet_blocks):
        yield from block(f"encoder.{num_layers + number}")
    last = num_layers + num_resnet_blocks
    yield from convolution(f"encoder.{last}", num_tokens, hidden_dim, 1, 1, bias=num_tokens)
    yield from convolution("decoder.0", hidden_dim, codebook_dim, 1, 1, bias=hidden_dim)
    for number in range(num_resnet_blocks):
        yield from block(f"decoder.{number + 1}")
    for layer in range(num_layers):
        name = f"decoder.{1 + num_resnet_blocks + layer}.0"
        yield from convolution(name, hidden_dim, hidden_dim, 4, 4, bias=hidden_dim)
    yield from convolution(f"decoder.{last + 1}", 3, hidden_dim, 1, 1, bias=3)


def _transformer(hparams: dict[str, Any], vae: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    dim, inner = hparams["dim"], hparams["heads"] * hparams["dim_head"]
    side = vae["image_size"] >> vae["num_layers"]
    words = hparams["num_text_tokens"] + hparams["text_seq_len"]
    yield "text_emb.weight", (words, dim)
    yield "image_emb.weight", (vae["num_tokens"], dim)
    yield "transformer.pos_emb", (1, hparams["text_seq_len"] + 1 + side**2, 6 * (hparams["dim_head"] // 3 // 2))
    for layer in range(hparams["depth"]):
        for half in range(2):
            start = f"transformer.layers.layers.{layer}.{half}"
            # Of attention: a key to the memory, the shift of tokens, again a key or that there is none, attention.
            work = f"{start}.fn.fn.fn.fn" + (".fn" if half == 0 else "")
            yield f"{start}.scale", (1, 1, dim)
            yield f"{start}.fn.norm.weight", (dim,)
            yield f"{start}.fn.norm.bias", (dim,)
            if half == 0:
                yield f"{work}.to_qkv.weight", (3 * inner, dim)
                yield f"{work}.to_out.0.weight", (dim, inner)
                yield f"{work}.to_out.0.bias", (dim,)
            else:
                yield f"{work}.net.0.weight", (8 * dim, dim)
                yield f"{work}.net.0.bias", (8 * dim,)
                yield f"{work}.net.3.weight", (dim, 4 * dim)
                yield f"{work}.net.3.bias", (dim,)
    yield "to_logits.0.weight", (dim,)
    yield "to_logits.0.bias", (dim,)
    yield "to_logits.1.weight", (words + vae["num_tokens"], dim)
    yield "to_logits.1.bias", (words + vae["num_tokens"],)
