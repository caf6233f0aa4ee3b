"""From a name to a CLIP: its architecture built, its weights read into it."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import torch

from t2iflow.nodes.core.ambient import Notes
from t2iflow.nodes.core.missing import MissingWeightsError
from t2iflow.nodes.core.precision import named, native
from t2iflow.nodes.core.shelf import NOWHERE, Shelf
from t2iflow.nodes.perceptors.clip import checkpoint, fetching, sources, vit
from t2iflow.nodes.perceptors.clip.own import Own
from t2iflow.nodes.perceptors.clip.perceptor import OpenClip
from t2iflow.nodes.perceptors.clip.vit import ViT

Precision = Literal["auto", "float32", "bfloat16", "float16"]

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Of the colours that CLIP was trained on; a record of published weights can have others."""


def load(
    name: str, weights: str | None, device: torch.device, precision: Precision, notes: Notes, shelf: Shelf = NOWHERE
) -> OpenClip:
    """The CLIP of this name, or in this file of weights (`name` being `lite` if the architecture is to be inferred)."""
    source = sources.find(name, weights)
    library = sources.package()
    record = sources.published(library, source.architecture, source.tag)
    file = source.file or fetching.obtain(library, record, name, notes)
    called = name if weights is None or name != "lite" else file.name
    clip, note = shelf.get(_opened, source, file, called, device, precision)
    if note:
        notes.say(note)
    return clip


def _opened(
    source: sources.Source, file: Path, called: str, device: torch.device, precision: Precision
) -> tuple[OpenClip, str]:
    """The CLIP in a file, and what there is to say of it."""
    library = sources.package()
    record = sources.published(library, source.architecture, source.tag)
    build: Callable[[torch.dtype], Any]
    stored = checkpoint.read(file) if source.architecture is None or checkpoint.is_archive(file) else None
    if stored is not None:
        quick = source.quick or stored.openai
        build = partial(_inferred, library, file, stored, quick)
    else:
        # A tag says how its network was trained; for a custom file, the name does.
        quick = source.quick or bool(source.tag and record.get("quick_gelu"))
        build = partial(_named, library, source.architecture, file, quick)
    network, tower = _towers(build, device, precision, record.get("mean", MEAN), record.get("std", STD))
    if stored is None:
        tokenizer = _tokenizer(library, source.architecture)
    else:
        tokenizer = library.SimpleTokenizer(context_length=network.context_length)
    plain = stored is not None and not quick
    note = f"{file.name} is read as a CLIP without QuickGELU; name its architecture if it has it" if plain else ""
    return OpenClip(called, network, tower, tokenizer, device), note


def _towers(
    build: Callable[[torch.dtype], Any],
    device: torch.device,
    precision: Precision,
    mean: Sequence[float],
    std: Sequence[float],
) -> tuple[Any, ViT | Own]:
    """A network, and its image tower in the precision that is meant: folded where it can be."""
    network = build(torch.float32)
    if vit.foldable(network.visual):
        tower = ViT(network.visual, mean, std, _dtype(device, precision, native(device)))
        del network.visual
        return network, tower
    dtype = _dtype(device, precision, torch.float32)
    if dtype != torch.float32:
        network = build(dtype)
    return network, Own(network, mean, std)


def _inferred(library: ModuleType, file: Path, weights: checkpoint.Weights, quick: bool, dtype: torch.dtype) -> Any:
    """A CLIP in OpenAI's form, its architecture read off the tensors."""
    _check_words(library, file, weights)
    try:
        shape = checkpoint.shape(weights.tensors)
        network = library.CLIP(
            shape.embed_dim,
            library.CLIPVisionCfg(**shape.vision_cfg),
            library.CLIPTextCfg(**shape.text_cfg),
            quick_gelu=quick,
            cast_dtype=None if dtype == torch.float32 else dtype,  # what makes its layer norms compute in float32
        )
        network.load_state_dict(weights.tensors)
    except Exception as fault:  # tensors that don't fit together fail wherever they first meet
        reason = " ".join(f"{type(fault).__name__}: {fault}".split())[:300]
        raise ValueError(
            f"`{file.name}` is not a CLIP as OpenAI builds it ({reason}); if open_clip knows its architecture, write "
            "`name: architecture:file`"
        ) from fault
    if dtype != torch.float32:
        library.model.convert_weights_to_lp(network, dtype)
    return network


def _check_words(library: ModuleType, file: Path, weights: checkpoint.Weights) -> None:
    """Refuse a CLIP of another vocabulary than OpenAI's, which would read every prompt as other words."""
    words = weights.tensors.get("token_embedding.weight")
    known = library.SimpleTokenizer().vocab_size
    if words is not None and len(words) != known:
        raise ValueError(
            f"`{file.name}` is a CLIP with {len(words):,} words where OpenAI's have {known:,}, so it needs a tokenizer "
            "of its own; if open_clip knows its architecture, write `name: architecture:file`"
        )


def _named(library: ModuleType, architecture: str | None, file: Path, quick: bool, dtype: torch.dtype) -> Any:
    """An architecture of open_clip with weights from a file, in whatever form open_clip reads."""
    precision = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}[dtype]
    try:
        return library.create_model(architecture, str(file), precision=precision, force_quick_gelu=quick)
    except Exception as fault:  # of open_clip, timm and torch
        reason = " ".join(str(fault).split())[:300]
        raise ValueError(f"`{file.name}` can't be read as weights of {architecture}: {reason}") from fault


def _tokenizer(library: ModuleType, architecture: str | None) -> Any:
    try:
        return library.get_tokenizer(architecture)
    except Exception as fault:  # some have to be fetched
        raise MissingWeightsError(f"the tokenizer of {architecture} is unavailable: {fault}") from fault


def _dtype(device: torch.device, precision: Precision, own: torch.dtype) -> torch.dtype:
    """The precision meant; `auto` is `own`, but on a CUDA device the half precision that it computes in."""
    half = torch.bfloat16 if native(device) == torch.bfloat16 else torch.float16
    return named(precision) or (half if device.type == "cuda" else own)
