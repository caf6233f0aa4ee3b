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


def test_the_running_mean_is_of_what_was_trained_and_corrected_for_its_start_at_zero() -> None:
    tensor = torch.zeros(1, requires_grad=True)
    fit = catalog.find("optimizers.sgd").make(average=0.75)
    fit.start([tensor])
    means = []
    for _ in range(3):  # the tensor is 1, then 2, then 3
        tensor.grad = -torch.ones(1)
        fit(IMAGE, LOSS, rate=1.0)
        with fit.averaged():
            means.append(tensor.item())
    # What a step trained counts a quarter, and all before it three quarters: 1/4, then 3/4 * 1/4 + 2/4, then
    # 3/4 * 11/16 + 3/4; each is divided by how much has been counted, 1 - 0.75 ** steps.
    assert means == pytest.approx([(1 / 4) / (1 / 4), (11 / 16) / (7 / 16), (81 / 64) / (37 / 64)])
    assert tensor.item() == 3


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
