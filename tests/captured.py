"""The rules of a CUDA graph, without a GPU: what a step may not do that is captured and repeated by the device alone.

On the `meta` device tensors have shapes but no values. There, whatever asks for a value fails anyway, and all that is
made in the wrong place shows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

QUESTIONS = {
    "_linalg_check_errors",
    "_local_scalar_dense",
    "bincount",
    "equal",
    "is_nonzero",
    "item",
    "masked_select",
    "nonzero",
    "repeat_interleave",
    "unique_consecutive",
    "unique_dim",
    "_unique2",
}
"""For these the host waits until the device has answered."""
COPIES = {"lift_fresh", "lift_fresh_copy"}
"""Tensors made of numbers of Python's."""
CHANCE = {
    "bernoulli",
    "exponential",
    "multinomial",
    "native_dropout",
    "normal",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "random",
    "randperm",
    "uniform",
}


class Refused(AssertionError):
    """The step does what can't be captured."""


class Captured(TorchDispatchMode):
    """Within it, questions, chance and copies from the host are refused, and all tensors lie on the device.

    On the CPU single numbers are let through: there torch copies them where on other devices it fills.

    `counters`: whether the host may count for itself, with tensors of its own.
    """

    def __init__(self, device: torch.device, counters: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.launched = 0
        self._device, self._counters, self._on = device, counters, True

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Within it, anything goes: it runs before the step that is captured."""
        before, self._on = self._on, False
        try:
            yield
        finally:
            self._on = before

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if self._on:
            self._look(function, [*tree_leaves((args, kwargs))], tree_leaves(result))
        return result

    def _look(self, function: Any, given: list[Any], made: list[Any]) -> None:
        name = function.overloadpacket.__name__
        tensors = [one for one in (*given, *made) if isinstance(one, Tensor)]
        devices = {tensor.device.type for tensor in tensors}
        self.launched += 1
        if self._counters and devices == {"cpu"}:
            return
        if name in QUESTIONS or (name == "index" and any(one.dtype == torch.bool for one in tensors)):
            raise Refused(f"{name}: the host asks the device")
        if name in COPIES and (self._device.type != "cpu" or any(tensor.ndim for tensor in made)):
            raise Refused(f"{name}: numbers are copied from the host")
        if name.rstrip("_") in CHANCE or any(isinstance(one, torch.Generator) for one in given):
            raise Refused(f"{name}: chance is drawn in the step")
        if devices - {self._device.type}:
            raise Refused(f"{name}: a tensor lies on the {' and the '.join(sorted(devices))}")
