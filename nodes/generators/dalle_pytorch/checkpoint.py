"""DALLE-pytorch's checkpoints: the transformer and the decoder that such a file holds, as its own figures say.

The names of tensors show how a network was wrapped when it was saved, which differs between versions: what stands
between a layer and its parts is dropped here.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from t2iflow.nodes.generators.dalle_pytorch import decoders
from t2iflow.nodes.generators.dalle_pytorch.transformer import Dalle, Shape
from t2iflow.nodes.weights.checkpoints.filling import filled
from t2iflow.nodes.weights.weights import Weights

RENAMES = (
    (r"^transformer\.layers\.(layers|blocks)\.", "layers."),
    (r"^(layers\.\d+)\.f\.net\.", r"\1.0."),
    (r"^(layers\.\d+)\.g\.net\.", r"\1.1."),
    (r"(\.fn)+\.(norm|norm_out)\.", r".\2."),
    (r"(\.fn)+\.(to_qkv|to_out|net)\.", r".work.\2."),
    (r"^image_pos_emb\.weights[._]0$", "rows"),
    (r"^image_pos_emb\.weights[._]1$", "columns"),
    (r"^text_pos_emb\.weight$", "text_places"),
    (r"^transformer\.pos_emb$", "angles"),
)

HEAD = "to_logits.1.weight"

LEFT_OUT = ("text_emb.linear.", "image_emb.linear.", "logits_mask")
"""What repeats the head, or follows from the rest."""

FOR_TRAINING = {"vae", "attn_dropout", "ff_dropout", "loss_img_weight", "sparse_attn", "optimize_for_inference"}
"""Entries of `hparams` that make no difference to a picture."""


class Loaded(NamedTuple):
    """The transformer that finds codes for a text, and the decoder that paints them."""

    transformer: Dalle
    decoder: nn.Module


def load(weights: Weights, device: torch.device, dtype: torch.dtype) -> Loaded:
    """Both networks of a checkpoint; ValueError where they are of a kind that isn't known."""
    data, tensors = weights.data("checkpoint"), weights.tensors("checkpoint")
    own = {name: tensor for name, tensor in tensors.items() if not name.startswith("vae.")}
    vae = {name.removeprefix("vae."): tensor for name, tensor in tensors.items() if name.startswith("vae.")}
    try:
        shape = _shape(data.get("hparams"), own)
        decoder = decoders.load(data.get("vae_params"), vae, weights.name, device, dtype)
    except ValueError as fault:
        raise ValueError(f"the weights `{weights.name}` can't be used: {fault}") from fault
    # Angles are of up to a thousand turns, of which a short format would keep no fraction.
    ours = {key: each if key == "angles" else each.to(dtype) for key, each in _renamed(shape, own).items()}
    return Loaded(filled(lambda: Dalle(shape), ours, weights.name).to(device), decoder)


def _shape(hparams: Any, tensors: Mapping[str, Tensor]) -> Shape:
    if not isinstance(hparams, dict) or HEAD not in tensors:
        raise ValueError(f"DALLE-pytorch's have `hparams` and, among their tensors, `{HEAD}`")
    names = {field.name for field in fields(Shape)}
    strange = sorted(key for key, value in hparams.items() if value and key not in names | FOR_TRAINING)
    if strange:
        raise ValueError(f"DALLE-pytorch 1.6 has no `{'`, `'.join(strange)}`")
    said = Shape(**{key: value for key, value in hparams.items() if key in names})
    # Older versions don't record what was then the only way, so that is inferred from the tensors.
    angles = tensors.get("transformer.pos_emb")
    rows = next((tensors[name] for name in tensors if re.match(r"image_pos_emb\.weights[._]0", name)), None)
    if angles is not None:
        side = math.isqrt(angles.shape[-2] - said.text_seq_len - 1)
    elif rows is not None:
        side = rows.shape[1]
    else:
        raise ValueError("they have places neither as angles nor for rows and columns")
    return replace(
        said,
        rotary_emb=angles is not None,
        shift_tokens=any(re.search(r"(\.fn){3}\.net\.", name) for name in tensors),
        codes=len(tensors[HEAD]) - said.num_text_tokens - said.text_seq_len,
        side=side,
    )


def _renamed(shape: Shape, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The transformer's tensors by its own names; of the head only what finds codes."""
    ours = {}
    for name, tensor in tensors.items():
        if not name.startswith(LEFT_OUT):
            for pattern, ending in RENAMES:
                name = re.sub(pattern, ending, name)
            ours[name] = tensor[0] if name in ("angles", "rows", "columns") else tensor
    text = shape.num_text_tokens + shape.text_seq_len
    if shape.share_input_output_emb:
        ours["text_emb.weight"], ours["image_emb.weight"] = tensors[HEAD].tensor_split([text])
    return {name: tensor[text:] if name.startswith("to_logits.1.") else tensor for name, tensor in ours.items()}
