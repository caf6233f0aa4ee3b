"""Pictures of things with their names: icons, and what was cut out of photographs."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.packages import Kind
from training.pictures import shelf

TONES = ("light", "medium", "dark")
"""What a name ends in where an icon is another once more, but for its skin."""


@dataclass(frozen=True)
class Thing:
    """A picture (rows, columns, 4), 0 to 255, with a name of some words."""

    kind: Kind
    words: tuple[str, ...]
    picture: np.ndarray


def things(work: Path) -> list[Thing]:
    """All icons and cut-outs that have a name, but for those that differ from others in the colour of skin alone."""
    icons, cut_outs = shelf("icons", work), shelf("cut-outs", work)
    often = Counter(icons.names)
    known = {word for name, times in often.items() if times > 1 or " " in name for word in name.split()}
    found = []
    for number, name in enumerate(icons.names):
        words = name.split()
        while len(words) > 1 and words[-1] in TONES:
            words.pop()
        if len(words) == len(name.split()) or " ".join(words) not in often:
            found.append(Thing("icons", named(name, known), icons[number]))
    for number, name in enumerate(cut_outs.names):
        # Beside words there are numbers, single letters, and which of two pictures it is.
        words = [word for word in named(name, known) if word.isalpha() and len(word) > 1 and word != "mirror"]
        if words:
            found.append(Thing("cut-outs", tuple(words), cut_outs[number]))
    return found


def named(name: str, known: set[str]) -> tuple[str, ...]:
    """The words of a name, be they parted by spaces, lines or capitals, or not at all."""
    parts = re.findall("[A-Z]?[a-z]+|[A-Z]+|[0-9]+", name)
    return tuple(word for part in parts for word in parted(part.lower(), known))


def parted(word: str, known: set[str]) -> list[str]:
    """The fewest known words that are written together in a word, or the word itself, where there are none."""
    ways: list[list[str] | None] = [[]]  # to each place in the word
    for end in range(1, len(word) + 1):
        tails = ((way, word[start:end]) for start, way in enumerate(ways[: end - 1]) if way is not None)
        ways.append(min(([*way, tail] for way, tail in tails if tail in known), key=len, default=None))
    return ways[-1] or [word]
