"""What EfficientNet-Lite sees in pictures: to tell how unlike two are, and to tell painted ones from true ones."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2iflow.nodes.perceptors.lite import efficientnet

SEEN = (0, 2, 4, 7, 10)
"""Blocks whose outputs are compared: 2, 4, 8, 16 and 16 times smaller than the picture."""


class Features(nn.Module):
    """The outputs of some blocks of a frozen EfficientNet-Lite, each channel divided by its deviation in training."""

    def __init__(self, name: efficientnet.Name = "lite0", dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        whole = efficientnet.load(name, dtype)
        self.stem, self.blocks = whole.stem, whole.blocks[: max(SEEN) + 1]
        blocks: Any = self.blocks
        self.channels = [blocks[number].narrow.weight.shape[0] for number in SEEN]

    def forward(self, images: Tensor) -> list[Tensor]:
        """Pictures (n, 3, h, w) in 0..1 to a tensor for each of the blocks."""
        x = F.relu6(self.stem((images * 2 - 1).to(self.stem.weight.dtype, memory_format=torch.channels_last)))
        seen = []
        for number, block in enumerate(self.blocks):
            x, layer = block(x)
            if number in SEEN:
                seen.append((layer.activations - layer.mean[:, None, None]) / layer.std[:, None, None])
        return seen


def distance(some: Sequence[Tensor], others: Sequence[Tensor]) -> Tensor:
    """Mean difference of features over places, channels, pictures and blocks; about 1.1 between pictures of nothing
    alike."""
    return torch.stack([(one - other).abs().mean() for one, other in zip(some, others, strict=True)]).float().mean()


WIDTH = 32
"""Channels of the critic's layers."""


class Critic(nn.Module):
    """Tells true pictures from painted ones by what EfficientNet-Lite sees in them.

    Sauer et al. 2021, "Projected GANs Converge Faster"; a head of three layers for each block, without its random
    mixtures of channels and scales.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(taken, WIDTH, 1),
                nn.LeakyReLU(0.2),
                nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
                nn.LeakyReLU(0.2),
                nn.Conv2d(WIDTH, 1, 3, padding=1),
            )
            for taken in channels
        )

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """How true each place is, a tensor for each block."""
        return [head(seen) for head, seen in zip(self.heads, features, strict=True)]


def truth(judged: Sequence[Tensor]) -> Tensor:
    """How true pictures are on the whole."""
    return torch.stack([one.mean() for one in judged]).mean()


def mistakes(true: Sequence[Tensor], painted: Sequence[Tensor]) -> Tensor:
    """The critic's hinge loss."""
    return torch.stack(
        [F.relu(1 - one).mean() + F.relu(1 + other).mean() for one, other in zip(true, painted, strict=True)]
    ).mean()
