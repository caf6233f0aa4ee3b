"""What all optimiser nodes are."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any

import torch
from annotated_types import Interval
from torch import Tensor
from torch.optim import Optimizer

from t2iflow.nodes.core.types import Count, Image, Loss, Means, StepRate, Steps

USUAL_RATE = 0.05
"""The rate for a canvas that doesn't say how fast it learns."""

Decay = Annotated[float, Interval(ge=0, lt=1)]


class Fit:
    """What all optimiser nodes are: a torch optimiser, its number of steps, and a running mean of what it trains.

    `steps`: how many to take. `accumulate` spreads the crops of a step over this many passes (best a divisor of their
    number), so that memory holds only those of one pass; the picture is still painted once per step. `average` above 0
    keeps a bias-corrected running mean of the trained tensors with that decay (as Big Sleep does) and gives the picture
    of the mean. `rate` may be keyframed; its default is what suits the canvas, as that one's description says.
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
        """Begin to train these tensors, each at the rate times its pace (1 if none are given)."""
        groups: dict[float, list[Tensor]] = {}
        for tensor, pace in zip(tensors, [1.0] * len(tensors) if paces is None else paces, strict=True):
            groups.setdefault(pace, []).append(tensor)
        self._tensors, self._paces = list(tensors), list(groups)
        self._optimizer = self._make([{"params": group} for group in groups.values()])
        if self.capturable:
            for group in self._optimizer.param_groups:
                group["lr"] = torch.zeros((), device=tensors[0].device)
        self._means = [torch.zeros_like(tensor) for tensor in tensors] if self.decay else []

    @property
    def capturable(self) -> bool:
        """Whether `step` asks the device nothing and only touches memory that stays, so that a GPU can repeat it."""
        return all(group.get("capturable") or group.get("fused") for group in self._optimizer.param_groups)

    def restart(self, carry: bool) -> None:
        """Start again from the tensors as they are now, without their running mean; `carry` keeps the moments."""
        if not carry:
            self._forget()
        self._taken = 0
        for mean in self._means:
            mean.zero_()

    def __call__(self, image: Image, loss: Loss, *, rate: StepRate = USUAL_RATE) -> Image:
        """Move the trained tensors along their gradients, which the caller computed from `loss`; passes `image` on."""
        self.set_out(rate)
        self.step()
        return image

    def set_out(self, rate: float) -> None:
        """Prepare a step, and count it."""
        for group, pace in zip(self._optimizer.param_groups, self._paces, strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate * pace)
            else:
                group["lr"] = rate * pace
        self._taken += 1

    def step(self) -> None:
        """Move the trained tensors along their gradients, and their running mean."""
        self._optimizer.step()
        for mean, tensor in zip(self._means, self._tensors, strict=True) if self._means else ():
            mean.lerp_(tensor.detach(), 1 - self.decay)

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
        rates = [group["lr"] for group in self._optimizer.param_groups]
        self._optimizer.load_state_dict(self._own_options(state["optimizer"]))
        for group, rate in zip(self._optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        for mean, saved in zip(self._means, state["means"], strict=True):
            mean.copy_(saved)
        self._taken = state["taken"]

    def _own_options(self, saved: dict[str, Any]) -> dict[str, Any]:
        """A saved state with this optimiser's own options: those of another device may not work here."""
        own = self._optimizer.state_dict()["param_groups"]
        pairs = zip(own, saved["param_groups"], strict=True)
        groups = [{**theirs, **mine, "params": theirs["params"]} for mine, theirs in pairs]  # some count steps there
        return {"state": saved["state"], "param_groups": groups}

    def _forget(self) -> None:
        """Reset the optimiser, in place where a GPU may replay its step."""
        if not self.capturable:
            self._optimizer = self._make([{"params": group["params"]} for group in self._optimizer.param_groups])
        for memory in self._optimizer.state.values():
            for value in memory.values():
                value.zero_()

    @torch.no_grad()
    def _fill(self, values: list[Tensor]) -> None:
        for tensor, value in zip(self._tensors, values, strict=True):
            tensor.copy_(value)
