"""What judges pictures by words: the interface of a perceptor, and what goes into and comes out of it.

A perceptor (OpenAI's CLIP, any of open_clip's, the `lite` that ships) has two towers into one space, where nearness is
the cosine. Every loss, ranking and schedule is written against this module alone.
"""

import math
from dataclasses import dataclass
from typing import Annotated, NamedTuple, Protocol, TypeAlias, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor

from t2iflow.nodes.core.ambient import Notes
from t2iflow.nodes.core.constants import table
from t2iflow.nodes.core.types import Means

SOFTNESS = 0.1
"""Over how much of half the picture's width a crop passes from one prompt's span to its neighbour's."""

LEAST_DEVIATION = 0.05


class Layer(NamedTuple):
    """What one normalised layer saw, and its statistics from training; `losses.naturalness` compares the two."""

    activations: Tensor  # (n, channels, h, w)
    mean: Tensor  # (channels,)
    std: Tensor  # (channels,)

    @property
    def scale(self) -> Tensor:
        """The trained deviations, float32, with a floor: channels silent in training must not outweigh others."""
        return self.std.float().clamp(min=LEAST_DEVIATION)


@dataclass(frozen=True)
class Seen:
    """What a perceptor saw in n crops."""

    embeddings: Tensor  # (n, d), unit length
    layers: tuple[Layer, ...] = ()
    across: Tensor | None = None  # (n,): the middle of each crop in the picture, -1 at the left to 1; None: 0

    def unlike(self, other: "Seen") -> Tensor:
        """How far this is from what was seen in other crops, each beside its own: one number.

        One minus the cosine, and where the perceptor shows its layers the mean over them of the squared differences of
        their activations, in trained deviations: a perceptual distance, after Zhang et al. 2018 (LPIPS).
        """
        far = 1 - (self.embeddings * other.embeddings).sum(-1).mean()
        apart = [
            ((one.activations - two.activations) / one.scale.view(1, -1, 1, 1)).square().mean()
            for one, two in zip(self.layers, other.layers, strict=True)
        ]
        return torch.stack([far, *([torch.stack(apart).mean()] if apart else [])]).sum()


Layered: TypeAlias = Annotated[Seen, Means("layers")]
"""What a perceptor saw, whose layers are needed: some perceptors have none to show."""


@dataclass(frozen=True)
class Wanted:
    """What k prompts describe, with a weight and a stop each.

    A negative weight pushes away. A loss whose distance (times the weight's sign) is below `stop` no longer pulls.
    """

    embeddings: Tensor  # (k, d), unit length
    weights: Tensor  # (k,)
    stops: Tensor  # (k,)
    spans: Tensor | None = None  # (k, 2): from where to where across the picture a prompt belongs; None: everywhere

    def heed(self, seen: Seen) -> Tensor:
        """How much each crop counts for each prompt, (n, k): the weight's size, and less of it outside the span.

        Spans that lie side by side share a crop between them, so that neighbours' parts add up to one.
        """
        weights = self.weights.abs().expand(len(seen.embeddings), -1)
        if self.spans is None:
            return weights
        middle = self.weights.new_zeros(1, 1) if seen.across is None else seen.across[:, None]
        before, after = ((edge - middle) / SOFTNESS for edge in self.spans.T)
        heed: Tensor = weights * (after.sigmoid() - before.sigmoid())
        return heed

    def blend(self, other: "Wanted", amount: float) -> "Wanted":
        """Part of the way to another: as embeddings where both have one prompt or equally many, else by weights."""
        if amount <= 0 or amount >= 1:
            return other if amount >= 1 else self
        if len(self.weights) == len(other.weights):
            embeddings = F.normalize(torch.lerp(self.embeddings, other.embeddings, amount), dim=-1)
            weights = torch.lerp(self.weights, other.weights, amount)
            spans = (self if amount < 0.5 else other).spans
            return Wanted(embeddings, weights, torch.maximum(self.stops, other.stops), spans)
        return Wanted(
            torch.cat([self.embeddings, other.embeddings]),
            torch.cat([self.weights * (1 - amount), other.weights * amount]),
            torch.cat([self.stops, other.stops]),
            torch.cat([self._everywhere(), other._everywhere()]),
        )

    def _everywhere(self) -> Tensor:
        """The spans, endless where there are none."""
        ends = table(((-math.inf, math.inf),), self.weights.device)
        return ends.expand(len(self.weights), 2) if self.spans is None else self.spans


@runtime_checkable
class Clip(Protocol):
    """A perceptor: judges pictures by words, both in one space."""

    name: str
    size: int
    """Side in pixels of the crops it looks at."""
    scale: float
    """Trained factor from cosine to logit, about 100 for OpenAI's."""

    @property
    def width(self) -> int:
        """How many numbers an embedding has."""

    def encode_texts(self, texts: list[str], notes: Notes) -> Tensor:
        """Embeddings of texts, (k, d), unit length; says or warns where a text is cut or not understood."""

    def look(self, pixels: Tensor) -> Seen:
        """What it sees in crops (n, 3, s, s) of values around 0..1; gradients flow to the pixels."""


@runtime_checkable
class Sorts(Protocol):
    """A perceptor in whose space ImageNet's classes lie."""

    def classes(self, embeddings: Tensor) -> Tensor:
        """The share of each class in embeddings (k, d), (k, 1000)."""


@runtime_checkable
class Composes(Protocol):
    """A perceptor that knows single things, so a text with several is composed for it, side by side."""

    def things(self, text: str) -> list[str]:
        """The text, or the parts of it that are things of their own, from left to right."""
