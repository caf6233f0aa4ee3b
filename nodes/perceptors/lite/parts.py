"""How `lite` takes a prompt apart, and which words it can't use.

A prompt joins parts ("a lighthouse and a castle"), and a part has a head and what that is placed by or does ("a fox",
"in", "a meadow"). Every piece is read as it stands and without its colours.
"""

import re
import unicodedata
from typing import NamedTuple

from t2iflow.nodes.perceptors.lite.colours import WORDS

MOST = 200
"""Words of a prompt that are read."""

MOST_BESIDE = 8
"""Things side by side."""

BEHIND = 0.9
"""What nearness counts for in the pieces that come after the head: a cat on a sofa is a cat."""

ASIDE = 0.7
"""What nearness counts for in a word that only goes with the head: an apple tree is no apple."""

BESIDE = re.compile(
    r"\s*(?:[&+]|\s/\s|,\s+(?=an?\s)|,?\s*\b(?:and|beside|near|next to)\b|\b(?:vs\b\.?|versus\b))\s*", re.IGNORECASE
)
"""What stands between things that are side by side; commas and "with" add to one thing as often."""
JOINED = re.compile(
    r"\s*(?:[,;&+]|\s/\s|\b(?:vs\b\.?|versus\b)|\b(?:and|with|beside|near|next to)\b)\s*", re.IGNORECASE
)
PLACED = re.compile(
    r"\s*\b(?:in|on|at|of|under|over|above|by|for|from|to|into|inside|behind|through|against|as|like|that|who|made"
    r"|shaped|covered|overgrown|crossing|riding|playing|wearing|holding|eating|breathing|floating|flying|sitting"
    r"|standing|running|swimming|sleeping|looking|howling)\b\s*",
    re.IGNORECASE,
)
"""What stands between a thing and what it does, is made of, or where it is."""
FORMS = (
    "(?:photo|photograph|picture|image|painting|watercolou?r|drawing|sketch|portrait|illustration|render|rendering)s?"
)
FORM = re.compile(rf"^(?:(?:an?|the)\s+)?(?:[\w-]+\s+){{0,2}}{FORMS}\s+of\s+", re.IGNORECASE)
"""What a prompt may say of the picture before it comes to the subject."""
HEAD = re.compile(rf"([^\W\d_]+)\W*(?:\s+(?:{FORMS}|logo|art|wallpaper|please)\W*)*$", re.IGNORECASE)
"""The last word of a piece, but for those of form."""
STYLE = re.compile(r"\b(?:in the style of|trending on|by [A-Z])[^,;]*")
ABSENT = re.compile(r"\b(?:no|not|without|never|instead of)\s[^,;]*", re.IGNORECASE)
"""What must not be seen, and so must not be painted."""
MEDIUM = re.compile(r"\b(?:style|art|photo|film|polaroid|comic|cover|poster|engine|lens)\b", re.IGNORECASE)
"""What makes a further part of a prompt a style, not a second subject: "a fox, comic book"."""
QUOTES = "\"'\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"
"""Those of keyboards, and those that phones and word processors set."""
ARTICLE = re.compile(r"^(?:an?|the|some|two|three|many)\s+", re.IGNORECASE)
SMALL = re.compile(
    r"an?|the|some|two|three|many|and|or|with|beside|near|next|to|in|on|at|of|under|over|above|by|for|from|into|inside"
    r"|behind|through|against|as|like|that|who|is|are|its?|very",
    re.IGNORECASE,
)
"""Words that nobody misses."""


class Piece(NamedTuple):
    """A piece of a part: as it stands, as it is read, and what its nearness counts for."""

    text: str
    read: str
    worth: float


def cut(prompt: str) -> str:
    """As much of a prompt as is read."""
    words = prompt.split()
    return prompt if len(words) <= MOST else " ".join(words[:MOST])


def things(prompt: str) -> list[str]:
    """What a prompt names side by side, if it is no more than can stand there; else the prompt."""
    parts = [part for part in BESIDE.split(FORM.sub("", STYLE.sub("", prompt))) if part]
    return parts if 1 < len(parts) <= MOST_BESIDE else [prompt]


def parts(prompt: str) -> list[list[Piece]]:
    """What a prompt joins, in pieces, without words of form and style, and what is absent; never nothing."""
    said = FORM.sub("", ABSENT.sub("", STYLE.sub("", prompt)))
    found = (ARTICLE.sub("", part.strip(" .!?" + QUOTES)) for part in JOINED.split(said))
    return [_pieces(part) for part in found if part] or [_pieces(prompt)]


def present(prompt: str) -> str:
    """The prompt without what is not to be seen, unless that is all."""
    return ABSENT.sub("", prompt).strip(" ,;.") or prompt


def words(prompt: str, strange: set[str]) -> list[Piece]:
    """Its words one by one, which are all that can be tried where its parts say nothing.

    A word counts as much as a piece if it is the head of one, but for those pieces that are known to be `strange`.
    """
    texts = {piece.text for part in parts(prompt) for piece in part} - strange
    heads = {match[1] for text in texts if (match := HEAD.search(text))}
    said = re.findall(r"[^\W\d_]{3,}", ABSENT.sub("", STYLE.sub("", prompt)))
    return [
        Piece(word, word, BEHIND if word in heads else ASIDE)
        for word in said
        if not SMALL.fullmatch(word) and word.lower() not in WORDS
    ]


def spelled(prompt: str) -> str:
    """The prompt with its emoji in words, as Unicode calls them."""
    return "".join(_name(sign) if unicodedata.category(sign) == "So" else sign for sign in prompt)


def unread(prompt: str, understood: set[str]) -> list[str]:
    """What of a prompt stands between the understood words (as `stems` has them): longer passages as one."""
    passages: list[list[str]] = [[]]
    for token in re.findall(r"[^\s,;|]+|[,;|]", prompt):
        word = token.strip("!?()[]{}" + QUOTES)
        small = SMALL.fullmatch(word)
        if not re.search(r"\w", token) or (not small and stems(word) <= understood):
            passages.append([])
        elif passages[-1] or not small:
            passages[-1].append(word)
    return [text for text in map(_trimmed, passages) if text]


def stems(text: str) -> set[str]:
    """The words of a text in lower case and without the endings of plurals."""
    return {re.sub(r"(?<=\w\w)(?:es|s)$", "", word) for word in re.findall(r"\w+", text.lower())}


def _name(sign: str) -> str:
    return f" {unicodedata.name(sign, '').lower().removesuffix(' face')} "


def _trimmed(passage: list[str]) -> str:
    while passage and SMALL.fullmatch(passage[-1]):
        passage.pop()
    return " ".join(passage)


def _pieces(part: str) -> list[Piece]:
    head, *others = (ARTICLE.sub("", piece) for piece in PLACED.split(part))
    whole = [Piece(head, part, 1.0), Piece(head, head, 1.0), *(Piece(piece, piece, BEHIND) for piece in others)]
    plain = [Piece(piece, _colourless(text), worth) for piece, text, worth in whole]
    return [piece for piece in dict.fromkeys([*whole, *plain]) if piece.read] or [Piece(part, part, 1.0)]


def _colourless(text: str) -> str:
    return " ".join(word for word in text.split() if word.lower() not in WORDS)
