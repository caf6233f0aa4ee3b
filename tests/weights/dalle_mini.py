"""DALL-E mini: the files of min-dalle with random weights, a small vocabulary and small pictures."""

import json
from pathlib import Path

import torch
from torch import Tensor

from tests.weights import vqgan

WORDS = ("a", "red", "fox", "in", "the", "snow", "castle", "avocado")
"""Words that have tokens of their own, by merges of their letters."""

Sizes = dict[str, int]
Shapes = dict[str, tuple[int, ...]]
MINI: Sizes = {"layers": 12, "width": 1024, "inner": 2730, "words": 50264, "tokens": 16385, "length": 256}
MEGA: Sizes = {"layers": 24, "width": 2048, "inner": 4096, "words": 50272, "tokens": 16416, "length": 256}
SMALL: Sizes = {"layers": 2, "width": 128, "inner": 96, "words": 160, "tokens": 66, "length": 16}


def make(folder: Path, full: bool = False, mega: bool = False) -> Path:
    """Write encoder, decoder and detoker (.pt), vocab.json and merges.txt; gives the folder.

    Small ones have 64 codes, each of 4 x 4 pixels, and pictures of 4 x 4 codes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tail = "" if mega else "_mini"
    for role, tensors in transformers((MEGA if mega else MINI) if full else SMALL).items():
        torch.save(tensors, folder / f"{role}{tail}.pt")
    torch.save(detoker(full), folder / "detoker.pt")
    vocabulary, merges = words()
    (folder / f"vocab{tail}.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / f"merges{tail}.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), encoding="utf-8")
    return folder


def transformers(sizes: Sizes) -> dict[str, dict[str, Tensor]]:
    """Tensors of the encoder and the decoder by their names."""
    chance = torch.Generator().manual_seed(0)
    return {
        role: {name: _values(name, shape, chance).half() for name, shape in shapes(role, sizes).items()}
        for role in ("encoder", "decoder")
    }


def detoker(full: bool = False) -> dict[str, Tensor]:
    """Tensors of the detokeniser: a VQGAN's codes and decoder."""
    chance = torch.Generator().manual_seed(1)
    return {name: _values(name, shape, chance) for name, shape in detoker_shapes(full).items()}


def shapes(role: str, sizes: Sizes) -> Shapes:
    """Shapes of the encoder's or the decoder's tensors."""
    width, inner, decodes = sizes["width"], sizes["inner"], role == "decoder"
    found: Shapes = {"embed_tokens.weight": (sizes["tokens" if decodes else "words"], width)}
    found["embed_positions.weight"] = (sizes["length"] if decodes else 64, width)
    for number in range(sizes["layers"]):
        layer = f"layers.{number}."
        for part in ("self_attn", "encoder_attn")[: 2 if decodes else 1]:
            found |= _norm(f"{layer}pre_{part}_layer_norm", width) | _norm(f"{layer}{part}_layer_norm", width)
            found |= {f"{layer}{part}.{one}_proj.weight": (width, width) for one in ("k", "v", "q", "out")}
        found |= _norm(f"{layer}glu.ln0", width) | _norm(f"{layer}glu.ln1", inner)
        found |= {f"{layer}glu.fc{one}.weight": (inner, width) for one in (0, 1)}
        found[f"{layer}glu.fc2.weight"] = (width, inner)
    found |= _norm("layernorm_embedding", width) | _norm("final_ln", width)
    return found | ({"lm_head.weight": (sizes["tokens"], width)} if decodes else {})


def detoker_shapes(full: bool) -> Shapes:
    """Shapes of the detokeniser's tensors."""
    of_vqgan = vqgan.network_shapes(vqgan.config(full, "vq")["params"], False)
    found = {name: tuple(of) for name, of in of_vqgan.items() if name.startswith(("post_quant_conv.", "decoder."))}
    return found | {"embedding.weight": tuple(of_vqgan["quantize.embedding.weight"])}


def words() -> tuple[dict[str, int], list[str]]:
    """A vocabulary of letters and a few words, and the merges that make these."""
    pieces, merges = ["<s>", "<pad>", "</s>", "<unk>", "\u0120", *map(chr, range(33, 127))], []
    for word in WORDS:
        piece = "\u0120"
        for letter in word:
            merges.append(f"{piece} {letter}")
            piece += letter
            pieces.append(piece)
    merges = list(dict.fromkeys(merges))
    return {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}, merges


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.{part}": (width,) for part in ("weight", "bias")}


def _values(name: str, shape: tuple[int, ...], chance: torch.Generator) -> Tensor:
    if len(shape) == 1:
        centre = 1.0 if name.endswith("weight") else 0.5 if name == "decoder.conv_out.bias" else 0.0
        return centre + 0.1 * torch.randn(shape, generator=chance)
    fan = torch.Size(shape[1:]).numel() if not name.startswith("embed") else 4
    return torch.randn(shape, generator=chance) * (fan**-0.5)
