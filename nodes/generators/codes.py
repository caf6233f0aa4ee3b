"""Drawing codes at random."""

import torch
from torch import Tensor

from t2iflow.nodes.core.ambient import Random


def drawn(likely: Tensor, random: Random) -> Tensor:
    """A code for each row of probabilities (..., codes), by where a random number falls in their running sum.

    One random number per row, so that it is the same on every device; a code of probability 0 is never drawn.
    """
    sums = likely.cumsum(-1)
    chance = random.uniform(*likely.shape[:-1], 1, high=1 - 1e-6).to(likely.device)  # below the last sum, also rounded
    return torch.searchsorted(sums, chance * sums[..., -1:], right=True)[..., 0]


def picked(logits: Tensor, chance: Tensor, most: int, temperature: float) -> Tensor:
    """A code for each row of logits (n, codes): where a chance (n,) in 0..1 falls when the `most` likeliest codes share
    that range among them, more evenly at a higher `temperature`."""
    likely, which = logits.topk(most)
    shares = (likely / temperature).softmax(-1).cumsum(-1)
    at = torch.searchsorted(shares, chance[:, None].contiguous(), right=True).clamp(max=most - 1)
    return which.gather(1, at)[:, 0]
