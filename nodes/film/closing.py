"""A film that closes to a loop: a few pictures beyond its last frame are dissolved into its first ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from t2iflow.nodes.core.easing import smooth
from t2iflow.nodes.core.types import Image

BEGINNINGS = 24
"""With how many frames a film that closes may begin; it takes the one where that is seen least."""


@dataclass(frozen=True)
class Closing:
    """A film of `frames` pictures, and `over` more to dissolve into its first ones."""

    frames: int
    over: int

    @property
    def held(self) -> int:
        """How many of the first pictures wait: those to be dissolved into, and those that may be the beginning."""
        return min(self.over + BEGINNINGS, self.frames)

    def shown(self, picture: Image, turn: int, kept: Sequence[Tensor]) -> Iterator[tuple[int, int, Image]]:
        """The pictures that are due at a turn: how many come before it, its place, and it; `kept` are those held."""
        if turn >= self.held - 1:
            first = self.over + self._calmest(kept)
            for place, image in self._due(picture, turn, kept, first):
                yield (place - first) % self.frames, place, image

    def _due(self, picture: Image, turn: int, kept: Sequence[Tensor], first: int) -> Iterator[tuple[int, Image]]:
        waiting = [(place, Image(kept[place])) for place in range(self.over, self.held)]
        if turn == self.held - 1:
            yield from waiting[first - self.over :]
        elif turn < self.frames:
            yield turn, picture
        else:
            place = turn - self.frames
            yield place, Image(torch.lerp(picture, kept[place], smooth((place + 1) / (self.over + 1))))
        if turn == self.frames + self.over - 1:
            yield from waiting[: first - self.over]

    def _calmest(self, kept: Sequence[Tensor]) -> int:
        """Which of the pictures that may be the beginning differs least from the one before it."""
        pairs = zip(kept[self.over :], kept[self.over - 1 :], strict=False)
        return int(torch.stack([(after - before).square().mean() for after, before in pairs]).argmin())
