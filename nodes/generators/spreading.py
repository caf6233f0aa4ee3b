"""Steering a grid of codes together: what one place of it is to become, its neighbours become a little too."""

from typing import Any

import torch
from torch import Tensor

from t2iflow.nodes.core.numbers import counts, larger

LEAST = 0.05
"""A deviation, in places, so small that nothing reaches a neighbour."""


def spreading(grid: Tensor, deviation: Any, wraps: bool) -> Tensor:
    """The grid (1, channels, h, w) as it is; its gradient is blurred by a Gaussian of this deviation, in places.

    So shapes come before textures, as with the smooth gradients of Neuberger 1985 ("Steepest descent and differential
    equations"). Where the grid `wraps`, its opposite edges are neighbours.
    """
    if not counts(deviation):
        return grid
    down, across = (_shares(side, deviation, wraps, grid) for side in grid.shape[-2:])
    blurred = down @ grid @ across.T
    return grid.detach() + (blurred - blurred.detach())  # in this order exactly the grid


def _shares(side: int, deviation: Any, wraps: bool, like: Tensor) -> Tensor:
    """What each place of a line gives to each other of its gradient, (givers, takers); 1 in all."""
    places = torch.arange(side, device=like.device, dtype=like.dtype)
    apart = (places[:, None] - places).abs()
    if wraps:
        apart = torch.minimum(apart, side - apart)
    near = torch.exp(-0.5 * (apart / larger(deviation, LEAST)) ** 2)
    return near / near.sum(1, keepdim=True)
