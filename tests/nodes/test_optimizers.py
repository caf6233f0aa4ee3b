"""Optimisers: what they do with what they are given to train."""

import subprocess
import sys
from contextlib import nullcontext

import pytest
import torch

from t2iflow.nodes import optimizers
from t2iflow.nodes.core import catalog
from t2iflow.nodes.core.types import Image, Loss
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.problems import RecipeError
from t2iflow.pipelines.text.recipe import read
from tests.captured import Captured

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


EVERY = [spec.name for spec in catalog.every_node() if spec.role == "optimizer"]


@pytest.mark.parametrize("name", EVERY)
def test_memory_comes_back_to_tensors_of_several_paces(name: str) -> None:
    def moved(steps: int, again: int) -> list[float]:
        tensors = [torch.zeros(1, requires_grad=True) for _ in range(2)]
        fit = catalog.find(name).make(average=0.5)
        fit.start(tensors, [1.0, 0.1])
        for step in range(steps):
            if step == again:
                state = fit.state_dict()
                fit = catalog.find(name).make(average=0.5)
                fit.start(tensors, [1.0, 0.1])
                fit.load_state_dict(state)
            for tensor in tensors:
                tensor.grad = torch.full((1,), float(step) - 1)
            fit(IMAGE, LOSS, rate=0.1)
        with fit.averaged():
            return [tensor.item() for tensor in tensors]

    assert moved(4, again=2) == moved(4, again=-1)


@pytest.mark.parametrize("name", EVERY)
def test_one_that_begins_anew_takes_the_steps_of_a_new_one(name: str) -> None:
    tensor = torch.zeros(2, requires_grad=True)
    fit = catalog.find(name).make(average=0.5)
    fit.start([tensor])
    places = []
    for _ in range(2):
        for step in range(3):
            tensor.grad = torch.full((2,), 1.0 + step)
            fit(IMAGE, LOSS, rate=0.1)
        places.append(tensor.detach().clone())
        with torch.no_grad():
            tensor.zero_()
        fit.restart(carry=False)
    assert torch.equal(*places)


def test_nesterov_needs_a_momentum() -> None:
    with pytest.raises(RecipeError, match="`nesterov` needs a `momentum` above 0"):
        compile_recipe(read("hello", overrides=["fit.use=optimizers.sgd", "fit.nesterov=true", "fit.betas=null"]))


SHAPES = ((8, 2), (8,), (8, 8), (8, 8), (3, 8), (3,), (4, 3, 2))


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_our_adamp_is_that_of_the_library(weight_decay: float, nesterov: bool) -> None:
    library = pytest.importorskip("pytorch_optimizer")
    chance = torch.Generator().manual_seed(0)
    ours = [torch.randn(shape, generator=chance).requires_grad_() for shape in SHAPES]
    theirs = [tensor.detach().clone().requires_grad_() for tensor in ours]
    fit = catalog.find("optimizers.adamp").make(weight_decay=weight_decay, nesterov=nesterov)
    fit.start(ours)
    other = library.AdamP(theirs, lr=0.01, weight_decay=weight_decay, nesterov=nesterov)
    projected = 0
    for step in range(40):
        for one, two in zip(ours, theirs, strict=True):
            one.grad = torch.randn(one.shape, generator=chance)
            if step % 2 and one.ndim > 1:  # across the weight, as after a norm
                across = (one.grad * one.detach()).sum() / one.detach().square().sum()
                one.grad -= across * one.detach()
                projected += 1
            two.grad = one.grad.clone()
        fit(IMAGE, LOSS, rate=0.01)
        other.step()
    assert projected
    for one, two in zip(ours, theirs, strict=True):
        assert (one - two).abs().max() < 1e-6


def test_no_step_waits_for_torch_to_import_its_compiler() -> None:
    steps = """
import sys, torch
from t2iflow.nodes.core import catalog

for name in sys.argv[1:]:
    tensor = torch.zeros(2, requires_grad=True)
    fit = catalog.find(name).make()
    fit.start([tensor])
    tensor.grad = torch.ones(2)
    fit(None, None, rate=0.1)
    fit.load_state_dict(fit.state_dict())
    assert (tensor < 0).all(), name
    assert "torch._dynamo" not in sys.modules, name
"""
    ours = [name for name in EVERY if name != "optimizers.diffgrad"]
    assert len(ours) > 5
    subprocess.run([sys.executable, "-c", steps, *ours], check=True)


@pytest.mark.parametrize("name", ["adam", "adamw", "adamp"])
def test_a_step_that_can_be_captured_asks_nothing_and_takes_its_rate_from_a_tensor(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimizers, "fused", lambda parameters: {"fused": True})
    tensors = [torch.ones(shape, requires_grad=True) for shape in SHAPES]
    fit = catalog.find(f"optimizers.{name}").make(average=0.9)
    fit.start(tensors, [1.0, 0.5] * 3 + [1.0])
    assert fit.capturable
    for step in range(3):
        for tensor in tensors:
            tensor.grad = torch.full(tensor.shape, 0.1)
        before = tensors[0].detach().clone()
        fit.set_out(rate=0.1 / (step + 1))
        with Captured(torch.device("cpu")) if step else nullcontext():
            fit.step()
        assert (before - tensors[0])[0, 0].item() == pytest.approx(0.1 / (step + 1), rel=0.02)


@pytest.mark.parametrize("name", ["adam", "adamp"])
def test_what_can_be_captured_begins_anew_in_place(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimizers, "fused", lambda parameters: {"fused": True})
    tensor = torch.zeros(4, 2, requires_grad=True)
    fit = catalog.find(f"optimizers.{name}").make()
    fit.start([tensor])
    moves, places = [], []
    for _ in range(2):
        before = tensor.detach().clone()
        for step in range(3):
            tensor.grad = torch.full((4, 2), 1.0 + step)
            fit(IMAGE, LOSS, rate=0.1)
        moves.append(tensor.detach() - before)
        places.append([one.data_ptr() for one in fit.state_dict()["optimizer"]["state"][0].values()])
        fit.restart(carry=False)
    assert torch.allclose(*moves)
    assert places[0] == places[1]
