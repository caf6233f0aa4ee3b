"""Which of ImageNet's classes, or of the scenes beyond them, a prompt is about, by the nearness of names.

Each takes the nearest of its names to any piece of a prompt (`parts`).
"""

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from t2iflow.nodes.core.caches import cache_folder
from t2iflow.nodes.core.whole import cached
from t2iflow.nodes.perceptors import imagenet
from t2iflow.nodes.perceptors.lite import minilm, parts
from t2iflow.nodes.perceptors.lite.parts import Piece

KNOWN = 0.75
"""Below this nearness of names (a cosine) a subject is a guess."""

EXACT = 0.999
"""From this nearness on, a piece is a name."""

SURE = 0.8
"""From this nearness on, what stands beside a subject is one of its own."""

GUESS = 0.74
"""Nearness at most of what a piece is not, as a stranger's name is nearer to it, or of what is only called after it."""

KEPT = 5
"""Classes that a part spreads over, at most."""

SHARPNESS = 0.05
"""Nearness over which a class's share falls by e."""


@dataclass(frozen=True)
class Subject:
    """A class or scene that a prompt seems to be about, and the piece of the prompt that says so."""

    name: str
    names: str  # all of them, in one text
    near: float
    piece: Piece


@dataclass(frozen=True)
class Reading:
    """What was made of a prompt: a share of each class and scene, unit length, and the nearest one of each part.

    `others` are those that further pieces of those parts name; `nearest` the classes nearest to any piece, for a guess.
    """

    shares: Tensor
    subjects: tuple[Subject, ...]
    others: tuple[Subject, ...]
    nearest: tuple[Subject, ...]

    @property
    def best(self) -> float:
        """The nearness of its nearest subject."""
        return max(subject.near for subject in self.subjects)

    @property
    def known(self) -> bool:
        """Whether a subject is more than a guess."""
        return self.best >= KNOWN

    @property
    def understood(self) -> set[str]:
        """The words that its classes were found by, as `parts.stems` has them."""
        found = (*self.subjects, *self.others)
        named = [parts.stems(one.piece.read) & parts.stems(one.names) for one in found]
        return set().union(*(words or parts.stems(one.piece.text) for words, one in zip(named, found, strict=True)))


class Scored(NamedTuple):
    """A part of a prompt, and how near each of its pieces is to each class, (pieces, classes)."""

    pieces: list[Piece]
    near: Tensor
    strange: list[Piece]  # those that surely name a stranger

    @property
    def best(self) -> float:
        """The nearness of its nearest class."""
        return float(self.near.max())

    @property
    def is_style(self) -> bool:
        """Whether it is about the picture rather than what is in it."""
        return parts.MEDIUM.search(self.pieces[0].read) is not None


class Subjects:
    """The names of the classes and scenes, and where they lie.

    `names` are those of each class. A scene is known by its names or not at all, so it is never a guess. `strangers`
    are names of what is neither: a king is no kingsnake. Where all of them lie is kept in the folder `cache` from one
    run to the next, since it takes seconds.
    """

    def __init__(
        self,
        names: Sequence[Sequence[str]] | None = None,
        cache: Path | None = None,
        *,
        scenes: Sequence[Sequence[str]] = (),
        strangers: Sequence[str] = (),
    ) -> None:
        classes = [[imagenet.bare(name) for name in one] for one in names or imagenet.classes()]
        self.names = [*classes, *map(list, scenes)]
        self._count = len(classes)
        known = [name for names in self.names for name in names]
        self._owner = torch.tensor([number for number, names in enumerate(self.names) for _ in names])
        self._flat = [*known, *(name for name in strangers if name not in known)]
        self._low = [name.lower() for name in self._flat]
        self._cache = cache_folder() if cache is None else cache
        self._readings: dict[str, Reading] = {}

    def read(self, prompt: str) -> Reading:
        """Find what the prompt is about; once, however often it is asked."""
        prompt = parts.cut(parts.spelled(prompt))
        if prompt not in self._readings:
            self._readings[prompt] = self._read(prompt)
        return self._readings[prompt]

    def _read(self, prompt: str) -> Reading:
        scored = [self._scored(part) for part in parts.parts(prompt)]
        if max(part.best for part in scored) < KNOWN and (
            words := parts.words(prompt, {piece.text for part in scored for piece in part.strange})
        ):
            scored.append(self._scored(words))
        best = max(part.best for part in scored)
        shares = torch.zeros(len(self.names))
        subjects: list[Subject] = []
        others: list[Subject] = []
        for part in scored:
            if part.best == best or (part.best >= SURE and not part.is_style):
                top = part.near.amax(0).topk(min(KEPT, len(self.names)))
                weights = torch.softmax(top.values / SHARPNESS, 0)
                shares[top.indices] += weights / weights.norm()
                first, *further = top.indices.tolist()
                subjects.append(self._subject(part, first))
                others += [self._subject(part, number) for number in further if number in part.near.argmax(1)]
        return Reading(
            shares / shares.norm(),
            tuple(subjects),
            tuple(one for one in others if one.near >= SURE),
            tuple(self._nearest(scored, 3)),
        )

    def things(self, prompt: str) -> list[str]:
        """The parts of a prompt that stand side by side, if each surely is a thing of its own; else the prompt."""
        found = parts.things(prompt)
        if len(found) < 2:
            return [prompt]
        nearest = [max(self.read(part).subjects, key=lambda subject: subject.near) for part in found]
        several = all(one.near >= SURE for one in nearest) and len({one.name for one in nearest}) == len(found)
        return found if several else [prompt]

    def likeness(self, texts: list[str]) -> Tensor:
        """How near each text is to each class, a cosine, (texts, classes)."""
        return self._by_subject(self._near(texts))[:, : self._count]

    def _scored(self, pieces: list[Piece]) -> Scored:
        names = self._near([piece.read for piece in pieces])
        names = torch.where(self._goes_on(pieces), names.clamp(max=GUESS), names)
        near, strange = self._by_subject(names), self._strange(names)
        best = near.amax(1, keepdim=True)
        near[_plainer(pieces, best)] = -1
        near = torch.where(strange > best, near * (GUESS / best).clamp(max=1), near)
        near[:, self._count :] = near[:, self._count :].where(near[:, self._count :] >= KNOWN, -1)
        unknown = (strange > best.clamp(min=SURE)).flatten().tolist()
        worth = torch.tensor([[piece.worth] for piece in pieces])
        return Scored(pieces, near * worth, [piece for piece, one in zip(pieces, unknown, strict=True) if one])

    def _goes_on(self, pieces: list[Piece]) -> Tensor:
        """Which names only begin as a piece does, (pieces, names): a fire is no fire truck."""
        said = [piece.read.lower() for piece in pieces]
        ends = [[name.removeprefix(text) for name in self._low] for text in said]
        return torch.tensor(
            [[end not in {"", "s", name} for name, end in zip(self._low, one, strict=True)] for one in ends]
        )

    def _subject(self, part: Scored, number: int) -> Subject:
        """A class, and the piece of a part that is nearest to it."""
        near, piece = part.near[:, number].max(0)
        return Subject(self.names[number][0], " ".join(self.names[number]), float(near), part.pieces[int(piece)])

    def _nearest(self, scored: list[Scored], count: int) -> Iterator[Subject]:
        """Those that are nearest to any part, the nearest first."""
        near = torch.stack([part.near.amax(0) for part in scored])
        for number in near.amax(0).topk(min(count, len(self.names))).indices.tolist():
            yield self._subject(scored[int(near[:, number].argmax())], number)

    def _strange(self, near: Tensor) -> Tensor:
        """From (texts, names) to the nearest name of a stranger, (texts, 1)."""
        return torch.cat([near[:, len(self._owner) :], torch.full((len(near), 1), -1.0)], 1).amax(1, keepdim=True)

    def _near(self, texts: list[str]) -> Tensor:
        """How near each text is to each name, (texts, names)."""
        return minilm.reader().encode(texts) @ self._places.T

    def _by_subject(self, near: Tensor) -> Tensor:
        """From (texts, names) to the nearest name of each class and scene, (texts, classes and scenes)."""
        subjects = torch.full((len(near), len(self.names)), -1.0)
        near = near[:, : len(self._owner)]
        return subjects.scatter_reduce(1, self._owner.expand_as(near), near, "amax")

    @cached_property
    def _places(self) -> Tensor:
        """Where each name lies, (names, 384)."""
        digest = hashlib.sha256("\n".join((minilm.SHA256, *self._flat)).encode()).hexdigest()[:16]
        file = self._cache / f"lite-names-{digest}.safetensors"
        try:
            return load_file(file)["names"]
        except (OSError, SafetensorError, KeyError):
            places = minilm.reader().encode(self._flat)
            with contextlib.suppress(OSError), cached(file) as fresh:  # a cache that can't be written is done without
                save_file({"names": places}, fresh)
            return places


def _plainer(pieces: list[Piece], best: Tensor) -> list[int]:
    """Which pieces lack a colour with which they are exactly a name: a black bear is no other bear."""
    exact = {piece.text: piece.read for piece, near in zip(pieces[::-1], best.flip(0), strict=True) if near > EXACT}
    return [number for number, piece in enumerate(pieces) if len(piece.read) < len(exact.get(piece.text, ""))]
