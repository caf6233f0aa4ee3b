"""open_clip's own image towers, for all that isn't folded: ResNets, those of timm, pooling by attention."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Own(nn.Module):
    """The image tower of a network: features (n, d) in float32, of crops (n, 3, s, s) of 0..1."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: Any, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.visual = network.visual
        size = self.visual.image_size
        self.size: int = size if isinstance(size, int) else size[0]
        self.dtype: torch.dtype = next(tensor.dtype for tensor in self.visual.parameters() if tensor.ndim > 2)
        self._encode = network.encode_image
        for name, three in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(three).view(3, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """Features of crops."""
        features: Tensor = self._encode(((pixels - self.mean) / self.std).to(self.dtype))
        return features.float()
