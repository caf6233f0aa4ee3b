"""Colours in CIE L*a*b*, and films that keep those of their first frame."""

import pytest
import torch

from t2iflow.nodes import camera
from t2iflow.nodes.core.types import Image
from t2iflow.nodes.pictures.lab import lab, tint

KNOWN = {
    (255, 255, 255): (100.0, 0.0, 0.0),
    (0, 0, 0): (0.0, 0.0, 0.0),
    (255, 0, 0): (53.24, 80.09, 67.20),
    (0, 255, 0): (87.73, -86.18, 83.18),
    (0, 0, 255): (32.30, 79.19, -107.86),
    (119, 119, 119): (50.03, 0.0, 0.0),
}
"""As published for sRGB under D65 (Lindbloom)."""


@pytest.mark.parametrize("colour", KNOWN)
def test_known_colours_have_their_coordinates(colour: tuple[int, int, int]) -> None:
    image = torch.tensor(colour).view(1, 3, 1, 1) / 255
    found = 100 * lab(image).flatten()
    assert torch.allclose(found, torch.tensor(KNOWN[colour]), atol=0.06)


def test_slopes_are_finite_everywhere() -> None:
    image = torch.linspace(-0.1, 1.1, 3 * 64).view(1, 3, 8, 8).requires_grad_()
    tint(image).sum().backward()
    assert image.grad is not None
    assert image.grad.isfinite().all()


def test_a_tinted_film_is_pulled_to_the_colours_of_its_first_frame() -> None:
    film = camera.zoom.__node__.base(lambda **_: camera.Still(), torch.device("cpu"), frames=4)
    chance = torch.Generator().manual_seed(0)
    first = Image(torch.rand(1, 3, 12, 12, generator=chance) * torch.tensor([0.9, 0.5, 0.2]).view(1, 3, 1, 1))
    film(first, tint=1.0)
    assert film.take().pull is not None
    drifted = Image(first.flip(-1) * 0.5 + 0.3)
    film(drifted, tint=1.0)
    pull = film.take().pull
    assert pull is not None
    assert float(pull(first.flip(-1))) == pytest.approx(0, abs=1e-7)
    image = drifted.clone().requires_grad_()
    before = float(pull(drifted))
    for _ in range(60):
        (gradient,) = torch.autograd.grad(pull(image), image)
        image = (image - 20 * gradient).detach().requires_grad_()
    assert float(pull(image.detach())) < 0.1 * before
    again = camera.zoom.__node__.base(lambda **_: camera.Still(), torch.device("cpu"), frames=4)
    again.load_state_dict(film.state_dict())
    again(drifted, tint=1.0)
    assert float(again.take().pull(drifted)) == pytest.approx(before)
