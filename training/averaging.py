"""The mean of a network's weights over the last steps, which is what is exported."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

MEMORY = 0.999


class Mean:
    """Follows a network in training."""

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self.weights: dict[str, Tensor] = copy.deepcopy(network.state_dict())

    def follow(self, number: int) -> None:
        """Take in the weights after a step."""
        memory = min(MEMORY, number / (number + 10))
        torch._foreach_lerp_(list(self.weights.values()), list(self._network.state_dict().values()), 1 - memory)

    def resume(self, weights: dict[str, Tensor]) -> None:
        """Take a mean back."""
        for name, value in self.weights.items():
            value.copy_(weights[name])

    @contextmanager
    def used(self) -> Iterator[None]:
        """While it lasts, the network has the mean."""
        own = copy.deepcopy(self._network.state_dict())
        self._network.load_state_dict(self.weights)
        try:
            yield
        finally:
            self._network.load_state_dict(own)
