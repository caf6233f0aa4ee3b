"""What changes from step to step, where a recorded step finds it: numbers and chance as tensors that stay in place."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from t2iflow.nodes.core.ambient import Random, Share
from t2iflow.nodes.core.chance import Call, Chance
from t2iflow.runner.execution.link import Link
from t2iflow.runner.execution.tensors import mapped, tensors

Changing = Mapping[Call, Mapping[str, Any]]
"""What the calls of a step are given that differs from step to step, beside values of other nodes."""
PLAIN = str | bytes | int | None


class Feed:
    """Gives each call of a step the same objects every time; before each step, what is in them is renewed."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._chance = device, Chance(device)
        self._numbers: dict[object, Tensor] = {}
        self._values: dict[int, Any] = {}
        self._given: dict[Call, dict[str, Any]] = {}

    def __call__(self, link: Link, share: Share) -> Mapping[str, Any]:
        """What a call is given."""
        return self._given[link.node.name, share.number]

    def renew(self, changing: Changing) -> None:
        """Put what the calls of a step are given into its place."""
        drawing = {call: one for call, given in changing.items() for one in given.values() if isinstance(one, Random)}
        self._chance.renew(drawing)
        for call, given in changing.items():
            self._given[call] = {name: self._in_place(value, call, name) for name, value in given.items()}

    def keep(self, slot: int, value: Any) -> Any:
        """Put a value that was computed before the step into its place; gives what is there."""
        if slot not in self._values:
            self._values[slot] = mapped(value, torch.clone)
        kept = self._values[slot]
        for place, fresh in zip(tensors(kept), tensors(value), strict=True):
            place.copy_(fresh, non_blocking=True)
        return kept

    def _in_place(self, value: Any, call: Call, *place: object) -> Any:
        if isinstance(value, Random):
            return self._chance[call]
        if isinstance(value, list | tuple):
            return type(value)(self._in_place(one, call, *place, number) for number, one in enumerate(value))
        if not isinstance(value, float):
            return value
        number = self._numbers.get((call, place))
        if number is None:
            number = self._numbers[call, place] = torch.zeros((), device=self._device)
        return number.fill_(value)


def form(value: Any) -> Any:
    """All of it that can't be put into a place: where this differs, what was recorded is of no use."""
    if isinstance(value, Mapping):
        return {name: form(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [form(one) for one in value]
    return value if isinstance(value, PLAIN) else type(value)


def outline(value: Any) -> Any:
    """A value with the shapes of its tensors in their places."""
    return mapped(value, lambda tensor: (tensor.shape, tensor.dtype))
