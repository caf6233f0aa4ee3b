"""A prompt as DALL-E mini reads it: plain letters, and the tokens of its vocabulary."""

import json
import unicodedata

import torch
from tokenizers import Tokenizer, models
from torch import Tensor

from t2iflow.nodes.core.ambient import Notes
from t2iflow.nodes.core.texts import ending, quoted
from t2iflow.nodes.generators.dalle_mini.transformer import PADDING
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
    """A prompt in lower-case ASCII; warns of what is left out.

    Accents are removed, as when DALL-E mini was trained (min-dalle drops such letters, and replaces emoji by words).
    """
    folded = unicodedata.normalize("NFKD", prompt.translate(CURLY)).casefold()
    text = folded.encode("ascii", "ignore").decode()
    if not text.strip():
        raise ValueError(f"DALL-E mini reads only English; nothing is left of {quoted(prompt)}")
    lost = "".join(sign for sign in folded if not sign.isascii() and unicodedata.category(sign) not in SILENT)
    if lost:
        notes.warn(f"DALL-E mini reads only English, and no emoji: in {quoted(prompt)} it does not see {quoted(lost)}")
    return text


def _tokenizer(weights: Weights) -> Tokenizer:
    try:
        vocabulary = json.loads(weights.text("vocabulary"))
        if not isinstance(vocabulary, dict) or not all(
            isinstance(one, int) and one >= 0 for one in vocabulary.values()
        ):
            raise ValueError("a vocabulary maps words to whole numbers")
        lines = weights.text("merges").split("\n")[1:]
        pairs = [(one, other) for one, other in (line.split() for line in lines if line)]
        tokenizer = Tokenizer(models.BPE(vocabulary, pairs, unk_token="<unk>"))
        if missing := {"<s>", "</s>", "<unk>"} - vocabulary.keys():
            raise ValueError(f"there is no {', '.join(sorted(missing))}")
    except Exception as fault:  # what a library written in Rust raises has no class of its own
        raise ValueError(f"vocabulary and merges of the weights `{weights.name}` make no tokenizer: {fault}") from fault
    return tokenizer
