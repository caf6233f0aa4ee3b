"""Pictures move where they should, stay sharp, and don't alias."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from t2iflow.nodes.pictures.motion import Affine, Blended, Deep, Motion, Still
from t2iflow.nodes.pictures.resampling import grid, reach

SIZE = 160, 120
DOTS = [(-0.25, -0.2), (0.3, 0.15), (-0.1, 0.3), (0.05, -0.05)]
"""Where the dots begin, in places."""


def dotted(size: tuple[int, int], dots: list[tuple[float, float]], pixels: float = 2.5) -> Tensor:
    """A picture with a channel for each dot."""
    places = grid(size)
    wide = pixels * 2 / min(size)
    return torch.stack(
        [torch.exp(-(places - places.new_tensor(dot)).square().sum(-1) / (2 * wide**2)) for dot in dots]
    )[None].float()


def centroids(picture: Tensor) -> Tensor:
    """Where the dots are, (dots, 2), in places."""
    places = grid((picture.shape[-1], picture.shape[-2]))
    bright = picture[0].double()
    return (bright[..., None] * places).sum((1, 2)) / bright.sum((1, 2))[:, None]


def photograph(size: tuple[int, int] = (128, 96)) -> Tensor:
    """Something like one: edges of all lengths and fine grain over broad light."""
    chance = torch.Generator().manual_seed(3)
    width, height = size
    picture = torch.zeros(1, 3, height, width)
    for octave in range(1, 6):
        rough = torch.rand(1, 3, 2**octave, 2**octave, generator=chance)
        picture += F.interpolate(rough, (height, width), mode="bicubic", antialias=True) * 0.6**octave
    picture[..., 30:70, 40:90] = 1 - picture[..., 30:70, 40:90]
    return ((picture - picture.min()) / (picture.max() - picture.min())).clamp(0, 1)


def energy(picture: Tensor) -> float:
    """How sharp the middle is: the mean squared gradient."""
    middle = picture[..., 16:-16, 16:-16]
    return float(middle.diff(dim=-1).square().mean() + middle.diff(dim=-2).square().mean())


@pytest.mark.parametrize(
    "motion",
    [
        Affine(scale=2 ** (1 / 30)),
        Affine(scale=2 ** (1 / 30), angle=1.5, centre=(0.45, 0.55)),
        Affine(scale=2 ** (-1 / 30), angle=-2.0, pan=(0.002, -0.001)),
        Affine(pan=(0.006, 0.003), shear=(0.2, -0.1)),
    ],
)
def test_a_pattern_is_within_half_a_pixel_of_where_it_should_be_in_each_of_30_frames(motion: Affine) -> None:
    picture, expected = dotted(SIZE, DOTS), torch.tensor(DOTS, dtype=torch.float64)
    back = motion.affine(reach(SIZE))
    forth = torch.linalg.inv(back[:, :2])
    for _ in range(30):
        picture = motion(picture)
        expected = (expected - back[:, 2]) @ forth.T
        off = (centroids(picture) - expected).norm(dim=-1) * min(SIZE) / 2
        assert float(off.max()) < 0.5


def test_a_zoom_is_about_its_centre_a_turn_clockwise_and_a_pan_of_the_camera() -> None:
    start = torch.tensor(DOTS, dtype=torch.float64)
    picture = dotted(SIZE, DOTS)
    torch.testing.assert_close(centroids(Affine(scale=1.5)(picture, "#000000")), start * 1.5, atol=0.01, rtol=0)
    turned = torch.stack([-start[:, 1], start[:, 0]], 1)
    torch.testing.assert_close(centroids(Affine(angle=90)(picture, "#000000")), turned, atol=0.01, rtol=0)
    panned = start - torch.tensor([0.2, -0.1])
    torch.testing.assert_close(centroids(Affine(pan=(0.1, -0.05))(picture)), panned, atol=0.01, rtol=0)
    corner = Affine(scale=2.0, centre=(0.0, 1.0)).where(torch.tensor([[-4 / 3, 1.0]]).double(), reach(SIZE))
    torch.testing.assert_close(corner, torch.tensor([[-4 / 3, 1.0]]).double())


@pytest.mark.parametrize("scale", [1.02, 1.2])
def test_a_zoom_in_and_its_inverse_give_back_the_picture(scale: float) -> None:
    picture = photograph()
    back = Affine(scale=1 / scale)(Affine(scale=scale)(picture))
    inside = slice(16, -16)
    assert float((back - picture)[..., inside, inside].abs().mean()) < 2 / 255


def test_sixty_motions_and_back_keep_far_more_of_the_sharpness_than_bilinear_reading() -> None:
    picture = photograph()
    ours, bilinear = picture, picture
    for number in range(60):
        motion = Affine(scale=1.02 if number % 2 else 1 / 1.02)
        ours = motion(ours)
        places = motion.where(grid((128, 96)), reach((128, 96))) / torch.tensor(reach((128, 96)))
        bilinear = F.grid_sample(bilinear, places[None].float(), padding_mode="reflection", align_corners=False)
    assert energy(bilinear) < 0.6 * energy(picture)
    assert 1.5 * energy(bilinear) < energy(ours) < 1.05 * energy(picture)


def test_motions_never_leave_the_range_of_the_picture() -> None:
    picture = (torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    for motion in (Affine(scale=1.03), Affine(angle=7)):
        moved = motion(picture)
        assert float(moved.min()) >= 0
        assert float(moved.max()) <= 1


@pytest.mark.parametrize("motion", [Affine(scale=0.5), Affine(scale=0.4, angle=10), Affine(scale=0.2)])
def test_zooming_out_of_a_fine_checkerboard_gives_grey_and_no_pattern(motion: Affine) -> None:
    lines, columns = torch.meshgrid(torch.arange(96), torch.arange(96), indexing="ij")
    moved = motion(((lines + columns) % 2).float().expand(1, 3, 96, 96), "wrap")
    assert float((moved - 0.5).abs().max()) < 0.04


def test_a_turned_motion_reads_the_same_as_an_upright_one_of_the_same_places() -> None:
    picture = photograph()
    upright, slightly_turned = Affine(scale=1.05, pan=(0.1, 0)), Affine(scale=1.05, pan=(0.1, 0), angle=1e-7)
    torch.testing.assert_close(upright(picture), slightly_turned(picture), atol=1e-4, rtol=0)


def test_nothing_changes_where_nothing_moves() -> None:
    picture = photograph()
    for motion in (Still(), Affine(), Deep(), Blended(Still(), Affine(), 0.5)):
        assert motion.still
        assert torch.equal(motion(picture), picture)
    assert not Affine(scale=1.01).still
    assert not Deep(tilt=1).still


def test_going_whole_pixels_changes_no_pixel() -> None:
    picture = photograph((64, 48))
    moved = Affine(pan=(5 / 48, -3 / 48))(picture, "wrap")
    torch.testing.assert_close(moved, picture.roll((3, -5), (2, 3)), atol=1e-5, rtol=0)


def test_each_border_shows_what_it_says() -> None:
    picture = photograph((64, 48))
    half = Affine(pan=(32 / 48, 0))  # the right half goes to the left, and what lies beyond comes in
    red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)
    beyond = {
        "reflect": picture[..., 32:].flip(-1),
        "wrap": picture[..., :32],
        "edge": picture[..., -1:].expand(-1, -1, -1, 32),
        "black": torch.zeros(1, 3, 48, 32),
        "grey": torch.full((1, 3, 48, 32), 0.5),
        "#ff0000": red.expand(1, 3, 48, 32),
    }
    for border, expected in beyond.items():
        torch.testing.assert_close(half(picture, border)[..., 32:], expected, atol=1e-4, rtol=0)
    latent = torch.ones(1, 4, 48, 64)
    for colour in ("black", "grey", "#ff0000"):
        assert float(half(latent, colour)[..., 32:].abs().max()) < 1e-4


def test_inside_tells_what_comes_from_the_picture() -> None:
    inside = Affine(pan=(0.25, 0)).inside((40, 20), torch.device("cpu"))
    assert inside.shape == (1, 1, 20, 40)
    assert inside[0, 0, 10].tolist() == pytest.approx([1] * 35 + [0] * 5, abs=1e-6)
    assert bool((Affine(scale=1.1).inside((40, 20), torch.device("cpu")) == 1).all())
    faded = Still().inside((40, 40), torch.device("cpu"), 0.5)[0, 0, 20, :20]
    assert float(faded[0]) < 0.01
    assert bool((faded.diff() >= 0).all())
    assert float(faded[10]) == 1


def test_half_precision_and_several_pictures_come_back_as_they_went_in() -> None:
    pictures = torch.cat([photograph(), 1 - photograph()]).bfloat16()
    moved = Affine(scale=1.1)(pictures)
    assert moved.dtype == torch.bfloat16
    assert moved.shape == pictures.shape
    torch.testing.assert_close(moved[1].float(), 1 - moved[0].float(), atol=0.02, rtol=0)


def mapped(motion: Motion, across: float, down: float) -> list[float]:
    """Where one place comes from."""
    return motion.where(torch.tensor([[[across, down]]], dtype=torch.float64), (1.0, 1.0))[0, 0].tolist()


def test_going_towards_a_plane_is_a_zoom() -> None:
    deep = Deep(dolly=0.2)
    assert mapped(deep, 0.5, -1.0) == pytest.approx([0.4, -0.8])
    torch.testing.assert_close(deep.affine((1.0, 1.0)), Affine(scale=1 / 0.8).affine((1.0, 1.0)))
    rolled = Deep(roll=-5).affine((1.0, 1.0))  # as the camera rolls to the left, the picture turns to the right
    torch.testing.assert_close(rolled, Affine(angle=5).affine((1.0, 1.0)))


def test_looking_up_before_a_plane_is_the_homography_of_that_turn() -> None:
    focal, angle = 1 / math.tan(math.radians(20)), math.radians(10)
    for across, down in ((0.0, 0.0), (0.7, 0.4), (-0.9, -0.8)):
        ahead = focal * math.cos(angle) + down * math.sin(angle)
        expected = [focal * across / ahead, focal * (down * math.cos(angle) - focal * math.sin(angle)) / ahead]
        assert mapped(Deep(tilt=10), across, down) == pytest.approx(expected)


def test_looking_to_the_right_brings_in_what_is_there() -> None:
    assert mapped(Deep(yaw=5), 0.0, 0.0)[0] > 0.1
    assert mapped(Deep(tilt=5), 0.0, 0.0)[1] < -0.1


def test_in_a_tunnel_the_walls_come_and_the_end_stays() -> None:
    tunnel = Deep(dolly=0.1, shape="cylinder", near=1, far=50)
    assert mapped(tunnel, 0.01, 0.0)[0] == pytest.approx(0.01, rel=0.01)
    assert mapped(tunnel, 0.0, 1.0)[1] == pytest.approx(1 / 1.1)  # the ring at distance 1 was at distance 1.1


def test_over_a_floor_the_ground_comes_and_the_sky_stays() -> None:
    floor = Deep(dolly=0.1, shape="floor", near=1, far=50)
    assert mapped(floor, 0.0, 1.0)[1] == pytest.approx(1 / 1.1)
    assert mapped(floor, 0.0, -0.5)[1] == pytest.approx(-0.5 * (1 - 0.1 / 50))


def test_with_a_depth_picture_the_near_moves_more_than_the_far() -> None:
    depth = torch.zeros(1, 1, 32, 32)
    depth[..., 16:] = 1
    where = Deep(depth=depth, pan=(0.02, 0.0), near=1, far=10).where(grid((32, 32)), (1.0, 1.0)) - grid((32, 32))
    far, near = where[16, 4, 0], where[16, 28, 0]
    assert float(near) == pytest.approx(10 * float(far), rel=0.01)


def test_halfway_between_two_motions_lies_between() -> None:
    first, second = Affine(pan=(0.2, 0)), Affine(scale=2.0)
    assert mapped(Blended(first, second, 0.5), 0.4, 0.4) == pytest.approx([(0.8 + 0.2) / 2, (0.4 + 0.2) / 2])
    assert Blended(first, Deep(tilt=3), 0.5).affine((1.0, 1.0)) is None


def test_a_shear_that_leaves_only_a_line_is_refused() -> None:
    with pytest.raises(ValueError, match="a shear of 45 and 45 degrees"):
        Affine(shear=(45, 45))(photograph())


class Squeezed(Motion):
    """The picture turns, and is squeezed down, but stretched across."""

    def where(self, places: Tensor, reach: tuple[float, float]) -> Tensor:
        turned = Affine(angle=10).where(places, reach)
        return turned * turned.new_tensor([0.3, 5.0])


def test_what_is_squeezed_along_one_axis_alone_shows_no_specks() -> None:
    """It is read from a smaller picture, which along the other axis has fewer pixels than places."""
    ramp = torch.linspace(0, 1, 128).expand(1, 3, 96, 128).contiguous()
    across = Squeezed().where(grid((128, 96)), reach((128, 96)))[..., 0] / reach((128, 96))[0]
    assert float((Squeezed()(ramp)[0, 0] - (across + 1) / 2).abs().max()) < 0.05
