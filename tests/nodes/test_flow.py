"""Motion is found where it is known: a textured disc before a textured background, each on its own way."""

import pytest
import torch
from torch import Tensor

from t2iflow.nodes.pictures.flow import Flow
from t2iflow.nodes.pictures.motion import Affine, Blended, Deep, Motion, Still
from t2iflow.nodes.pictures.resampling import grid, reach
from tests.nodes.test_motion import photograph

SIZE = 128, 96
RADIUS = 0.5
WAYS = [
    (Affine(pan=(3 / 96, 0.0)), Affine(pan=(-4 / 96, 2 / 96))),
    (Affine(scale=1.03), Affine(angle=4.0)),
    (Affine(pan=(-7.4 / 96, 4.6 / 96)), Affine()),
]
"""How background and disc move; pixels are of 96."""


class Scene:
    """Two pictures of a film, and where each place of the second was in the first."""

    def __init__(self, behind: Affine, before: Affine) -> None:
        textures = photograph(SIZE), photograph(SIZE).flip(-1)
        places = grid(SIZE)
        disc = (places.norm(dim=-1) < RADIUS).float()[None, None]
        covered = before(disc, "black").clamp(0, 1)
        self.first = torch.lerp(textures[0], textures[1], disc)
        self.second = torch.lerp(behind(textures[0]), before(textures[1]), covered)
        self.covered = covered[0, 0] > 0.5
        came = [motion.where(places, reach(SIZE)) for motion in (behind, before)]
        self.came = torch.where(self.covered[..., None], came[1], came[0])
        self.flow = Flow(self.first, self.second)

    def known(self) -> Tensor:
        """Where nothing comes from beyond the edges, and the disc's own edge is far, (h, w)."""
        inner = (self.came.abs() < self.came.new_tensor(reach(SIZE)) - 0.05).all(-1)
        away = ((grid(SIZE).norm(dim=-1) - RADIUS).abs() > 0.2) & ((self.came.norm(dim=-1) - RADIUS).abs() > 0.2)
        return inner & away


@pytest.fixture(scope="module", params=range(len(WAYS)))
def scene(request: pytest.FixtureRequest) -> Scene:
    return Scene(*WAYS[request.param])


def test_things_are_found_within_half_a_pixel_of_where_they_were(scene: Scene) -> None:
    found = scene.flow.where(grid(SIZE), reach(SIZE))
    astray = (found - scene.came).norm(dim=-1)[scene.known()] * min(SIZE) / 2
    assert float(astray.mean()) < 0.25
    assert float((astray < 0.5).float().mean()) > 0.93


def test_a_picture_that_follows_is_as_sharp_and_nearly_the_next(scene: Scene) -> None:
    moved, known = scene.flow(scene.first), scene.known()
    apart = [(one - scene.second).abs().mean(1)[0][known].mean() for one in (moved, scene.first)]
    assert apart[0] < 0.25 * apart[1]
    edges = [one.diff(dim=-1).square().mean(1)[0][known[:, 1:]].mean() for one in (moved, scene.second)]
    assert edges[0] > 0.9 * edges[1]


def test_what_was_hidden_does_not_come_from_inside_of_the_last_picture() -> None:
    """The disc goes 8 pixels to the left before a background that stands still: something new shows at its right."""
    scene = Scene(Affine(), Affine(pan=(8 / 96, 0.0)))
    inside = scene.flow.inside(SIZE, torch.device("cpu"))[0, 0]
    middle, right = SIZE[1] // 2, SIZE[0] // 2 + round(RADIUS * 48)
    assert float(inside[middle - 8 : middle + 8, right - 8 : right].mean()) < 0.5
    assert float(inside[scene.known()].mean()) > 0.95


@pytest.mark.parametrize("other", [Still(), Affine(pan=(0.1, 0.0)), Affine(scale=1.2), Deep(tilt=5.0)])
def test_what_was_hidden_stays_so_to_its_share_on_the_way_to_another_motion(other: Motion) -> None:
    flow, cpu = Scene(*WAYS[0]).flow, torch.device("cpu")
    ends = [motion.inside(SIZE, cpu) for motion in (flow, other)]
    for amount, end in zip((1e-6, 1 - 1e-6), ends, strict=True):
        assert torch.allclose(Blended(flow, other, amount).inside(SIZE, cpu), end, atol=1e-3)
        assert torch.allclose(Blended(other, flow, 1 - amount).inside(SIZE, cpu), end, atol=1e-3)
    hidden = (flow.seen(SIZE, cpu) == 0) & (Blended(flow, other, 0.5).where(grid(SIZE), (4 / 3, 1.0)).abs() < 0.9).all(
        -1
    )
    assert hidden.any()
    assert torch.allclose(Blended(flow, other, 0.5).inside(SIZE, cpu)[hidden], torch.tensor(0.5), atol=1e-3)


def test_a_flow_is_stretched_to_what_it_moves(scene: Scene) -> None:
    places = grid((64, 48))
    small = scene.flow.where(places, reach((64, 48))) - places
    large = scene.flow.where(grid(SIZE), reach(SIZE)) - grid(SIZE)
    torch.testing.assert_close(small.mean((0, 1)), large.mean((0, 1)), atol=0.005, rtol=0)


def test_what_stands_still_does_not_tremble_where_a_film_is_noisy() -> None:
    picture, chance = photograph(SIZE), torch.Generator().manual_seed(1)
    noisy = [picture + 0.004 * torch.randn(picture.shape, generator=chance) for _ in range(2)]
    found = Flow(*noisy).where(grid(SIZE), reach(SIZE)) - grid(SIZE)
    assert float((found.norm(dim=-1) < 1e-3).float().mean()) > 0.9
    assert Flow(picture, picture).still
