"""What canvases of codes share: codes drawn at random, or made almost certain, and the likeliest for the end."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, TypeAlias

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor

from t2iflow.nodes.core.ambient import Random

Code: TypeAlias = Annotated[int, Ge(0)]
"""A code by its number."""
Certainty: TypeAlias = Annotated[float, Gt(0), Lt(1)]
"""The probability of the code that a picture has at a place."""


def drawn(likely: Tensor, random: Random) -> Tensor:
    """A code for each row of probabilities (..., codes), by where a random number falls in their running sum.

    One random number per row, so that it is the same on every device; a code of probability 0 is never drawn.
    """
    sums = likely.cumsum(-1)
    chance = random.uniform(*likely.shape[:-1], 1, high=1 - 1e-6).to(likely.device)  # below the last sum, also rounded
    return torch.searchsorted(sums, chance * sums[..., -1:], right=True)[..., 0]


def certain(logits: Tensor, codes: Tensor, certainty: float) -> Tensor:
    """Logits (..., codes) with that of one code in each row, (..., 1), raised to the probability `certainty`."""
    others = logits.scatter(-1, codes, -math.inf).logsumexp(-1, keepdim=True)
    return logits.scatter(-1, codes, others + math.log(certainty / (1 - certainty)))


def picked(logits: Tensor, chance: Tensor, most: int, temperature: float) -> Tensor:
    """A code for each row of logits (n, codes): where a chance (n,) in 0..1 falls when the `most` likeliest codes share
    that range among them, more evenly at a higher `temperature`."""
    likely, which = logits.topk(most)
    shares = (likely / temperature).softmax(-1).cumsum(-1)
    at = torch.searchsorted(shares, chance[:, None].contiguous(), right=True).clamp(max=most - 1)
    return which.gather(1, at)[:, 0]


class Hardens:
    """A canvas whose finished picture has the likeliest codes, whatever is painted in its steps."""

    _finished = False

    @contextmanager
    def finished(self) -> Iterator[None]:
        """Within it, the likeliest codes are painted."""
        self._finished = True
        try:
            yield
        finally:
            self._finished = False
