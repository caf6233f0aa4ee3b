"""The decoder of DALLE-pytorch's own DiscreteVAE: from codes to pictures."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

DEFAULTS: Mapping[str, Any] = {
    "num_tokens": 512,
    "codebook_dim": 512,
    "num_layers": 3,
    "num_resnet_blocks": 0,
    "hidden_dim": 64,
    "channels": 3,
    "normalization": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}
"""What decides a decoder, by the names that checkpoints have for it, and what holds where one leaves it out."""


class Residual(nn.Module):
    """Three convolutions whose result is added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        one, other = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.net = nn.Sequential(one, nn.ReLU(), other, nn.ReLU(), nn.Conv2d(width, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Of any size, (n, width, h, w)."""
        out: Tensor = x + self.net(x)
        return out


class DiscreteDecoder(nn.Module):
    """Paints codes (n, h, w) as pictures (n, 3, h * 2^layers, w * 2^layers) in 0..1.

    It was trained on normalised colours, and means and deviations bring these back; `generate.py` stretches each
    picture over its own range instead.
    """

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        super().__init__()
        of = {**DEFAULTS, **parameters}
        wide, hidden, blocks = of["codebook_dim"], of["hidden_dim"], of["num_resnet_blocks"]
        if of["channels"] != 3:
            raise ValueError(f"its DiscreteVAE paints {of['channels']} channels; red, green and blue are three")
        for name, three in zip(("mean", "deviation"), of["normalization"] or ((0.0,) * 3, (1.0,) * 3), strict=True):
            self.register_buffer(name, torch.tensor(three[:3], device="cpu").view(3, 1, 1), persistent=False)
        self.codebook = nn.Embedding(of["num_tokens"], wide)
        start = [nn.Conv2d(wide, hidden, 1), *(Residual(hidden) for _ in range(blocks))] if blocks else []
        widths = [hidden if blocks else wide, *[hidden] * of["num_layers"]]
        growing = (
            nn.Sequential(nn.ConvTranspose2d(one, other, 4, stride=2, padding=1), nn.ReLU())
            for one, other in pairwise(widths)
        )
        self.decoder = nn.Sequential(*start, *growing, nn.Conv2d(hidden, 3, 1))

    def forward(self, codes: Tensor) -> Tensor:
        """Codes are numbers of rows in the codebook, int64."""
        painted = self.decoder(self.codebook(codes).permute(0, 3, 1, 2)).float()
        picture: Tensor = painted * self.deviation + self.mean
        return picture.clamp(0, 1)
