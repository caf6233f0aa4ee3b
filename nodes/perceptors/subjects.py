"""Which of ImageNet's classes a prompt is about, by the nearness of names.

A prompt is taken apart into what it joins ("a lighthouse and a castle") and each part into a head and what that is
placed by ("a fox", "in", "a meadow"). Every piece is read as it stands and without its colours, and a class takes the
nearest of its names to any of those.
"""

import hashlib
import importlib.resources
import os
import re
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from platformdirs import user_cache_path
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from t2iflow.nodes.perceptors import minilm
from t2iflow.nodes.perceptors.colours import WORDS
from t2iflow.nodes.perceptors.minilm import MiniLM

SURE = 0.75
"""From this nearness on (a cosine), a further part of a prompt is a subject of its own."""

KEPT = 5
"""Classes that a part spreads over, at most."""

SHARPNESS = 0.05
"""Nearness over which a class's share falls by e."""

BEHIND = 0.9
"""What nearness counts for in the pieces that come after the head: a cat on a sofa is a cat."""

BESIDE = re.compile(r"\s*(?:[&+]|,\s+(?=an?\s)|,?\s*\b(?:and|beside|near|next to)\b)\s*")
"""What stands between things that are side by side; commas and "with" add to one thing as often."""
JOINED = re.compile(r"\s*(?:[,;&+]|\b(?:and|with|beside|near|next to)\b)\s*")
PLACED = re.compile(r"\s*\b(?:in|on|at|of|under|over|above|by|for|from|into|crossing|riding|playing|like)\b\s*")
FORM = re.compile(
    r"^(?:(?:an?|the)\s+)?(?:[\w-]+\s+){0,2}"
    r"(?:photo|photograph|picture|image|painting|watercolou?r|drawing|sketch|portrait|illustration|render|rendering)s?"
    r"\s+of\s+",
    re.IGNORECASE,
)
"""What a prompt may say of the picture before it comes to the subject."""
STYLE = re.compile(r"\b(?:in the style of|trending on|by [A-Z]).*", re.DOTALL)
ARTICLE = re.compile(r"^(?:an?|the|some|two|three|many)\s+", re.IGNORECASE)


@dataclass(frozen=True)
class Subject:
    """A class that a prompt seems to be about, and the piece of the prompt that says so."""

    name: str
    names: str  # all of them, in one text
    near: float
    piece: str = ""


@dataclass(frozen=True)
class Reading:
    """What was made of a prompt: a share of each class, (1000,), unit length, and the nearest class of each part."""

    classes: Tensor
    subjects: tuple[Subject, ...]


class Subjects:
    """The names of the classes, and where they lie.

    `lines` holds the names of one class each, as imagenet_classes.txt does; where they lie is kept in the folder
    `cache` from one run to the next, since it takes seconds.
    """

    def __init__(self, lines: list[str] | None = None, cache: Path | None = None) -> None:
        lines = _imagenet() if lines is None else lines
        self.names = [[re.sub(r" \(.*\)", "", name) for name in line.split(" | ")] for line in lines]
        self._flat = [name for names in self.names for name in names]
        self._owner = torch.tensor([number for number, names in enumerate(self.names) for _ in names])
        self._cache = user_cache_path("t2iflow") if cache is None else cache

    def read(self, prompt: str) -> Reading:
        """Find what the prompt is about."""
        parts = [_pieces(part) for part in _parts(prompt)]
        near = [self._near([text for _, text, _ in part]) for part in parts]
        scores = [
            self._by_class(one * torch.tensor([[worth] for _, _, worth in part]))
            for one, part in zip(near, parts, strict=True)
        ]
        best = torch.stack([score.amax() for score in scores])  # the parts have different numbers of pieces
        shares = torch.zeros(len(self.names))
        subjects = []
        for part, score, sure in zip(parts, scores, (best >= SURE) | (best == best.max()), strict=True):
            if sure:
                top = score.amax(0).topk(min(KEPT, len(self.names)))
                weights = torch.softmax(top.values / SHARPNESS, 0)
                shares[top.indices] += weights / weights.norm()
                first = int(top.indices[0])
                subjects.append(self._subject(first, float(top.values[0]), part[int(score[:, first].argmax())][0]))
        return Reading(shares / shares.norm(), tuple(subjects))

    def things(self, prompt: str) -> list[str]:
        """The parts of a prompt that stand side by side, if each surely is a thing of its own; else the prompt."""
        parts = [part for part in BESIDE.split(FORM.sub("", STYLE.sub("", prompt))) if part]
        if len(parts) < 2:
            return [prompt]
        found = [max(self.read(part).subjects, key=lambda subject: subject.near) for part in parts]
        several = all(one.near >= SURE for one in found) and len({one.name for one in found}) == len(parts)
        return parts if several else [prompt]

    def nearest(self, text: str, count: int) -> list[Subject]:
        """The classes whose names are nearest to a text, the nearest first."""
        top = self.likeness([ARTICLE.sub("", text)])[0].topk(count)
        return [self._subject(int(i), float(near)) for near, i in zip(top.values, top.indices, strict=True)]

    def likeness(self, texts: list[str]) -> Tensor:
        """How near each text is to each class, a cosine, (texts, classes)."""
        return self._by_class(self._near(texts))

    def _subject(self, number: int, near: float, piece: str = "") -> Subject:
        return Subject(self.names[number][0], " ".join(self.names[number]), near, piece)

    def _near(self, texts: list[str]) -> Tensor:
        """How near each text is to each name, (texts, names)."""
        return self._reader.encode(texts) @ self._places.T

    def _by_class(self, near: Tensor) -> Tensor:
        """From (texts, names) to the nearest name of each class, (texts, 1000)."""
        classes = torch.full((len(near), len(self.names)), -1.0)
        return classes.scatter_reduce(1, self._owner.expand_as(near), near, "amax")

    @cached_property
    def _reader(self) -> MiniLM:
        return MiniLM()

    @cached_property
    def _places(self) -> Tensor:
        """Where each name lies, (names, 384)."""
        digest = hashlib.sha256("\n".join((minilm.SHA256, *self._flat)).encode()).hexdigest()[:16]
        file = self._cache / f"lite-names-{digest}.safetensors"
        try:
            return load_file(file)["names"]
        except (OSError, SafetensorError, KeyError):
            places = self._reader.encode(self._flat)
            _keep({"names": places}, file)
            return places


def _imagenet() -> list[str]:
    text = (importlib.resources.files(__package__) / "imagenet_classes.txt").read_text("utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]


def _keep(tensors: dict[str, Tensor], file: Path) -> None:
    """Write whole or not at all; a cache that can't be written is done without."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent) as folder:
            draft = Path(folder) / file.name
            save_file(tensors, draft)
            os.replace(draft, file)
    except OSError:
        pass


def _parts(prompt: str) -> list[str]:
    """What a prompt joins, without words of form and style and the articles; never nothing."""
    parts = (ARTICLE.sub("", part.strip(" .!?")) for part in JOINED.split(FORM.sub("", STYLE.sub("", prompt))))
    return [part for part in parts if part] or [prompt]


def _pieces(part: str) -> list[tuple[str, str, float]]:
    """The pieces of a part: each as it stands, as it is read, and what that counts for."""
    head, *others = (ARTICLE.sub("", piece) for piece in PLACED.split(part))
    whole = [(head, part, 1.0), (head, head, 1.0), *((piece, piece, BEHIND) for piece in others)]
    plain = [(piece, _colourless(text), worth) for piece, text, worth in whole]
    pieces = list(dict.fromkeys(piece for piece in (*whole, *plain) if piece[1]))
    return pieces or [(part, part, 1.0)]


def _colourless(text: str) -> str:
    return " ".join(word for word in text.split() if word.lower() not in WORDS)
