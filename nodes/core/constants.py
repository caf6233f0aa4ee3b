"""Tensors that are made of numbers once: moving numbers to a GPU in every step would make every step wait for it."""

from collections.abc import Callable, Hashable
from functools import wraps
from typing import TypeVar

import torch
from torch import Tensor

Made = TypeVar("Made")


def constant(make: Callable[..., Made]) -> Callable[..., Made]:
    """Keep what a function makes; in the open, not by `functools.cache`, through which `torch.compile` looks."""
    kept: dict[tuple[Hashable, ...], Made] = {}

    @wraps(make)
    def once(*given: Hashable) -> Made:
        if given not in kept:
            kept[given] = make(*given)
        return kept[given]

    return once


@constant
def table(rows: tuple[tuple[float, ...], ...], device: torch.device) -> Tensor:
    """Rows of numbers as a tensor."""
    return torch.tensor(rows, device=device)
