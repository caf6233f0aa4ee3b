"""Strokes: what is painted of them, what steps make of them, and what their SVG says."""

import io
import math
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import PIL.Image
import pytest
import torch
from torch import Tensor

from t2iflow.nodes.core.ambient import Random
from t2iflow.nodes.core.types import Image
from t2iflow.nodes.pictures import codec
from t2iflow.nodes.pictures.metadata import read_recipe
from t2iflow.nodes.pictures.motion import Affine
from t2iflow.nodes.pictures.strokes import Strokes, as_svg, painted
from t2iflow.nodes.strokes import Canvas

WHITE = torch.ones(3)


def line(start: tuple[float, float], end: tuple[float, float]) -> Tensor:
    """Control points of a straight stroke."""
    parts = torch.linspace(0, 1, 4)[:, None]
    return torch.tensor(start) * (1 - parts) + torch.tensor(end) * parts


def drawn(*strokes: tuple[Tensor, float, tuple[float, ...]], size: tuple[int, int] = (64, 64)) -> Tensor:
    points, widths, colours = zip(*strokes, strict=True)
    made = Strokes(torch.stack(points), torch.tensor(widths), torch.tensor(colours), "#ffffff", size)
    return painted(made, WHITE, 1.0)


def test_a_stroke_is_as_wide_and_long_and_dark_as_it_says() -> None:
    picture = drawn((line((-0.5, 0.0), (0.5, 0.0)), 0.125, (0.0, 0.0, 0.0, 0.5)))
    covered = (1 - picture[0, 0]).sum() / 0.5
    round_ends = math.pi * 4**2
    assert float(covered) == pytest.approx(32 * 8 + round_ends, rel=0.03)
    assert picture[0, 0, 32, 32] == pytest.approx(0.5, abs=0.01)
    assert picture[0, 0, 32 - 6, 32] > 0.99


def test_a_curve_passes_through_its_middle() -> None:
    curve = torch.tensor([[-0.5, 0.5], [-0.5, -0.5], [0.5, -0.5], [0.5, 0.5]])
    picture = drawn((curve, 0.06, (0.0, 0.0, 0.0, 1.0)))
    assert picture[0, 0, 32 - 8, 32] < 0.1  # at half the way it is a quarter above the middle
    assert picture[0, 0, 32 + 8, 32] > 0.99


def test_later_strokes_cover_earlier_ones() -> None:
    across = line((-0.5, 0.0), (0.5, 0.0))
    picture = drawn((across, 0.2, (1.0, 0.0, 0.0, 1.0)), (across, 0.2, (0.0, 0.0, 1.0, 1.0)))
    assert torch.allclose(picture[0, :, 32, 32], torch.tensor([0.0, 0.0, 1.0]), atol=0.01)


def test_a_picture_that_is_not_square_keeps_round_what_is_round() -> None:
    dot = line((0.0, 0.0), (0.001, 0.0))
    picture = 1 - drawn((dot, 0.5, (0.0, 0.0, 0.0, 1.0)), size=(96, 48))[0, 0]
    assert float(picture.amax(0).sum()) == pytest.approx(float(picture.amax(1).sum()), rel=0.02)
    assert float(picture.amax(0).sum()) == pytest.approx(24, rel=0.06)


def test_a_gradient_leads_a_stroke_to_where_it_is_wanted() -> None:
    target = drawn((line((-0.3, 0.1), (0.4, 0.2)), 0.1, (0.9, 0.1, 0.1, 1.0)))
    canvas = Canvas(Random(1, "strokes"), torch.device("cpu"), size=(64, 64), count=12, pieces=1, width=0.05)
    fit = torch.optim.Adam(canvas.trainable(), lr=0.03)
    far = []
    for step in range(80):
        fit.zero_grad()
        loss = (canvas(softness=3 - 2 * step / 80).image - target).square().mean()
        loss.backward()
        fit.step()
        canvas.settle()
        far.append(float(loss.detach()))
    assert far[-1] < 0.15 * far[0]


def test_a_gradient_is_the_slope_of_the_picture_that_is_painted() -> None:
    chance = torch.Generator().manual_seed(5)
    points = torch.rand(40, 1, 2, generator=chance) * 2 - 1 + torch.rand(40, 4, 2, generator=chance) * 0.4
    widths, colours = torch.full((40,), 0.03), torch.rand(40, 4, generator=chance)
    weights, way = torch.linspace(-1, 1, 85), torch.randn(40, 4, 2, generator=chance)

    def seen(at: Tensor) -> Tensor:
        made = Strokes(at, widths, colours, "#ffffff", (85, 91))
        return (painted(made, WHITE, 3.0) * weights).double().sum()

    (gradient,) = torch.autograd.grad(seen(points.requires_grad_()), points)
    with torch.no_grad():
        slope = (seen(points + 1e-4 * way) - seen(points - 1e-4 * way)) / 2e-4
    assert float((gradient * way).sum()) == pytest.approx(float(slope), rel=0.01)


def two_halves(size: tuple[int, int]) -> Image:
    """Yellow at the left, dark blue at the right."""
    picture = torch.tensor([0.9, 0.9, 0.5]).view(1, 3, 1, 1).repeat(1, 1, size[1], size[0])
    picture[..., size[0] // 2 :] = torch.tensor([0.0, 0.0, 0.3]).view(1, 3, 1, 1)
    return Image(picture)


@pytest.mark.parametrize("size", [(96, 64), (50, 70)])
def test_strokes_begin_along_the_edges_and_in_the_colours_of_a_picture(size: tuple[int, int]) -> None:
    picture = two_halves(size)
    canvas = Canvas(
        Random(1, "lay"), torch.device("cpu"), picture, size=size, count=150, pieces=1, width=0.15, finest=0.05,
        opacity=1, start_steps=0,
    )  # fmt: skip
    drawing = canvas()
    assert (drawing.image - picture).abs().mean() < 0.05
    points, widths, colours = drawing.strokes.kept().tensors
    assert widths[0] == pytest.approx(0.15, rel=0.01)
    assert widths[-1] == pytest.approx(0.05)
    assert (widths.diff() < 0).all()
    assert (colours[:, 3] == 1).all()
    beside = points[points[..., 0].abs().amax(1) < 0.1]
    across, down = beside.diff(dim=1).abs().mean((0, 1))
    assert down > 3 * across


@pytest.mark.parametrize("size", [(1, 1), (40, 1), (1, 30), (3, 2)])
def test_strokes_begin_on_pictures_of_any_size(size: tuple[int, int]) -> None:
    picture = torch.full((1, 3, size[1], size[0]), 0.2)
    canvas = Canvas(
        Random(1, "lay"), torch.device("cpu"), Image(picture), size=size, count=9, width=0.3, opacity=1, start_steps=0
    )
    assert canvas().image.shape == picture.shape
    assert canvas().image.isfinite().all()


def test_lines_of_ink_begin_where_a_picture_is_dark() -> None:
    canvas = Canvas(
        Random(1, "lay"), torch.device("cpu"), two_halves((64, 64)), size=(64, 64), count=60, ink="#000000",
        width=0.02, start_steps=0,
    )  # fmt: skip
    drawn = 1 - canvas().image[0, 0]
    assert drawn[:, 34:].mean() > 3 * drawn[:, :30].mean()


@pytest.mark.parametrize(("ink", "trained"), [(None, [(5, 7, 2), (5,), (5, 3)]), ("#102030", [(5, 7, 2)])])
def test_an_opacity_that_is_given_stays(ink: str | None, trained: list[tuple[int, ...]]) -> None:
    canvas = Canvas(Random(1, "wet"), torch.device("cpu"), size=(32, 32), count=5, ink=ink, opacity=0.4)
    assert [tuple(one.shape) for one in canvas.trainable()] == trained
    assert torch.allclose(canvas().strokes.colours[:, 3], torch.tensor(0.4))


def test_ink_stays_as_it_is_and_only_lines_move() -> None:
    canvas = Canvas(Random(1, "ink"), torch.device("cpu"), size=(32, 32), count=5, ink="#102030", width=0.04)
    assert [tuple(one.shape) for one in canvas.trainable()] == [(5, 7, 2)]
    strokes = canvas().strokes
    assert torch.allclose(strokes.colours[:, :3], torch.tensor([16, 32, 48]) / 255)
    assert torch.allclose(strokes.widths, torch.tensor(0.04))


def test_a_zoom_moves_the_strokes_themselves() -> None:
    canvas = Canvas(Random(1, "zoom"), torch.device("cpu"), size=(64, 64), count=9, width=0.06)
    before, motion = canvas(), Affine(scale=1.5, angle=20.0)
    assert canvas.move(motion, "edge")
    after = canvas()
    assert torch.allclose(after.strokes.widths, 1.5 * before.strokes.widths)
    assert (motion(before.image.detach(), "edge") - after.image).abs().mean() < 0.02


def svg(tmp_path: Path, recipe: str = "") -> Path:
    canvas = Canvas(Random(1, "svg"), torch.device("cpu"), size=(96, 64), count=7, paper="#fffff0")
    path = tmp_path / "drawing.svg"
    path.write_text(as_svg(canvas().strokes.kept(), recipe), "utf-8")
    return path


def test_an_svg_has_each_stroke_as_a_path_on_its_paper(tmp_path: Path) -> None:
    root = ElementTree.parse(svg(tmp_path)).getroot()
    space = "{http://www.w3.org/2000/svg}"
    assert root.get("viewBox") == "0 0 96 64"
    assert [one.get("fill") for one in root.iter(f"{space}rect")] == ["#fffff0"]
    paths = list(root.iter(f"{space}path"))
    canvas = Canvas(Random(1, "svg"), torch.device("cpu"), size=(96, 64), count=7)
    for path, points, width, colour in zip(paths, *canvas().strokes.kept().tensors, strict=True):
        numbers = [float(one) for one in re.findall(r"-?\d+\.\d+", path.get("d") or "")]
        placed = points * 32 + torch.tensor([48.0, 32.0])
        assert torch.allclose(torch.tensor(numbers).view(-1, 2), placed, atol=0.006)
        assert float(path.get("stroke-width") or 0) == pytest.approx(float(width) * 64, abs=0.006)
        assert float(path.get("stroke-opacity") or 0) == pytest.approx(float(colour[3]), abs=1e-3)


def test_an_svg_carries_its_recipe_whatever_is_in_it(tmp_path: Path) -> None:
    recipe = "t2iflow: 1\ntitle: '</metadata> & <b>&amp;</b> \N{FOX FACE}'\n"
    path = svg(tmp_path, recipe)
    assert read_recipe(path) == recipe
    ElementTree.parse(path)
    assert read_recipe(svg(tmp_path)) is None
    path.write_bytes(b"<svg>\xff\xfe<metadata")
    with pytest.raises(ValueError, match="damaged"):
        read_recipe(path)


def test_an_svg_looks_as_the_picture_to_another_program(tmp_path: Path) -> None:
    """resvg's rasteriser covers pixels exactly, ours by a sigmoid."""
    resvg_py = pytest.importorskip("resvg_py")
    canvas = Canvas(Random(2, "svg"), torch.device("cpu"), size=(96, 64), count=20, width=0.05, paper="#fffff0")
    drawing = canvas(softness=0.7)
    content = resvg_py.svg_to_bytes(svg_string=as_svg(drawing.strokes.kept()))
    seen = codec.to_tensor(PIL.Image.open(io.BytesIO(bytes(content))).convert("RGB"))
    assert float((seen - drawing.image.detach()).abs().mean()) < 0.01


def test_every_pixel_knows_the_nearest_point_of_a_stroke() -> None:
    """However fast its curve goes, whose parts are then long beside short ones; all parts are tried here."""
    chance = torch.Generator().manual_seed(3)
    for _ in range(8):
        curve = torch.rand(4, 2, generator=chance) * 3 - 1.5
        picture = drawn((curve, 0.12, (0.0, 0.0, 0.0, 1.0)), size=(96, 96))[0, 0]
        t = torch.linspace(0, 1, 2000)[:, None]
        points = (
            (1 - t) ** 3 * curve[0] + 3 * t * (1 - t) ** 2 * curve[1] + 3 * t**2 * (1 - t) * curve[2] + t**3 * curve[3]
        )
        places = (torch.arange(96) + 0.5 - 48) / 48
        grid = torch.stack(torch.meshgrid(places, places, indexing="xy"), -1).view(-1, 2)
        far = torch.cdist(grid, points).amin(1).view(96, 96) * 48
        inside = far < 0.12 * 48 - 2
        assert not inside.any() or picture[inside].max() < 0.02
        assert picture[far > 0.12 * 48 + 3].min() > 0.98
