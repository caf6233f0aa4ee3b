"""Basic colours, in words and in pictures: what lets `lite` tell a blue castle from a red one.

Twelve colours, the eleven of Berlin and Kay 1969 and turquoise. A picture's share of each is soft: a pixel belongs to
the colours near it in Oklab (Ottosson 2020).
"""

import re

import torch
from torch import Tensor

from t2iflow.nodes.core.constants import table

COLOURS = {
    "black": (0.03, 0.03, 0.03),
    "white": (0.97, 0.97, 0.97),
    "grey": (0.50, 0.50, 0.50),
    "red": (0.82, 0.08, 0.10),
    "orange": (0.98, 0.55, 0.12),
    "yellow": (0.98, 0.88, 0.15),
    "green": (0.18, 0.58, 0.20),
    "turquoise": (0.20, 0.78, 0.78),
    "blue": (0.12, 0.28, 0.82),
    "purple": (0.48, 0.16, 0.62),
    "pink": (0.98, 0.60, 0.75),
    "brown": (0.45, 0.28, 0.14),
}

WORDS = {name: (name,) for name in COLOURS} | {
    "gray": ("grey",),
    "silver": ("grey", "white"),
    "crimson": ("red",),
    "scarlet": ("red",),
    "gold": ("yellow", "orange"),
    "golden": ("yellow", "orange"),
    "emerald": ("green",),
    "teal": ("turquoise",),
    "cyan": ("turquoise",),
    "azure": ("blue",),
    "navy": ("blue", "black"),
    "violet": ("purple",),
    "magenta": ("purple", "pink"),
    "rainbow": ("red", "orange", "yellow", "green", "blue", "purple"),
}
"""What a subject may be called, and the colours meant."""

SOFTNESS = 0.02
"""Squared distance in Oklab over which a colour fades into the next; black and white are 1 apart."""


CONES = (
    (0.4122214708, 0.2119034982, 0.0883024619),
    (0.5363325363, 0.6806995451, 0.2817188376),
    (0.0514459929, 0.1073969566, 0.6299787005),
)
"""Linear red, green, blue -> what three cones see (Oklab's first matrix, transposed)."""

OPPONENTS = (
    (0.2104542553, 1.9779984951, 0.0259040371),
    (0.7936177850, -2.4285922050, 0.7827717662),
    (-0.0040720468, 0.4505937099, -0.8086757660),
)
"""Roots of those -> lightness, green to red, blue to yellow (its second)."""


def named_in(text: str, words: dict[str, tuple[str, ...]], beside: str = "") -> list[str]:
    """The colours that a text names by any of the words, but for words that occur in `beside` too."""
    own = set(re.findall(r"\w+", text.lower())) - set(re.findall(r"\w+", beside.lower()))
    return [name for name in COLOURS if any(name in words[word] for word in own & words.keys())]


def wanted(names: list[str]) -> Tensor:
    """Roots of equal shares of the named colours, (12,), unit length; zeros where none is named."""
    shares = torch.tensor([float(name in names) for name in COLOURS])
    return (shares / max(len(names), 1)).sqrt()


def seen(pixels: Tensor, weights: Tensor) -> Tensor:
    """Roots of the shares of each colour in pixels (n, 3, h, w) of 0..1, weighted (n, h, w): (n, 12), unit length.

    Roots, because then a dot product is Bhattacharyya's likeness of two distributions, and cosines stay cosines.
    """
    places = oklab(pixels.flatten(2).transpose(1, 2))  # (n, h * w, 3)
    prototypes = oklab(table(tuple(COLOURS.values()), pixels.device))
    far = (places[:, :, None] - prototypes).square().sum(-1)
    shares = torch.softmax(-far / SOFTNESS, dim=-1)
    weights = weights.flatten(1) / weights.flatten(1).sum(1, keepdim=True)
    mean = torch.einsum("npc,np->nc", shares, weights)
    return ((mean + 1e-3) / (1 + 1e-3 * len(COLOURS))).sqrt()


def oklab(rgb: Tensor) -> Tensor:
    """Oklab of red-green-blue (..., 3) in 0..1."""
    linear = rgb.clamp(0.02, 1) ** 2.2  # near enough to sRGB's curve; never 0, where the roots below have no gradient
    return (linear @ table(CONES, rgb.device)).pow(1 / 3) @ table(OPPONENTS, rgb.device)
