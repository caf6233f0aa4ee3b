"""AdamP (Heo et al. 2020, "Slowing Down the Slowdown for Momentum Optimizers"), whose step asks its device nothing.

Adam's move of a weight with several dimensions may mostly make the weight longer, which changes nothing where a norm
follows; that part of it is taken away. Which weights that concerns is decided on the device, for all of one shape at
once, where the library's own step asks twice for each.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

ALONG = 0.1
"""How small the cosine between a weight and its gradient must be for the weight's length to matter to nothing; for a
weight of n numbers, times 1 / sqrt(n)."""
SPARED = 0.1
"""What part of its decay such a weight gets."""
EPS = 1e-8


class AdamP(Optimizer):
    """AdamP with the figures of its authors; `lr` may be a tensor."""

    def __init__(
        self, parameters: Iterable[Any], *, betas: tuple[float, float], weight_decay: float, nesterov: bool
    ) -> None:
        own = {"lr": 1e-3, "betas": betas, "weight_decay": weight_decay, "nesterov": nesterov}
        super().__init__(parameters, {**own, "capturable": True})  # so a loaded `step` goes to the device, too

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move all parameters that have a gradient."""
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights:
                self._move(weights, group)

    def _move(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        (keep, keep_square), rate = group["betas"], group["lr"]
        gradients: list[Tensor] = [weight.grad for weight in weights]  # type: ignore[misc]
        steps, means, squares = self._memory(weights)
        torch._foreach_add_(steps, 1)
        torch._foreach_lerp_(means, gradients, 1 - keep)
        torch._foreach_mul_(squares, keep_square)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - keep_square)
        spreads = torch._foreach_sqrt(squares)
        torch._foreach_add_(spreads, EPS)
        ahead = torch._foreach_lerp(means, gradients, 1 - keep) if group["nesterov"] else means
        moves = list(torch._foreach_div(ahead, spreads))
        decays = _projected(weights, gradients, moves)
        if group["weight_decay"]:
            torch._foreach_mul_(weights, [1 - group["weight_decay"] * rate * decay for decay in decays])
        scale = rate * _counted(keep_square, steps[0]).sqrt() / _counted(keep, steps[0])
        torch._foreach_mul_(moves, scale)
        torch._foreach_sub_(weights, moves)

    def _memory(self, weights: list[Tensor]) -> tuple[list[Tensor], ...]:
        """The number of steps, the mean gradient and the mean squared gradient of each weight."""
        for weight in weights:
            if not self.state[weight]:
                self.state[weight] = {
                    "step": torch.zeros((), device=weight.device),
                    "mean": torch.zeros_like(weight),
                    "square": torch.zeros_like(weight),
                }
        return tuple([self.state[weight][name] for weight in weights] for name in ("step", "mean", "square"))


def _counted(keep: float, step: Tensor) -> Tensor:
    """How much a running mean has counted after `step` steps, 1 - keep ** step, without what rounding would cost."""
    return -torch.expm1(step * (math.log(keep) if keep else -math.inf))


def _projected(weights: list[Tensor], gradients: list[Tensor], moves: list[Tensor]) -> list[Tensor | float]:
    """Take from each move what only changes the weight's length; gives what part of its decay each weight gets."""
    decays: list[Tensor | float] = [1.0] * len(weights)
    for numbers in _alike(weights):
        weight, gradient, move = (_together(some, numbers) for some in (weights, gradients, moves))
        lengths, slopes = weight.norm(dim=2), gradient.norm(dim=2)
        products, along = (weight * gradient).sum(2), (weight * move).sum(2)
        length, slope = (one.norm(dim=1, keepdim=True) for one in (lengths, slopes))
        rows = _cosine(products, lengths, slopes).amax(1, keepdim=True) < ALONG / math.sqrt(weight.shape[2])
        whole = _cosine(products.sum(1, keepdim=True), length, slope) < ALONG / math.sqrt(weight[0].numel())
        taken = torch.where(rows, along / (lengths + EPS) ** 2, along.sum(1, keepdim=True) / (length + EPS) ** 2)
        move.addcmul_(weight, torch.where(rows | whole, taken, 0.0)[..., None], value=-1)
        for number, moved, decay in zip(numbers, move, torch.where(rows | whole, SPARED, 1.0)[:, 0], strict=True):
            moves[number], decays[number] = moved.view(weights[number].shape), decay
    return decays


def _alike(weights: list[Tensor]) -> Iterable[list[int]]:
    """The numbers of those of several dimensions: of one shape together, where each call is dear, or one by one, where
    a processor's cache is small."""
    alike: dict[object, list[int]] = defaultdict(list)
    for number, weight in enumerate(weights):
        if weight.ndim > 1:
            alike[number if weight.is_cpu else weight.shape].append(number)
    return alike.values()


def _together(some: list[Tensor], numbers: list[int]) -> Tensor:
    """Those of these numbers, (k, rows, n)."""
    return (
        torch.stack([some[number] for number in numbers]).flatten(2)
        if numbers[1:]
        else some[numbers[0]][None].flatten(2)
    )


def _cosine(products: Tensor, lengths: Tensor, slopes: Tensor) -> Tensor:
    """The size of cosines, from scalar products and the lengths of both sides."""
    cosine: Tensor = products.abs() / lengths.clamp(min=EPS) / slopes.clamp(min=EPS)
    return cosine
