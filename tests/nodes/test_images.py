"""Images: strangers' picture files, and what is done with pictures before a run."""

import io
import struct
import subprocess
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch

from t2iflow.nodes import images
from t2iflow.nodes.core.ambient import Random
from t2iflow.nodes.core.types import Image, Mask
from t2iflow.nodes.pictures.opening import opened

CPU = torch.device("cpu")


def save(path: Path, colours: Sequence[Sequence[tuple[int, ...]]], mode: str = "RGB", **options: Any) -> str:
    picture = PIL.Image.new(mode, (len(colours[0]), len(colours)))
    picture.putdata([colour for row in colours for colour in row])
    picture.save(path, **options)
    return str(path)


RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def test_a_picture_is_read_row_by_row_in_red_green_blue(tmp_path: Path) -> None:
    image = images.load(CPU, file=save(tmp_path / "a.png", [[RED, GREEN, BLUE], [WHITE, (51, 102, 153), RED]]))
    assert image.shape == (1, 3, 2, 3)
    assert image[0, :, 0].T.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert image[0, :, 1, 1].tolist() == pytest.approx([0.2, 0.4, 0.6])


@pytest.mark.parametrize("suffix", ["jpg", "webp", "png"])
def test_the_formats_that_people_have_can_be_read(suffix: str, tmp_path: Path) -> None:
    image = images.load(CPU, file=save(tmp_path / f"a.{suffix}", [[RED] * 16] * 16))
    assert image.mean((0, 2, 3)).tolist() == pytest.approx([1, 0, 0], abs=0.02)


def test_pictures_are_read_where_packages_are_one_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_packages(command: list[str], **how: Any) -> Any:
        return run([command[0], "-S", *command[1:]], **how)

    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", without_packages)
    assert images.load(CPU, file=save(tmp_path / "a.png", [[RED] * 2])).shape == (1, 3, 1, 2)
    PIL.Image.fromarray(np.full((2, 2), 40_000, np.uint16)).save(tmp_path / "deep.png")
    assert images.load(CPU, file=str(tmp_path / "deep.png")).mean().item() == pytest.approx(40_000 / 65_535)


@pytest.mark.parametrize(("width", "height"), [(20_000, 10_000), (6144, 34_816), (15_000, 20_000)])
def test_a_picture_of_ours_may_be_larger_than_pillow_opens(width: int, height: int, tmp_path: Path) -> None:
    path = tmp_path / "strip.png"
    path.write_bytes(png(width, height))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with opened(path) as picture:
            assert picture.size == (width, height)
    path.write_bytes(png(width, 60_000))
    with pytest.raises(ValueError, match="more than 300 megapixels"), opened(path):
        pass


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n\0\0", b"RIFF\0\0\0\0WEBPVP8 ", b"\xff\xd8\xff", b"%PDF-1.4"]
)
def test_what_is_no_picture_of_ours_is_refused_in_words(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises((OSError, ValueError)), opened(tmp_path / "a.png") as picture:
        picture.load()


def png(width: int, height: int) -> bytes:
    """The start of a grey PNG of this size."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n\0\0\0\x0d" + head + struct.pack(">I", zlib.crc32(head)) + b"\0\0\0\0IDAT"


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "1", "LA"])
def test_every_mode_of_8_bits_becomes_red_green_blue(mode: str, tmp_path: Path) -> None:
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    PIL.Image.new("RGB", (8, 8), "white").convert(mode).save(path)
    assert images.load(CPU, file=str(path)).mean().item() == pytest.approx(1, abs=0.02)


def test_a_photograph_is_turned_upright(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # lies on its side: turn it clockwise
    image = images.load(CPU, file=save(tmp_path / "a.png", [[RED, BLUE]], exif=exif))
    assert image.shape == (1, 3, 2, 1)
    assert image[0, :, 0, 0].tolist() == [1, 0, 0]


@pytest.mark.parametrize(("backdrop", "expected"), [("white", 1.0), ("grey", 128 / 255), ("black", 0.0)])
def test_what_is_transparent_shows_the_backdrop(backdrop: str, expected: float, tmp_path: Path) -> None:
    file = save(tmp_path / "a.png", [[(255, 0, 0, 0), (255, 0, 0, 255)]], "RGBA")
    image = images.load(CPU, file=file, backdrop=backdrop)  # type: ignore[arg-type]
    assert image[0, :, 0, 0].tolist() == pytest.approx([expected] * 3)
    assert image[0, :, 0, 1].tolist() == [1, 0, 0]


def _png(width: int, height: int, bits: int = 8) -> bytes:
    """A PNG with next to nothing in it, whatever its header says."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    parts = (header, b"IDAT" + zlib.compress(bytes(7)), b"IEND")
    chunks = [struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _whole_png() -> bytes:
    file = io.BytesIO()
    PIL.Image.effect_noise((32, 32), 50).convert("RGB").save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"not a picture at all", "is not a picture of a kind that can be read: PNG, JPEG"),
        (b"GIF89a" + bytes(30), "is not a picture"),
        (_png(20000, 20000), "larger than the 100 megapixels that are read at most"),
        (_png(10001, 10001), "10001 x 10001.*100 megapixels"),
        (_whole_png()[:700], "damaged or cut short"),
        (_whole_png()[:60] + b"garbage" + _whole_png()[67:], "damaged or cut short"),
    ],
    ids=["empty", "text", "gif", "bomb", "large", "short", "scrambled"],
)
def test_a_file_that_is_no_sound_picture_is_refused(data: bytes, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(data)
    with pytest.raises(ValueError, match=rf"a\.png.*{reason}"):
        images.load(CPU, file=str(file))


def test_a_folder_and_a_missing_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is a folder"):
        images.load(CPU, file=str(tmp_path))
    with pytest.raises(ValueError, match="doesn't exist"):
        images.load(CPU, file=str(tmp_path / "gone.png"))


def test_filling_another_shape_cuts_and_squeezing_does_not(tmp_path: Path) -> None:
    file = save(tmp_path / "a.png", [[RED] * 4 + [BLUE] * 8 + [RED] * 4] * 8)
    filled = images.load(CPU, file=file, size=(4, 4))
    assert filled[0, 0].max() < 0.1
    squeezed = images.load(CPU, file=file, size=(4, 4), fit="squeeze")
    assert squeezed[0, 0, :, 0].min() > 0.9
    assert squeezed[0, 2, :, 1].min() > 0.9


def test_resizing_keeps_what_is_smooth_and_drops_what_is_too_fine() -> None:
    line = torch.linspace(0.2, 0.8, 64)
    smooth = images.resize(Image(line.expand(1, 3, 48, 64)), size=(16, 12))
    expected = torch.nn.functional.avg_pool1d(line[None], 4)[0]
    assert torch.allclose(smooth[0, 0, 3, 3:-3], expected[3:-3], atol=1e-3)
    stripes = (torch.arange(64) % 2).float().expand(1, 3, 48, 64)
    assert (images.resize(Image(stripes), size=(16, 12))[..., 3:-3] - 0.5).abs().max() < 0.02


def test_resizing_there_and_back_loses_little() -> None:
    clouds = images.noise(Random(0), size=(24, 16), octaves=2)
    larger = images.resize(clouds, size=(96, 64))
    assert (images.resize(larger, size=(24, 16)) - clouds).abs().mean() < 0.005
    assert larger.min() >= 0
    assert larger.max() <= 1


def test_a_mask_is_its_brightness_or_its_opacity(tmp_path: Path) -> None:
    bright = save(tmp_path / "bright.png", [[WHITE, (0, 0, 0)]])
    clear = save(tmp_path / "clear.png", [[(0, 0, 0, 255), (255, 255, 255, 0)]], "RGBA")
    for file in (bright, clear):
        assert images.mask(CPU, file=file).tolist() == [[[[1.0, 0.0]]]]
        assert images.mask(CPU, file=file, invert=True).tolist() == [[[[0.0, 1.0]]]]


def test_feathering_softens_an_edge_by_so_many_pixels(tmp_path: Path) -> None:
    file = save(tmp_path / "a.png", [[(0, 0, 0)] * 20 + [WHITE] * 20] * 30)
    row = images.mask(CPU, file=file, feather=3.0)[0, 0, 15]
    assert torch.all(row[1:] >= row[:-1] - 1e-6)
    assert row[[0, -1]].tolist() == pytest.approx([0, 1], abs=1e-4)
    assert row[22].item() == pytest.approx(0.5 + 0.5 * torch.erf(torch.tensor(2.5 / 3 / 2**0.5)).item(), abs=0.01)


def test_an_overlay_shows_in_part_and_only_in_its_mask() -> None:
    black, white = Image(torch.zeros(1, 3, 8, 8)), Image(torch.ones(1, 3, 4, 4))
    assert images.blend(black, white, amount=0.25).unique().tolist() == pytest.approx([0.25])
    left = Mask((torch.arange(8) < 4).float().expand(1, 1, 8, 8))
    masked = images.blend(black, white, left, amount=0.25)
    assert masked[..., :4].unique().tolist() == pytest.approx([0.25])
    assert not masked[..., 4:].any()


def test_what_is_kept_neither_changes_nor_gets_a_gradient() -> None:
    canvas = Image(torch.full((1, 3, 8, 8), 0.2, requires_grad=True))
    photograph = Image(torch.full((1, 3, 8, 8), 0.9))
    left = Mask((torch.arange(8) < 4).float().expand(1, 1, 8, 8))
    kept = images.keep(canvas, photograph, left)
    assert torch.equal(kept[..., :4], photograph[..., :4])
    assert torch.equal(kept[..., 4:], canvas[..., 4:])
    kept.sum().backward()
    assert canvas.grad is not None
    assert not canvas.grad[..., :4].any()
    assert canvas.grad[..., 4:].all()


def test_a_colour_fills_the_picture() -> None:
    picture = images.colour(CPU, size=(3, 2), rgb=(0.1, 0.2, 0.3))
    assert picture.shape == (1, 3, 2, 3)
    assert picture[0, :, 1, 2].tolist() == pytest.approx([0.1, 0.2, 0.3])


@pytest.mark.parametrize("kind", ["uniform", "snow", "gradient", "fractal"])
@pytest.mark.parametrize("size", [(1, 1), (40, 30), (33, 70)])
def test_noise_has_the_size_and_range_of_an_image(kind: str, size: tuple[int, int]) -> None:
    noise = images.noise(Random(1), size=size, kind=kind)  # type: ignore[arg-type]
    assert noise.shape == (1, 3, size[1], size[0])
    assert noise.min() >= 0
    assert noise.max() <= 1
    assert noise.isfinite().all()


def test_kinds_of_noise_differ_in_grain_and_colour() -> None:
    def steps(kind: str) -> float:
        noise = images.noise(Random(1), size=(64, 64), kind=kind)  # type: ignore[arg-type]
        return (noise[..., 1:] - noise[..., :-1]).abs().mean().item()

    assert steps("gradient") < 0.02 < steps("fractal") < 0.1 < steps("uniform")
    snow = images.noise(Random(1), size=(8, 8), kind="snow")
    assert torch.equal(snow[:, 0], snow[:, 1])
    fractal = images.noise(Random(1), size=(64, 48))
    assert fractal.amin((2, 3))[0].tolist() == [0, 0, 0]
    assert fractal.amax((2, 3))[0].tolist() == pytest.approx([1, 1, 1])
    assert not torch.equal(fractal[:, 0], fractal[:, 1])


def test_a_region_is_white_inside_its_edges(tmp_path: Path) -> None:
    left = images.region(CPU, size=(8, 4), part=(0, 0, 0.5, 1))
    assert left[0, 0].tolist() == [[1.0] * 4 + [0.0] * 4] * 4
    assert torch.equal(images.region(CPU, size=(8, 4), part=(0, 0, 0.5, 1), invert=True), 1 - left)


def test_an_ellipse_fills_its_box_by_a_quarter_of_pi() -> None:
    part = images.region(CPU, size=(400, 200), part=(0.25, 0.1, 0.75, 0.9), shape="ellipse").mean().item()
    assert part == pytest.approx(0.5 * 0.8 * 3.14159 / 4, abs=0.002)


def test_a_feathered_region_keeps_its_area_and_has_soft_edges() -> None:
    mask = images.region(CPU, size=(64, 64), part=(0.25, 0.25, 0.75, 0.75), feather=3)
    assert mask.mean().item() == pytest.approx(0.25, abs=0.01)
    assert 0.4 < mask[0, 0, 32, 16].item() < 0.6


def test_a_part_is_cut_out_and_never_empty() -> None:
    picture = Image(torch.rand(1, 3, 6, 8))
    assert torch.equal(images.cut(picture, part=(0.5, 0, 1, 1)), picture[..., 4:])
    assert torch.equal(images.cut(picture, part=(0.25, 0.5, 0.5, 1)), picture[..., 3:, 2:4])
    assert images.cut(picture, part=(0, 0.99, 0.01, 1)).shape == (1, 3, 1, 1)
    assert images.cut(torch.zeros(1, 3, 1, 100), part=(0.29, 0, 1, 1)).shape[-1] == 71
    assert images.cut(torch.zeros(1, 3, 1, 100), part=(0, 0, 0.07, 1)).shape[-1] == 7


def test_an_outline_has_lines_where_it_is_darker_than_around_and_shade_where_it_is_dark() -> None:
    picture = torch.ones(1, 3, 60, 60)
    picture[..., 30:] = 0.2
    picture[..., 14:16] = 0.5
    drawing = images.outline(Image(picture), radius=0.02, shade=0.5)[0, 0, 30]
    assert drawing[14:16].max() < 0.5  # the line
    assert drawing[5] == pytest.approx(1, abs=0.01)  # the light half
    assert drawing[50] == pytest.approx(1 - 0.5 * 0.6, abs=0.01)  # the dark one
    assert drawing[30] < 0.4  # and the edge between them
