"""What trains the canvases upstream of a loss, step by step.

To add one, write a function from parameters and its own settings to a torch optimiser and mark it with `optimizer`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any

import torch
from annotated_types import Interval
from torch import Tensor
from torch.optim import Optimizer

from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.types import Count, Factor, Image, Loss, Means, Steps

Decay = Annotated[float, Interval(ge=0, lt=1)]
Betas = tuple[Decay, Decay]
Groups = list[dict[str, list[Tensor]]]
"""Tensors under `params`, as torch's optimisers take them: those of one pace together."""


class Fit:
    """What all optimiser nodes are: a torch optimiser, its number of steps, and a running mean of what it trains.

    `steps`: how many to take. `accumulate` spreads the crops of a step over this many passes (best a divisor of their
    number), so that memory holds only those of one pass; the picture is still painted once per step. `average` above 0
    keeps a bias-corrected running mean of the trained tensors with that decay (as Big Sleep does) and gives the picture
    of the mean. `rate` may be keyframed.
    """

    def __init__(
        self,
        make: Callable[..., Optimizer],
        /,
        *,
        steps: Steps = 300,
        accumulate: Annotated[Count, Means("passes")] = 1,
        average: Decay = 0.0,
        **own: Any,
    ) -> None:
        self.decay = average
        self._make = partial(make, **own)
        self._tensors: list[Tensor] = []
        self._paces: list[float] = []
        self._means: list[Tensor] = []
        self._taken = 0

    def start(self, tensors: Sequence[Tensor], paces: Sequence[float] | None = None) -> None:
        """Take on the tensors to train, each at the rate times its pace (1 if none are given)."""
        groups: dict[float, list[Tensor]] = {}
        for tensor, pace in zip(tensors, [1.0] * len(tensors) if paces is None else paces, strict=True):
            groups.setdefault(pace, []).append(tensor)
        self._tensors, self._paces = list(tensors), list(groups)
        self._optimizer = self._make([{"params": group} for group in groups.values()])
        self._means = [torch.zeros_like(tensor) for tensor in tensors] if self.decay else []

    def restart(self, carry: bool) -> None:
        """Begin with the tensors as they are now: without their running mean, and without moments but to `carry`."""
        if not carry:
            self._optimizer.state.clear()
        self._taken = 0
        for mean in self._means:
            mean.zero_()

    def __call__(self, image: Image, loss: Loss, *, rate: Factor = 0.05) -> Image:
        """Move the trained tensors along their gradients, which the caller has made from `loss`; gives `image` on."""
        for group, pace in zip(self._optimizer.param_groups, self._paces, strict=True):
            group["lr"] = rate * pace
        self._optimizer.step()
        self._taken += 1
        for mean, tensor in zip(self._means, self._tensors, strict=True) if self._means else ():
            mean.lerp_(tensor.detach(), 1 - self.decay)
        return image

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within it, the trained tensors hold their running mean, if one is kept."""
        if not self._means or not self._taken:
            yield
            return
        kept = [tensor.detach().clone() for tensor in self._tensors]
        correction = 1 - self.decay**self._taken
        try:
            self._fill([mean / correction for mean in self._means])
            yield
        finally:
            self._fill(kept)

    def state_dict(self) -> dict[str, Any]:
        """The optimiser's own state, the running means, and the number of steps taken."""
        return {"optimizer": self._optimizer.state_dict(), "means": self._means, "taken": self._taken}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the memory back, after `start`."""
        self._optimizer.load_state_dict(state["optimizer"])
        for mean, saved in zip(self._means, state["means"], strict=True):
            mean.copy_(saved)
        self._taken = state["taken"]

    @torch.no_grad()
    def _fill(self, values: list[Tensor]) -> None:
        for tensor, value in zip(self._tensors, values, strict=True):
            tensor.copy_(value)


optimizer = node(role="optimizer", base=Fit)
"""Marks a function from tensors and its own settings to a torch optimiser as an optimiser node."""


@optimizer
def adam(
    parameters: Groups, /, *, betas: Betas = (0.9, 0.999), weight_decay: Factor = 0.0, amsgrad: bool = False
) -> Optimizer:
    """Adam (Kingma and Ba 2014), what most of the notebooks use."""
    return torch.optim.Adam(parameters, betas=betas, weight_decay=weight_decay, amsgrad=amsgrad)


@optimizer
def adamw(
    parameters: Groups, /, *, betas: Betas = (0.9, 0.999), weight_decay: Factor = 0.01, amsgrad: bool = False
) -> Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2017)."""
    return torch.optim.AdamW(parameters, betas=betas, weight_decay=weight_decay, amsgrad=amsgrad)


@optimizer
def adamp(
    parameters: Groups, /, *, betas: Betas = (0.9, 0.999), weight_decay: Factor = 0.0, nesterov: bool = False
) -> Optimizer:
    """AdamP (Heo et al. 2020), Deep Daze's choice: steps without the part that only makes weights grow."""
    from pytorch_optimizer import AdamP

    return AdamP(parameters, betas=betas, weight_decay=weight_decay, nesterov=nesterov)


@optimizer
def diffgrad(parameters: Groups, /, *, betas: Betas = (0.9, 0.999), weight_decay: Factor = 0.0) -> Optimizer:
    """DiffGrad (Dubey et al. 2019): slower where the gradient changes little."""
    from pytorch_optimizer import DiffGrad

    return DiffGrad(parameters, betas=betas, weight_decay=weight_decay)


@optimizer
def radam(parameters: Groups, /, *, betas: Betas = (0.9, 0.999), weight_decay: Factor = 0.0) -> Optimizer:
    """Rectified Adam (Liu et al. 2019), which needs no warm-up."""
    return torch.optim.RAdam(parameters, betas=betas, weight_decay=weight_decay)


@optimizer
def adamax(parameters: Groups, /, *, betas: Betas = (0.9, 0.999), weight_decay: Factor = 0.0) -> Optimizer:
    """Adamax (Kingma and Ba 2014): Adam by the largest gradient instead of the mean square."""
    return torch.optim.Adamax(parameters, betas=betas, weight_decay=weight_decay)


@optimizer
def adagrad(parameters: Groups, /, *, weight_decay: Factor = 0.0) -> Optimizer:
    """Adagrad (Duchi et al. 2011)."""
    return torch.optim.Adagrad(parameters, weight_decay=weight_decay)


@optimizer
def rmsprop(
    parameters: Groups, /, *, smoothing: Decay = 0.99, momentum: Factor = 0.0, weight_decay: Factor = 0.0
) -> Optimizer:
    """RMSprop (Hinton 2012)."""
    return torch.optim.RMSprop(parameters, alpha=smoothing, momentum=momentum, weight_decay=weight_decay)


@optimizer
def sgd(
    parameters: Groups, /, *, momentum: Factor = 0.0, nesterov: bool = False, weight_decay: Factor = 0.0
) -> Optimizer:
    """Stochastic gradient descent, with momentum if wanted."""
    return torch.optim.SGD(parameters, lr=1e-3, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)
