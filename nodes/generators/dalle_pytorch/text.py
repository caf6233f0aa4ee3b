"""Prompts as the tokens that DALLE-pytorch's transformers were trained on."""

import gzip
import html
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from torch import Tensor

from t2iflow.nodes.core.ambient import Notes
from t2iflow.nodes.core.texts import ending, quoted

WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"
MERGES = 49152 - 256 - 2


def tokens(prompt: str, length: int, known: int, file: str | None, notes: Notes) -> Tensor:
    """The prompt as (1, length) numbers below `known`, with 0 where there is no word; warns of words that don't fit.

    By CLIP's vocabulary, or by that of a `file` of HuggingFace's `tokenizers`.
    """
    text = html.unescape(html.unescape(prompt)).strip()
    encoding = (_read(file) if file else _clip()).encode(text, add_special_tokens=False)
    numbers = encoding.ids
    if numbers and max(numbers) >= known:
        whose = f"`{file}`" if file else "CLIP"
        raise ValueError(
            f"the weights know {known} tokens, but the tokenizer of {whose} has more (number {max(numbers)} in this "
            "prompt): they were trained with another, whose file the setting `tokenizer` names"
        )
    if len(numbers) > length:
        cut = encoding.offsets[length - 1][1]
        notes.warn(
            f"the prompt is {len(numbers)} tokens long, and the weights read {length}: {ending(text[:cut])!r}, but no "
            f"more of {quoted(text[cut:])}"
        )
    return torch.tensor([(numbers + [0] * length)[:length]])


def _read(file: str) -> Tokenizer:
    try:
        return Tokenizer.from_file(file)
    except Exception as fault:  # what a library written in Rust raises has no class of its own
        raise ValueError(f"`{file}` is not a file of the `tokenizers` library: {fault}") from fault


@cache
def _clip() -> Tokenizer:
    """CLIP's tokens without the start and end tokens, from open_clip's vocabulary (read without importing it, which
    needs torchvision). Of what the reference fixes first (ftfy), curly quotes are straightened."""
    spec = find_spec("open_clip")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("the package open_clip_torch, whose vocabulary is needed, is not installed")
    packed = (Path(spec.submodule_search_locations[0]) / "bpe_simple_vocab_16e6.txt.gz").read_bytes()
    lines = gzip.decompress(packed).decode().split("\n")[1 : MERGES + 1]
    merges = [(one, other) for one, other in (line.split() for line in lines)]
    letters = _letters()
    vocabulary = [*letters, *(f"{letter}</w>" for letter in letters), *(one + other for one, other in merges)]
    numbers = {word: number for number, word in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.BPE(numbers, merges, end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFC(),
            normalizers.Replace(Regex("[\u02bc\u2018-\u201b]"), "'"),
            normalizers.Replace(Regex("[\u201c-\u201f]"), '"'),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Lowercase(),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return tokenizer


def _letters() -> list[str]:
    """A printable sign for each byte, in the vocabulary's order: first those that print as themselves."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return [*map(chr, plain), *(chr(256 + number) for number in range(256 - len(plain)))]
