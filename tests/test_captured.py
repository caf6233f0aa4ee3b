"""The rules of `tests/captured.py` are those of a CUDA graph."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.captured import Captured, Refused

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    "broken",
    [
        lambda x: x.sum().item(),
        lambda x: bool((x > 0).all()),
        lambda x: x[x > 0],
        lambda x: (x > 0).nonzero(),
        lambda x: torch.equal(x, x),
        lambda x: x.unique(),
        lambda x: torch.linalg.inv(x @ x.T + torch.eye(2)),
        lambda x: x + torch.tensor([1.0, 2.0, 3.0]),
        lambda x: x[:, [0, 2]],
        lambda x: x + torch.rand(3),
        lambda x: x + torch.randn_like(x),
        lambda x: x.bernoulli(0.5),
        lambda x: F.dropout(x),
        lambda x: torch.randperm(3),
    ],
)
def test_questions_chance_and_copies_are_refused(broken: Callable[[Tensor], object]) -> None:
    with pytest.raises(Refused), Captured(CPU):
        broken(torch.ones(2, 3))


def test_what_lies_elsewhere_is_refused() -> None:
    with pytest.raises(Refused, match="cpu"), Captured(torch.device("meta")):
        torch.ones(2).to("meta")


def test_a_question_in_a_gradient_is_refused() -> None:
    class Asks(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: Tensor) -> Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: object, gradient: Tensor) -> Tensor:  # type: ignore[override]
            return gradient * gradient.sum().item()

    x = torch.ones(2, requires_grad=True)
    with pytest.raises(Refused), Captured(CPU):
        Asks.apply(x).sum().backward()


def test_all_else_is_allowed() -> None:
    x = torch.ones(2, 3, requires_grad=True)
    with Captured(CPU) as mode:
        places = torch.arange(3, device=CPU)
        loss = torch.where(x > 0, x, 0.0)[:, places].clamp(0, 1).softmax(1).max().exp()
        loss.backward()
    assert mode.launched > 8
