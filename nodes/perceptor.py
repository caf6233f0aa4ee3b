"""What judges pictures by words: the interface of a perceptor, and what goes into and comes out of it.

A perceptor (OpenAI's CLIP, any of open_clip's, the `lite` that ships) has two towers into one space, where nearness is
the cosine. Every loss, ranking and schedule is written against this module alone.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor

from t2iflow.nodes.ambient import Notes


class Layer(NamedTuple):
    """What one normalised layer saw, and what it saw in training; `losses.naturalness` compares the two."""

    activations: Tensor  # (n, channels, h, w)
    mean: Tensor  # (channels,)
    std: Tensor  # (channels,)


@dataclass(frozen=True)
class Seen:
    """What a perceptor saw in n crops."""

    embeddings: Tensor  # (n, d), unit length
    layers: tuple[Layer, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """What k prompts ask for, with a weight and a stop each.

    A negative weight pushes away. A loss whose distance (times the weight's sign) is below `stop` no longer pulls.
    """

    embeddings: Tensor  # (k, d), unit length
    weights: Tensor  # (k,)
    stops: Tensor  # (k,)

    def blend(self, other: "Wanted", amount: float) -> "Wanted":
        """Part of the way to another: as embeddings where both have one prompt or equally many, else by weights."""
        if amount <= 0 or amount >= 1:
            return other if amount >= 1 else self
        if len(self.weights) == len(other.weights):
            embeddings = F.normalize(torch.lerp(self.embeddings, other.embeddings, amount), dim=-1)
            weights = torch.lerp(self.weights, other.weights, amount)
            return Wanted(embeddings, weights, torch.maximum(self.stops, other.stops))
        return Wanted(
            torch.cat([self.embeddings, other.embeddings]),
            torch.cat([self.weights * (1 - amount), other.weights * amount]),
            torch.cat([self.stops, other.stops]),
        )


@runtime_checkable
class Clip(Protocol):
    """A perceptor."""

    name: str
    size: int
    """Side in pixels of the crops it looks at."""
    scale: float
    """Trained factor from cosine to logit, about 100 for OpenAI's."""

    def encode_texts(self, texts: list[str], notes: Notes) -> Tensor:
        """Embeddings of texts, (k, d), unit length; says or warns where a text is cut or not understood."""

    def look(self, pixels: Tensor) -> Seen:
        """What it sees in crops (n, 3, s, s) of values around 0..1; gradients flow to the pixels."""
