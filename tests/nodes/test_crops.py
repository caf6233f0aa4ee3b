import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from t2iflow.nodes import augment, cutouts
from t2iflow.nodes.core.ambient import Progress, Random, Share
from t2iflow.nodes.core.types import Image
from t2iflow.nodes.pictures import crops
from t2iflow.nodes.pictures.border import Border
from t2iflow.nodes.pictures.crops import Crops


def picture(height: int = 48, width: int = 48, number: int = 1) -> Image:
    """Smooth enough that bilinear sampling twice is close to once."""
    noise = torch.rand(number, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    return Image(F.interpolate(noise, (height, width), mode="bicubic", align_corners=False).clamp(0, 1))


def turned(degrees: float, number: int = 1) -> Tensor:
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    return torch.tensor([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.0]]).repeat(number, 1, 1)


def box(left: float, top: float, side: float, image: Tensor) -> Tensor:
    return crops.boxes(torch.tensor([left]), torch.tensor([top]), torch.tensor([side]), torch.tensor([side]), image)


def sides(views: Tensor, image: Tensor) -> Tensor:
    """Sides in pixels of views that are upright boxes."""
    return views[:, 0, 0] * image.shape[-1]


def edges(views: Tensor) -> tuple[Tensor, Tensor]:
    """Upper left and lower right corners of upright boxes in the picture's -1..1, each (n, 2)."""
    half, middle = views[:, :2, :2].diagonal(dim1=1, dim2=2), views[:, :2, 2]
    return middle - half, middle + half


def test_the_whole_picture_at_its_own_size_is_itself() -> None:
    image = picture()
    pixels = crops.whole(image, 3, 48).pixels
    assert torch.allclose(pixels, image.expand(3, -1, -1, -1), atol=1e-5)


def test_a_box_on_whole_pixels_is_a_slice() -> None:
    image = picture(40, 64)
    pixels = Crops(image, box(10, 7, 16, image), 16).pixels
    assert torch.allclose(pixels, image[..., 7:23, 10:26], atol=1e-5)


@pytest.mark.parametrize("degrees", [0.0, 30.0, -75.0, 180.0])
def test_flips_and_turns_are_those_of_affine_grid(degrees: float) -> None:
    image = picture()
    flip = torch.diag(torch.tensor([-1.0, 1.0, 1.0]))[None]
    moved = crops.whole(image, 1, 48, border="edge").moved(flip).moved(turned(degrees))
    grid = F.affine_grid((flip @ turned(degrees))[:, :2], [1, 3, 48, 48], align_corners=False)
    expected = F.grid_sample(image, grid, padding_mode="border", align_corners=False)
    assert torch.allclose(moved.pixels, expected, atol=1e-4)


def test_a_checkerboard_shrunk_fourfold_is_flat_grey() -> None:
    row, column = torch.arange(256)[:, None], torch.arange(256)
    board = ((row + column) % 2).float().expand(1, 3, -1, -1)
    pixels = crops.whole(board, 1, 64).pixels[..., 4:-4, 4:-4]
    assert (pixels - 0.5).abs().max() < 0.01
    naive = F.interpolate(board, (64, 64), mode="nearest")
    assert (naive - 0.5).abs().max() > 0.4


def test_shrinking_keeps_what_is_coarser_than_the_crop() -> None:
    row = torch.arange(256) / 256 * 2 * math.pi * 4
    waves = (0.5 + 0.5 * row.sin()).expand(1, 3, 256, 256)
    pixels = crops.whole(waves, 1, 64).pixels
    expected = F.interpolate(waves, (64, 64), mode="area")
    assert (pixels - expected).abs().max() < 0.06


@pytest.mark.parametrize(
    ("border", "expected"),
    [
        ("reflect", [3, 2, 1, 0, 0, 1, 2, 3, 3, 2, 1, 0]),
        ("edge", [0, 0, 0, 0, 0, 1, 2, 3, 3, 3, 3, 3]),
        ("wrap", [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]),
        ("black", [0, 0, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0]),
        ("grey", [4, 4, 4, 4, 0, 1, 2, 3, 4, 4, 4, 4]),
        ("#ff00ff", [8, 8, 8, 8, 0, 1, 2, 3, 8, 8, 8, 8]),
    ],
)
def test_outside_of_the_picture_lies_its_border(border: Border, expected: list[int]) -> None:
    image = torch.arange(4).expand(1, 3, 4, 4) / 8
    pixels = Crops(image, box(-4, -4, 12, image), 12, border).pixels
    assert torch.allclose(pixels[0, 0, 5], torch.tensor(expected) / 8, atol=1e-5)
    assert border != "#ff00ff" or pixels[0, :, 5, 0].tolist() == [1, 0, 1]


@pytest.mark.parametrize("border", ["reflect", "edge", "wrap"])
def test_pictures_of_a_batch_keep_apart(border: Border) -> None:
    colours = torch.linspace(0.1, 0.9, 15).view(5, 3, 1, 1)
    image = colours.expand(5, 3, 37, 61).contiguous()
    random = Random(3, "apart", border)
    number = 100
    side = random.uniform(number, low=2, high=90)
    left, top = random.uniform(2, number, low=-40, high=80)
    views = crops.boxes(left, top, side, side, image) @ turned(23.0)
    views[::2] @= turned(-50.0)
    tilted = augment.perspective(Crops(image, views, 16, border), random, strength=0.9, probability=1)
    expected = colours[torch.arange(number) // 20].expand(-1, -1, 16, 16)
    assert torch.allclose(tilted.pixels, expected, atol=1e-5)


def test_a_source_says_which_picture() -> None:
    image = torch.stack([torch.zeros(3, 16, 16), torch.ones(3, 16, 16)])
    pixels = crops.whole(image, 3, 16, torch.tensor([1, 0, 1])).pixels
    assert pixels.mean((1, 2, 3)).tolist() == pytest.approx([1, 0, 1])


def test_the_gradient_is_the_numeric_one() -> None:
    image = picture(9, 12).double().requires_grad_()
    view = (box(1.3, -2.2, 9.7, image) @ turned(20.0)).repeat(2, 1, 1).double()
    view[1] *= torch.tensor([0.4, 0.4, 1.0])
    seen = Crops(image, view, 5).coloured(torch.rand(2, 3, 4, dtype=torch.double))
    assert torch.autograd.gradcheck(lambda picture: replace(seen, image=picture).pixels, image)


def test_many_crops_are_sampled_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    sample = F.grid_sample

    def counted(*arguments: object, **settings: object) -> Tensor:
        calls.append(arguments)
        return sample(*arguments, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(F, "grid_sample", counted)
    random = Random(0, "many")
    cut = cutouts.square(picture(64, 64), random, Share(), count=256, size=16)
    seen = augment.classic(cut, random)
    assert not calls
    assert seen.pixels.shape == (256, 3, 16, 16)
    assert seen.pixels is seen.pixels
    assert len(calls) == 1


def test_colours_compose_in_the_order_they_were_wired() -> None:
    whole = crops.whole(picture(), 1, 48)
    double = torch.cat([2 * torch.eye(3), torch.zeros(3, 1)], 1)[None]
    lighter = torch.cat([torch.eye(3), torch.full((3, 1), 0.25)], 1)[None]
    pixels = whole.coloured(double).coloured(lighter).pixels
    assert torch.allclose(pixels, whole.pixels * 2 + 0.25, atol=1e-5)


def test_erased_boxes_add_up_and_are_grey() -> None:
    whole = crops.whole(Image(torch.zeros(1, 3, 8, 8)), 1, 8)
    left = torch.tensor([[[-1.0, -1.0, -0.5, 1.0]]])
    top = torch.tensor([[[-1.0, -1.0, 1.0, -0.5]]])
    pixels = whole.without(left).without(top).pixels[0, 0]
    assert (pixels[:, :2] == 0.5).all()
    assert (pixels[:2] == 0.5).all()
    assert (pixels[2:, 2:] == 0).all()


CUTOUTS = {
    "square": lambda image, random, share, count: cutouts.square(image, random, share, count=count, size=16),
    "normal": lambda image, random, share, count: cutouts.normal(image, random, share, count=count, size=16),
    "central": lambda image, random, share, count: cutouts.normal(
        image, random, share, count=count, size=16, center_bias=True
    ),
    "uniform": lambda image, random, share, count: cutouts.uniform(
        image, random, share, Progress(0.0), count=count, size=16, center_bias=True
    ),
    "mixed": lambda image, random, share, count: cutouts.mixed(image, random, share, count=count, size=16),
    "whole": lambda image, random, share, count: cutouts.whole(image, share, count=count, size=16),
    "pooled": lambda image, random, share, count: cutouts.pooled(image, share, count=count, size=16),
}


@pytest.mark.parametrize("scheme", CUTOUTS)
def test_passes_share_the_count_and_every_picture(scheme: str) -> None:
    image = picture(number=3)
    parts = [CUTOUTS[scheme](image, Random(0, part), Share(part, 4), 7) for part in range(4)]
    assert sum(len(part) for part in parts) == 7
    sources = torch.cat([part.source for part in parts if part.source is not None])
    assert sources.bincount().tolist() == [3, 2, 2]


@pytest.mark.parametrize("scheme", CUTOUTS)
def test_more_passes_than_crops_are_refused(scheme: str) -> None:
    with pytest.raises(ValueError, match="accumulate"):
        CUTOUTS[scheme](picture(), Random(0), Share(0, 4), 3)


@pytest.mark.parametrize("scheme", ["square", "normal", "central", "uniform"])
def test_cutouts_stay_inside_the_picture(scheme: str) -> None:
    image = picture(48, 80)
    cut = CUTOUTS[scheme](image, Random(0), Share(), 500)
    first, last = edges(cut.views)
    assert first.min() >= -1 - 1e-5
    assert last.max() <= 1 + 1e-5
    assert first.min() < -0.97
    assert sides(cut.views, image).max() <= 48 + 1e-3


def test_square_cutouts_favour_details_with_a_higher_power() -> None:
    image = picture(128, 200)
    large, small = (
        sides(cutouts.square(image, Random(0), Share(), count=400, size=32, power=power).views, image)
        for power in (0.5, 3.0)
    )
    assert large.mean() > small.mean() + 25
    assert small.min() >= 32 - 1e-3
    assert large.max() <= 128 + 1e-3


def test_overscan_reaches_outside_by_so_much() -> None:
    image = picture(100, 100)
    cut = cutouts.normal(image, Random(0), Share(), count=500, size=16, overscan=0.25)
    first, last = edges(cut.views)
    assert -1.5 - 1e-5 <= first.min() < -1.3
    assert 1.3 < last.max() <= 1.5 + 1e-5


def test_a_saturated_bound_rises_to_its_limit() -> None:
    image = picture()
    smallest = []
    for at in (0.0, 0.5, 1.0):
        cut = cutouts.uniform(image, Random(0), Share(), Progress(at), count=500, size=16, saturate_bound=True)
        smallest.append(sides(cut.views, image).min() / 48)
    assert smallest == pytest.approx([0.1, 0.425, 0.75], abs=0.02)


@pytest.mark.parametrize("node", ["uniform", "mixed"])
def test_center_focus_gathers_crops_about_the_middle(node: str) -> None:
    def spread(**settings: float | bool) -> float:
        if node == "uniform":
            cut = cutouts.uniform(
                picture(), Random(0), Share(), Progress(0.0), count=500, size=16, within=(0.2, 0.2), **settings
            )  # type: ignore[arg-type]
        else:
            cut = cutouts.mixed(
                picture(), Random(0), Share(), count=500, size=16, overview=(0.2, 0.2), detail=(0.2, 0.2), **settings
            )  # type: ignore[arg-type]
        return float(cut.views[:, :2, 2].std())

    assert spread(center_bias=True, center_focus=8.0) < 0.15 < spread(center_bias=True) < spread()


def test_mixed_cutouts_show_nearly_the_whole_every_third_time() -> None:
    image = picture(64, 96)
    parts = [cutouts.mixed(image, Random(0, part), Share(part, 2), count=90, size=16) for part in range(2)]
    side = torch.cat([sides(part.views, image) for part in parts]) / 64
    assert (side[::3] >= 0.85 - 1e-5).all()
    assert (side < 0.85).sum() > 30
    assert 0.35 - 1e-5 <= side.min() < 0.4
    assert 1.0 < side.max() <= 1.05 + 1e-5


def test_pooled_is_the_mean_of_average_and_maximum() -> None:
    image = picture(64, 32)
    blocks = image.view(1, 3, 16, 4, 16, 2)
    expected = (blocks.mean((3, 5)) + blocks.amax((3, 5))) / 2
    pixels = cutouts.pooled(image, Share(), count=2, size=16).pixels
    assert torch.allclose(pixels, expected.expand(2, -1, -1, -1), atol=1e-5)


def test_flip_mirrors() -> None:
    image = picture()
    pixels = augment.flip(crops.whole(image, 200, 48), Random(0)).pixels
    same = (pixels - image).abs().amax((1, 2, 3)) < 1e-4
    mirrored = (pixels - image.flip(-1)).abs().amax((1, 2, 3)) < 1e-4
    assert (same ^ mirrored).all()
    assert 70 < mirrored.sum() < 130


def test_affine_stays_within_its_settings() -> None:
    start = crops.whole(picture(), 500, 16)
    turn = augment.affine(start, Random(0), degrees=30, translate=0, probability=1).views
    angle = torch.atan2(turn[:, 1, 0], turn[:, 0, 0]).rad2deg()
    assert 28 < angle.max() <= 30.01
    assert -30.01 <= angle.min() < -28
    shift = augment.affine(start, Random(0), degrees=0, translate=0.1, probability=1).views[:, :2, 2]
    assert 0.19 < shift.abs().max() <= 0.2
    larger = augment.affine(start, Random(0), degrees=0, scale=(1.5, 2.0), probability=1).views
    assert larger[:, 0, 0].aminmax() == pytest.approx((0.5, 2 / 3), abs=0.01)
    wide = augment.affine(start, Random(0), degrees=25, aspect=0.12, probability=1).views[:, :2, :2]
    assert torch.allclose(torch.linalg.det(wide), torch.ones(500), atol=1e-4)
    ratio = wide[:, :, 1].norm(dim=1) / wide[:, :, 0].norm(dim=1)
    assert 1.1 < ratio.max() <= 1.13


def test_perspective_moves_the_corners_inwards_only() -> None:
    strength = 0.5
    maps = augment.perspective(crops.whole(picture(), 300, 16), Random(0), strength=strength, probability=1).views
    corners = torch.tensor([[-1.0, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]]).T
    mapped = torch.linalg.inv(maps) @ corners  # where the picture's corners are seen in the crop
    seen = (mapped[:, :2] / mapped[:, 2:]) * corners[:2]
    assert seen.min() >= 1 - strength - 1e-4
    assert seen.min() < 0.53
    assert seen.max() <= 1 + 1e-4
    assert seen.max() > 0.97


def test_even_the_strongest_tilt_stays_finite() -> None:
    image = picture().requires_grad_()
    pixels = augment.perspective(crops.whole(image, 300, 16), Random(0), strength=1, probability=1).pixels
    (gradient,) = torch.autograd.grad(pixels.sum(), image)
    assert pixels.isfinite().all()
    assert gradient.isfinite().all()


@pytest.mark.parametrize("name", ["affine", "perspective", "colour", "grey", "erase", "flip"])
def test_an_augmentation_of_probability_zero_changes_nothing(name: str) -> None:
    start = crops.whole(picture(), 5, 48)
    pixels = getattr(augment, name)(start, Random(0), probability=0).pixels
    assert torch.allclose(pixels, start.pixels, atol=1e-5)


def test_each_crop_draws_its_own() -> None:
    start = crops.whole(picture(), 6, 48)
    for change in (augment.affine, augment.perspective, augment.colour, augment.erase):
        pixels = change(start, Random(0), probability=1).pixels
        assert all(not torch.equal(one, other) for one, other in pairwise(pixels))


def test_hue_and_saturation_leave_greys_alone() -> None:
    grey = picture().mean(1, keepdim=True).expand(1, 3, -1, -1)
    start = crops.whole(grey, 20, 48)
    pixels = augment.colour(start, Random(0), hue=0.5, saturation=0.9, probability=1).pixels
    assert torch.allclose(pixels, start.pixels, atol=1e-4)


def test_a_turn_by_a_third_takes_red_to_green_or_blue() -> None:
    red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    pixels = augment.colour(crops.whole(red, 500, 8), Random(0), hue=0.4, saturation=0, probability=1).pixels
    strongest = pixels.mean((2, 3)).argmax(1).tolist()
    assert set(strongest) == {0, 1, 2}


def test_grey_has_no_colour_but_the_same_brightness() -> None:
    image = picture()
    pixels = augment.grey(crops.whole(image, 1, 48), Random(0), probability=1).pixels
    assert pixels.std(1).max() < 1e-5
    luma = torch.tensor(augment.LUMA).view(1, 3, 1, 1)
    assert torch.allclose(pixels[:, :1], (image * luma).sum(1, keepdim=True), atol=1e-4)


def test_noise_has_a_strength_of_its_own_in_every_crop() -> None:
    start = crops.whole(picture(), 200, 48)
    deviation = (augment.noise(start, Random(0), strength=0.1).pixels - start.pixels).std((1, 2, 3))
    assert deviation.max() < 0.105
    assert deviation.max() > 0.09
    assert deviation.min() < 0.01


def test_erasing_takes_the_part_it_was_told() -> None:
    start = crops.whole(Image(torch.zeros(1, 3, 48, 48)), 300, 48)
    area = augment.erase(start, Random(0), area=(0.1, 0.4), ratio=(0.5, 2), probability=1).pixels.mean((1, 2, 3)) * 2
    assert 0.07 < area.min() < 0.13
    assert 0.35 < area.max() < 0.44


@pytest.mark.parametrize("change", [augment.classic, augment.gentle])
def test_a_set_changes_every_crop_but_keeps_the_picture_in_sight(change: object) -> None:
    start = crops.whole(picture(), 60, 48)
    pixels = change(start, Random(0)).pixels  # type: ignore[operator]
    difference = (pixels - start.pixels).abs().mean((1, 2, 3))
    assert difference.min() > 1e-4
    assert difference.mean() < 0.3


@pytest.mark.parametrize("change", [augment.affine, augment.perspective, augment.gentle])
def test_what_lies_outside_of_a_picture_stays_unless_an_augmentation_says_otherwise(change: object) -> None:
    wide = Crops(picture(), box(-48, -48, 144, picture()), 48, "#ff00ff")
    assert change(wide, Random(0)).border == "#ff00ff"  # type: ignore[operator]
    assert change(wide, Random(0), border="wrap").border == "wrap"  # type: ignore[operator]
