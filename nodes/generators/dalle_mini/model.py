"""DALL-E mini from a prompt to pictures: words to tokens, tokens to codes, codes to pixels.

Follows min-dalle 0.4 (Brett Kuprel 2022). Each network is loaded when it is needed and forgotten then, so that memory
holds the largest, not all.
"""

import contextlib
import io
import json
import math
import unicodedata
from typing import Any

import torch
from tokenizers import Tokenizer, models
from torch import Tensor

from t2iflow.nodes.core.ambient import Notes
from t2iflow.nodes.core.texts import ending, quoted
from t2iflow.nodes.generators.dalle_mini.transformer import PADDING, Reader, Sampling, Writer, built, draw
from t2iflow.nodes.generators.dalle_pytorch.decoders import layout_of
from t2iflow.nodes.generators.vqgan.network import Painter
from t2iflow.nodes.weights.checkpoints.filling import fill
from t2iflow.nodes.weights.weights import Weights

SPACE = "\u0120"
"""What stands before a word in the vocabulary."""

CURLY = str.maketrans("\u2018\u2019\u201c\u201d\u2013\u2014", "''\"\"--")
"""Quotes and dashes as keyboards have them."""

SILENT = ("Mn", "Cf", "Sk")
"""Kinds of signs that only change others: accents, joiners, colours of skin."""


def tokens(prompt: str, weights: Weights, length: int, notes: Notes) -> Tensor:
    """No text and the prompt, (2, length), in the weights' vocabulary; warns of what is not English or doesn't fit.

    Words are parted by white space of any kind (min-dalle: by spaces). A text that is cut keeps its end token, which
    min-dalle loses.
    """
    tokenizer = _tokenizer(weights)
    begin, end = (tokenizer.token_to_id(one) for one in ("<s>", "</s>"))
    numbers: list[int] = []
    words = plain(prompt, notes).split()
    for place, word in enumerate(words):
        more = tokenizer.encode(SPACE + word).ids
        if len(numbers) + len(more) > length - 2:
            notes.warn(
                f"DALL-E mini reads {length - 2} tokens of a prompt: {ending(' '.join(words[:place]))!r}, but no more "
                f"of {quoted(' '.join(words[place:]))}"
            )
            break
        numbers += more
    rows = [[begin, end], [begin, *numbers, end]]
    return torch.tensor([row + [PADDING] * (length - len(row)) for row in rows])


def plain(prompt: str, notes: Notes) -> str:
    """A prompt in lower-case ASCII; warns of what has to be left out.

    Accents are taken off, as DALL-E mini was trained (min-dalle drops such letters, and says emoji in words).
    """
    folded = unicodedata.normalize("NFKD", prompt.translate(CURLY)).casefold()
    text = folded.encode("ascii", "ignore").decode()
    if not text.strip():
        raise ValueError(f"DALL-E mini reads English alone; of {quoted(prompt)} nothing is left")
    lost = "".join(sign for sign in folded if not sign.isascii() and unicodedata.category(sign) not in SILENT)
    if lost:
        notes.warn(f"DALL-E mini reads English alone, and no emoji: of {quoted(prompt)} it does not see {quoted(lost)}")
    return text


def rows(weights: Weights, role: str, name: str) -> int:
    """How many rows a tensor of a file has; ValueError where there is no such tensor."""
    tensors = weights.tensors(role)
    if name not in tensors:
        raise ValueError(f"the weights `{weights.name}` are not those of DALL-E mini: the {role} has no {name}")
    return len(tensors[name])


def _tokenizer(weights: Weights) -> Tokenizer:
    try:
        vocabulary: dict[str, int] = json.loads(weights.text("vocabulary"))
        lines = weights.text("merges").split("\n")[1:]
        pairs = [(one, other) for one, other in (line.split() for line in lines if line)]
        tokenizer = Tokenizer(models.BPE(vocabulary, pairs, unk_token="<unk>"))
        if missing := {"<s>", "</s>", "<unk>"} - vocabulary.keys():
            raise ValueError(f"there is no {', '.join(sorted(missing))}")
    except Exception as fault:  # what a library written in Rust raises has no class of its own
        raise ValueError(f"vocabulary and merges of the weights `{weights.name}` make no tokenizer: {fault}") from fault
    return tokenizer


@torch.no_grad()
def codes(
    prompt: str, weights: Weights, chances: Tensor, sampling: Sampling, batch: int, dtype: torch.dtype, notes: Notes
) -> Tensor:
    """Codes of pictures, (pictures, side, side), as chances (pictures, side * side) have it, `batch` at a time."""
    device, side = chances.device, math.isqrt(chances.shape[1])
    known = rows(weights, "detoker", "embedding.weight")
    reader = built(Reader, weights.tensors("encoder"), weights.name, device, dtype)
    text = tokens(prompt, weights, reader.length, notes).to(device)
    read = reader(text)
    del reader
    writer = built(Writer, weights.tensors("decoder"), weights.name, device, dtype)
    drawn = []
    for number, some in enumerate(chances.split(batch)):
        first = number * batch + 1
        notes.say(f"drawing pictures {first} to {first + len(some) - 1} of {len(chances)}, {side} x {side} codes each")
        # min-dalle starts from the last code; Dayma's own start token is the one after it.
        begun = writer.begin(text, read, len(some))
        drawn.append(draw(begun, some, sampling, known=known, start=known - 1, notes=notes))
        del begun  # its memory, before the next batch takes as much
    return torch.cat(drawn).view(-1, side, side)


@torch.no_grad()
def pictures(codes: Tensor, weights: Weights, dtype: torch.dtype) -> Tensor:
    """Pictures in 0..1 of codes (n, h, w), one at a time, which takes no longer than all at once."""
    tensors = dict(weights.tensors("detoker"))
    tensors["quantize.embedding.weight"] = tensors.pop("embedding.weight")
    try:
        layout = layout_of(tensors)
    except KeyError as fault:
        raise ValueError(f"the weights `{weights.name}` are not those of DALL-E mini: there is no {fault}") from fault
    with torch.device("meta"), contextlib.redirect_stdout(io.StringIO()):  # it prints how many numbers it paints from
        painter: Any = Painter(layout)  # torch 2.13 does not say that `to` takes a memory format
    fill(painter, tensors, weights.name)
    painter.to(codes.device, dtype).to(memory_format=torch.channels_last)
    book = painter.quantize["embedding"]
    # This VQGAN was trained to paint in 0..1, unlike taming's own.
    painted = [painter(book(some).permute(0, 3, 1, 2)).float().clamp(0, 1) for some in codes.split(1)]
    return torch.cat(painted).contiguous()


def side_by_side(codes: Tensor) -> Tensor:
    """Codes of n * n pictures (n * n, h, w) as those of one, (1, n * h, n * w)."""
    number = math.isqrt(len(codes))
    rows: Tensor = codes.unflatten(0, (number, number)).transpose(1, 2)
    return rows.flatten(2).flatten(0, 1)[None]
