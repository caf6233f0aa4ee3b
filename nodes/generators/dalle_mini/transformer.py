"""DALL-E mini: a transformer that reads a text, and one that writes a picture's codes.

Dayma et al. 2021, in the form of min-dalle's checkpoints (Brett Kuprel 2022): BART with the norms of NormFormer and
gated layers. Sizes are the tensors'; heads have 64 numbers. Nothing of the networks is trained.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2iflow.nodes.core.ambient import Notes
from t2iflow.nodes.generators.codes import picked
from t2iflow.nodes.weights.checkpoints.filling import filled

Network = TypeVar("Network", "Reader", "Writer")

HEAD = 64
"""Numbers of an attention head."""

JOINED = {"qkv_proj": ("q_proj", "k_proj", "v_proj"), "fc": ("fc0", "fc1")}
"""Matrices for the same numbers, which are multiplied by all at once: for a few codes at a time that is quicker."""

PADDING = 1
"""The token where there is no word."""


class Gated(nn.Module):
    """A layer through which one half lets the other (Shazeer 2020, "GEGLU")."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.ln0, self.ln1 = nn.LayerNorm(width), nn.LayerNorm(inner)
        self.fc = nn.Linear(width, 2 * inner, bias=False)
        self.fc2 = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) to the same."""
        gate, through = self.fc(self.ln0(x)).chunk(2, -1)
        out: Tensor = self.fc2(self.ln1(F.gelu(gate) * through))
        return out


class Attention(nn.Module):
    """Attention of some tokens to others, whose keys and values may have been kept."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv_proj, self.out_proj = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)

    def queries(self, x: Tensor) -> Tensor:
        """Queries of tokens (n, length, width), (1, n, heads, length, 64)."""
        return _heads(x, self.qkv_proj.weight[: x.shape[-1]])

    def keys(self, x: Tensor) -> Tensor:
        """Keys and values of tokens (n, length, width), (2, n, heads, length, 64)."""
        return _heads(x, self.qkv_proj.weight[x.shape[-1] :])

    def all(self, x: Tensor) -> Tensor:
        """Queries, keys and values of tokens (n, length, width), (3, n, heads, length, 64)."""
        return _heads(x, self.qkv_proj.weight)

    def forward(self, queries: Tensor, keys: Tensor, mask: Tensor | None = None) -> Tensor:
        """What tokens take from those of the keys, where the mask is true, (n, length, width)."""
        taken = F.scaled_dot_product_attention(queries[0], keys[0], keys[1], mask)
        out: Tensor = self.out_proj(taken.transpose(1, 2).flatten(2))
        return out


class EncoderLayer(nn.Module):
    """Words look at each other."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.pre_self_attn_layer_norm, self.self_attn_layer_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.self_attn, self.glu = Attention(width), Gated(width, inner)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(n, length, width) to the same."""
        own = self.self_attn.all(self.pre_self_attn_layer_norm(x))
        x = x + self.self_attn_layer_norm(self.self_attn(own[:1], own[1:], mask))
        out: Tensor = x + self.glu(x)
        return out


class DecoderLayer(nn.Module):
    """The newest code looks at those before it, and at the words."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.pre_self_attn_layer_norm, self.self_attn_layer_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.pre_encoder_attn_layer_norm, self.encoder_attn_layer_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.self_attn, self.encoder_attn, self.glu = Attention(width), Attention(width), Gated(width, inner)

    def forward(self, x: Tensor, memory: Tensor, number: int, words: Tensor, mask: Tensor) -> Tensor:
        """One code of each picture, (texts * pictures, 1, width), to the same; its keys go into the memory.

        `memory`: (2, texts * pictures, heads, codes, 64); `words`: keys of the texts, (2, texts, heads, length, 64).
        """
        own = self.self_attn.all(self.pre_self_attn_layer_norm(x))
        memory[:, :, :, number] = own[1:, :, :, 0]
        x = x + self.self_attn_layer_norm(self.self_attn(own[:1], memory[:, :, :, : number + 1]))
        y = self.pre_encoder_attn_layer_norm(x)
        # All pictures of a text at once: the codes of each stand where the length of a text would.
        asked = self.encoder_attn.queries(y.view(words.shape[1], -1, y.shape[-1]))
        x = x + self.encoder_attn_layer_norm(self.encoder_attn(asked, words, mask)).view_as(x)
        out: Tensor = x + self.glu(x)
        return out


class Transformer(nn.Module):
    """What the reader and the writer have in common, with the names of the checkpoints."""

    def __init__(self, tensors: Mapping[str, Tensor], layer: Callable[[int, int], nn.Module]) -> None:
        super().__init__()
        known, width = tensors["embed_tokens.weight"].shape
        inner = tensors["layers.0.glu.fc2.weight"].shape[1]
        self.embed_tokens = nn.Embedding(known, width)
        self.embed_positions = nn.Embedding(len(tensors["embed_positions.weight"]), width)
        number = len({name.split(".")[1] for name in tensors if name.startswith("layers.")})
        self.layers = nn.ModuleList([layer(width, inner) for _ in range(number)])
        self.layernorm_embedding, self.final_ln = nn.LayerNorm(width), nn.LayerNorm(width)

    @property
    def length(self) -> int:
        """How many tokens there are at most."""
        return self.embed_positions.num_embeddings


class Reader(Transformer):
    """From words to what they mean together."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__(tensors, EncoderLayer)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (n, length) to (n, length, width)."""
        x = self.layernorm_embedding(self.embed_tokens(tokens) + self.embed_positions.weight[: tokens.shape[1]])
        for layer in self.layers:
            x = layer(x, _words(tokens))
        out: Tensor = self.final_ln(x)
        return out


class Writer(Transformer):
    """From what words mean to a picture's codes, one after another."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__(tensors, DecoderLayer)
        made, width = tensors["lm_head.weight"].shape
        self.lm_head = nn.Linear(width, made, bias=False)

    def begin(self, tokens: Tensor, read: Tensor, pictures: int) -> "Writing":
        """Begin pictures to each of the texts."""
        return Writing(self, tokens, read, pictures)


class Writing:
    """Pictures in the making, for each of some texts."""

    def __init__(self, writer: Writer, tokens: Tensor, read: Tensor, pictures: int) -> None:
        self._writer, self._mask, self._number = writer, _words(tokens), 0
        self._texts = len(tokens)
        self._words = [layer.encoder_attn.keys(read) for layer in writer.layers]  # type: ignore[operator, union-attr]
        heads = read.shape[-1] // HEAD
        shape = (len(writer.layers), 2, self._texts * pictures, heads, writer.length, HEAD)
        self._memory = read.new_empty(shape)

    def next(self, codes: Tensor) -> Tensor:
        """Take in a code of each picture, (pictures,), for all texts; logits of the next, (texts, pictures, n)."""
        writer = self._writer
        x = writer.embed_tokens(codes.repeat(self._texts))[:, None] + writer.embed_positions.weight[self._number]
        x = writer.layernorm_embedding(x)
        for layer, memory, words in zip(writer.layers, self._memory, self._words, strict=True):
            x = layer(x, memory, self._number, words, self._mask)
        self._number += 1
        logits: Tensor = writer.lm_head(writer.final_ln(x[:, 0])).float()
        return logits.view(self._texts, -1, logits.shape[-1])


class Sampling(NamedTuple):
    """How codes are drawn: among the `top_k` likeliest, more evenly at a higher `temperature`; `condition`: how many
    times the difference that the text makes to none."""

    top_k: int
    temperature: float
    condition: float


def draw(writing: Writing, chances: Tensor, sampling: Sampling, *, known: int, start: int, notes: Notes) -> Tensor:
    """The codes of pictures, (pictures, length), of which `known` may be drawn; the first of two texts says nothing.

    `chances`, (pictures, length) in 0..1, decide each code. Reports every quarter of the way.
    """
    length = chances.shape[1]
    codes = [torch.full((len(chances),), start, device=chances.device)]
    for number, chance in enumerate(chances.unbind(1)):
        if number and number % max(length // 4, 64) == 0:
            notes.say(f"{number} of {length} codes")
        anyhow, wanted = writing.next(codes[-1])[..., :known]
        logits = anyhow + (wanted - anyhow) * sampling.condition
        codes.append(picked(logits, chance, min(sampling.top_k, known), sampling.temperature))
    return torch.stack(codes[1:], 1)


def built(
    kind: type[Network], tensors: Mapping[str, Tensor], name: str, device: torch.device, dtype: torch.dtype
) -> Network:
    """A network with its weights; ValueError where these are of another."""
    try:
        joined = _joined(tensors, device, dtype)
        return filled(lambda: kind(joined), joined, name)
    except (KeyError, RuntimeError) as fault:
        reason = f"there is no {fault}" if isinstance(fault, KeyError) else str(fault)
        raise ValueError(f"the weights `{name}` are not those of DALL-E mini: {reason}") from fault


def _joined(tensors: Mapping[str, Tensor], device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    """The tensors on the device, those in `JOINED` as one; nothing is there twice."""
    joined = {}
    for name in tensors:
        start, dot, part = name.removesuffix(".weight").rpartition(".")
        whole, parts = next((item for item in JOINED.items() if part in item[1]), (part, (part,)))
        if len(parts) == 1:
            joined[name] = tensors[name].to(device, dtype)
        elif part == parts[0]:
            each = [tensors[f"{start}{dot}{one}.weight"] for one in parts]
            lengths = [len(one) for one in each]
            room = torch.empty(sum(lengths), *each[0].shape[1:], device=device, dtype=dtype)
            for place, one in zip(room.split(lengths), each, strict=True):
                place.copy_(one)
            joined[f"{start}{dot}{whole}.weight"] = room
    return joined


def _heads(x: Tensor, weight: Tensor) -> Tensor:
    """(n, length, width) by k matrices in one, as (k, n, heads, length, 64)."""
    parts: Tensor = F.linear(x, weight).unflatten(-1, (-1, x.shape[-1] // HEAD, HEAD))
    return parts.permute(2, 0, 3, 1, 4)


def _words(tokens: Tensor) -> Tensor:
    """Where there are words, (n, 1, 1, length)."""
    return (tokens != PADDING)[:, None, None]
