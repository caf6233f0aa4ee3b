"""Codes that learn together: the picture stays what it is, and a place's gradient reaches its neighbours."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from t2iflow.nodes import dvae, vqgan
from t2iflow.nodes.core.ambient import Random
from t2iflow.nodes.generators.spreading import spreading

from .conftest import Heard

CANVASES: dict[str, Any] = {"vqgan": vqgan.Canvas, "dvae": dvae.Canvas}


def given(grid: Tensor, *settings: Any) -> Tensor:
    """The gradient of a grid whose place at (1, 2) alone is to grow."""
    pull = torch.zeros_like(grid)
    pull[..., 1, 2] = 1
    return torch.autograd.grad(spreading(grid, *settings), grid, pull)[0]


@pytest.fixture
def grid() -> Tensor:
    return torch.randn(1, 3, 5, 7, generator=torch.Generator().manual_seed(0)).requires_grad_()


@pytest.mark.parametrize("wraps", [False, True])
def test_a_gradient_is_shared_with_neighbours_the_more_the_nearer_and_nothing_of_it_is_lost(
    grid: Tensor, wraps: bool
) -> None:
    gradient = given(grid, 1.0, wraps)
    assert torch.equal(spreading(grid, 1.0, wraps), grid)
    own, beside, beyond = gradient[0, 0, 1, 2], gradient[0, 0, 1, 3], gradient[0, 0, 1, 4]
    assert own > beside > beyond > 0
    assert beside / own == pytest.approx(torch.tensor(-0.5).exp().item())
    assert gradient[0, 0].sum().item() == pytest.approx(1)


def test_opposite_edges_of_a_seamless_grid_are_neighbours(grid: Tensor) -> None:
    here, there = given(grid, 1.0, True), given(grid, 1.0, False)
    assert here[0, 0, 1, 6] == pytest.approx(here[0, 0, 1, 5].item())  # both three places away
    assert here[0, 0, 4, 2] > 2 * there[0, 0, 4, 2]  # two places away, or three


@pytest.mark.parametrize("deviation", [0.0, torch.tensor(0.0)])  # as a keyframed number is on a GPU
def test_nothing_is_shared_over_no_distance(grid: Tensor, deviation: Any) -> None:
    gradient = given(grid, deviation, False)
    assert gradient.nonzero()[:, 2:].unique(dim=0).tolist() == [[1, 2]]


@pytest.mark.parametrize("family", CANVASES)
def test_a_picture_stays_and_what_it_learns_varies_less_from_code_to_code(
    family: str, small_weights: Callable[[str], Path], notes: Heard
) -> None:
    weights = str(small_weights(family))
    canvas = CANVASES[family](Random(0, "canvas"), torch.device("cpu"), notes, weights=weights, size=(64, 64))
    plain, together = (painted(canvas, spread) for spread in (0.0, 2.0))
    assert torch.equal(plain, together)
    assert roughness(canvas, together) < 0.5 * roughness(canvas, plain)


def painted(canvas: Any, spread: float) -> Tensor:
    picture: Any = canvas(Random(0, "called"), spread=spread)
    image: Tensor = getattr(picture, "image", picture)
    return image


def roughness(canvas: Any, image: Tensor) -> float:
    """How much the gradients of neighbouring codes differ, beside how large they are."""
    (trained,) = canvas.trainable()
    wanted = torch.rand(image.shape, generator=torch.Generator().manual_seed(1))
    (gradient,) = torch.autograd.grad((image - wanted).square().sum(), trained)
    places = gradient if gradient.dim() == 4 else gradient.transpose(1, 2)
    return float(places.reshape(*places.shape[:2], -1).diff(dim=-1).square().mean() / gradient.square().mean())
