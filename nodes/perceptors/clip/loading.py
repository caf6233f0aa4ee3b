"""From a name to a CLIP: its architecture built, its weights read into it."""

from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import torch

from t2iflow.nodes.core.ambient import Notes
from t2iflow.nodes.core.missing import MissingWeightsError
from t2iflow.nodes.perceptors.clip import checkpoint, fetching, sources
from t2iflow.nodes.perceptors.clip.perceptor import MEAN, STD, OpenClip

Precision = Literal["auto", "float32", "bfloat16", "float16"]


def load(name: str, weights: str | None, device: torch.device, precision: Precision, notes: Notes) -> OpenClip:
    """The CLIP of this name, or in this file of weights (`name` being `lite` if the architecture is to be inferred)."""
    source = sources.find(name, weights)
    library = sources.package()
    record = sources.published(library, source.architecture, source.tag)
    file = source.file or fetching.obtain(library, record, name, notes)
    dtype = _dtype(device, precision)
    if source.architecture is None or checkpoint.is_archive(file):
        network = _inferred(library, file, source.quick, dtype, notes)
        tokenizer = library.SimpleTokenizer(context_length=network.context_length)
    else:
        # A tag says how its network was trained; for a custom file, the name does.
        quick = source.quick or bool(source.tag and record.get("quick_gelu"))
        network = _named(library, source.architecture, file, quick, dtype)
        tokenizer = _tokenizer(library, source.architecture)
    called = name if weights is None or name != "lite" else file.name
    return OpenClip(called, network, tokenizer, device, record.get("mean", MEAN), record.get("std", STD))


def _inferred(library: ModuleType, file: Path, quick: bool, dtype: torch.dtype, notes: Notes) -> Any:
    """A CLIP in OpenAI's form, its architecture read off the tensors."""
    weights = checkpoint.read(file)
    _check_words(library, file, weights)
    try:
        shape = checkpoint.shape(weights.tensors)
        network = library.CLIP(
            shape.embed_dim,
            library.CLIPVisionCfg(**shape.vision_cfg),
            library.CLIPTextCfg(**shape.text_cfg),
            quick_gelu=quick or weights.openai,
            cast_dtype=None if dtype == torch.float32 else dtype,  # what makes its layer norms compute in float32
        )
        network.load_state_dict(weights.tensors)
    except Exception as fault:  # tensors that don't fit together fail wherever they first meet
        reason = " ".join(f"{type(fault).__name__}: {fault}".split())[:300]
        raise ValueError(
            f"`{file.name}` is not a CLIP as OpenAI builds it ({reason}); if open_clip knows its architecture, write "
            "`name: architecture:file`"
        ) from fault
    if not (quick or weights.openai):
        notes.say(f"{file.name} is read as a CLIP without QuickGELU; name its architecture if it has it")
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


def _named(library: ModuleType, architecture: str, file: Path, quick: bool, dtype: torch.dtype) -> Any:
    """An architecture of open_clip with weights from a file, in whatever form open_clip reads."""
    precision = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}[dtype]
    try:
        return library.create_model(architecture, str(file), precision=precision, force_quick_gelu=quick)
    except Exception as fault:  # of open_clip, timm and torch
        reason = " ".join(str(fault).split())[:300]
        raise ValueError(f"`{file.name}` can't be read as weights of {architecture}: {reason}") from fault


def _tokenizer(library: ModuleType, architecture: str) -> Any:
    try:
        return library.get_tokenizer(architecture)
    except Exception as fault:  # some have to be fetched
        raise MissingWeightsError(f"the tokenizer of {architecture} is unavailable: {fault}") from fault


def _dtype(device: torch.device, precision: Precision) -> torch.dtype:
    """The precision meant; `auto` on a CUDA device is the half precision that it computes in."""
    if precision != "auto":
        dtype: torch.dtype = getattr(torch, precision)
        return dtype
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16
