"""Steps towards a picture that is to be shown, before those of the run's own optimiser."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from t2iflow.nodes.optimizing import eager


def fit(tensors: list[Tensor], paint: Callable[[], Tensor], target: Tensor, steps: int, rate: float) -> None:
    """Train tensors with some steps of Adam so that what is painted from them approaches the target."""
    adam = eager.Adam(tensors, lr=rate)
    with torch.enable_grad():
        for _ in range(steps):
            adam.zero_grad()
            F.mse_loss(paint(), target).backward()
            adam.step()
    adam.zero_grad()
