"""Optimisers: what they do with what they are given to train."""

import pytest
import torch

from t2iflow.nodes.core import catalog
from t2iflow.nodes.core.types import Image, Loss

IMAGE, LOSS = Image(torch.zeros(1, 3, 2, 2)), Loss(torch.zeros(()))


def test_each_tensor_moves_at_its_own_pace() -> None:
    tensors = [torch.zeros(2, requires_grad=True) for _ in range(3)]
    fit = catalog.find("optimizers.sgd").make()
    fit.start(tensors, [1.0, 0.25, 1.0])
    for tensor in tensors:
        tensor.grad = torch.ones(2)
    fit(IMAGE, LOSS, rate=0.4)
    assert [tensor[0].item() for tensor in tensors] == pytest.approx([-0.4, -0.1, -0.4])


def test_memory_comes_back_to_tensors_of_several_paces() -> None:
    def moved(steps: int, again: int) -> list[float]:
        tensors = [torch.zeros(1, requires_grad=True) for _ in range(2)]
        fit = catalog.find("optimizers.adam").make(average=0.5)
        fit.start(tensors, [1.0, 0.1])
        for step in range(steps):
            if step == again:
                state = fit.state_dict()
                fit = catalog.find("optimizers.adam").make(average=0.5)
                fit.start(tensors, [1.0, 0.1])
                fit.load_state_dict(state)
            for tensor in tensors:
                tensor.grad = torch.full((1,), float(step) - 1)
            fit(IMAGE, LOSS, rate=0.1)
        with fit.averaged():
            return [tensor.item() for tensor in tensors]

    assert moved(4, again=2) == moved(4, again=-1)
