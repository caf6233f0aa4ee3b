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
        free = _projected(weights, gradients, moves)
        if group["weight_decay"]:
            factors = [1 - group["weight_decay"] * rate * torch.where(one, SPARED, 1.0) for one in free]
            torch._foreach_mul_(weights, factors)
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


def _projected(weights: list[Tensor], gradients: list[Tensor], moves: list[Tensor]) -> list[Tensor]:
    """Take from each move what only changes the weight's length; for each weight, whether that was so."""
    free = [weight.new_zeros((), dtype=torch.bool) for weight in weights]
    alike: dict[torch.Size, list[int]] = defaultdict(list)
    for number, weight in enumerate(weights):
        if weight.ndim > 1:
            alike[weight.shape].append(number)
    for numbers in alike.values():
        weight, gradient, move = (
            torch.stack([some[number] for number in numbers]).flatten(2) for some in (weights, gradients, moves)
        )  # (k, rows, n)
        rows = _apart(weight, gradient, (2,)).amax(1) < ALONG / math.sqrt(weight.shape[2])
        whole = _apart(weight, gradient, (1, 2))[:, 0] < ALONG / math.sqrt(weight[0].numel())
        along = torch.where(rows[:, None, None], _along(weight, move, (2,)), _along(weight, move, (1, 2)))
        moved = move - torch.where((rows | whole)[:, None, None], along, 0.0)
        torch._foreach_copy_([moves[number].view_as(moved[0]) for number in numbers], list(moved))
        for number, one in zip(numbers, rows | whole, strict=True):
            free[number] = one
    return free


def _apart(weight: Tensor, gradient: Tensor, over: tuple[int, ...]) -> Tensor:
    """The size of the cosine between weights and gradients over some dimensions, (k, rows or 1)."""
    lengths = [one.norm(dim=over, keepdim=True).clamp(min=EPS) for one in (weight, gradient)]
    cosine: Tensor = (weight * gradient).sum(over, keepdim=True) / lengths[0] / lengths[1]
    return cosine[..., 0].abs()


def _along(weight: Tensor, move: Tensor, over: tuple[int, ...]) -> Tensor:
    """The part of a move that points along the weight."""
    unit: Tensor = weight / (weight.norm(dim=over, keepdim=True) + EPS)
    return unit * (unit * move).sum(over, keepdim=True)
