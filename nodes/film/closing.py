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
        if turn < self.held - 1:
            return
        waiting = [(place, Image(kept[place])) for place in range(self.over, self.held)]
        begun, place = self._calmest(kept), turn - self.frames
        due = [(turn, picture)]
        if turn == self.held - 1:
            due = waiting[begun:]
        elif place >= 0:
            due = [(place, Image(torch.lerp(picture, kept[place], smooth((place + 1) / (self.over + 1)))))]
        if place == self.over - 1:
            due += waiting[:begun]
        for place, image in due:
            yield (place - self.over - begun) % self.frames, place, image

    def _calmest(self, kept: Sequence[Tensor]) -> int:
        """Which of those that wait and may be the beginning differs least from the one before it."""
        pairs = zip(kept[self.over :], kept[self.over - 1 :], strict=False)
        return int(torch.stack([(after - before).square().mean() for after, before in pairs]).argmin())
