"""Pictures to start from, to compare with and to lay over each other."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import PIL.Image
import torch
import torch.nn.functional as F
from annotated_types import Interval
from torch import Tensor

from t2iflow.nodes.core.ambient import Random
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.types import Factor, Fraction, Image, Mask, Means, NonNegative, PicturePath, Positive, Size
from t2iflow.nodes.pictures import codec
from t2iflow.nodes.pictures.resizing import Fit, like, resized
from t2iflow.nodes.pictures.symmetry import Sectors, Symmetry, mirrored

Repeats = Annotated[int, Interval(ge=1, le=16), Means("resized")]
Octaves = Annotated[int, Interval(ge=1, le=12)]


@node
def load(
    device: torch.device,
    *,
    file: PicturePath,
    size: Size | None = None,
    fit: Fit = "fill",
    backdrop: Literal["white", "grey", "black"] = "white",
) -> Image:
    """Read a picture from a file: PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF, ICO, PPM or TGA, at most 100 megapixels.

    A photograph is turned upright by its EXIF; what is transparent is laid over `backdrop`; a file with several
    pictures gives its first; colour profiles are ignored. Grey may have 16 bits, or be floats in 0..1. `size` in
    pixels, as by `resize`, first averaging whole blocks where the picture is far larger; without it, the picture's own.
    """
    levels = codec.to_tensor(codec.over(codec.read(file, size), backdrop)).to(device)
    image = Image(levels.expand(-1, 3, -1, -1))
    return image if size is None else resize(image, size=size, fit=fit)


@node
def mask(
    device: torch.device,
    *,
    file: PicturePath,
    size: Size | None = None,
    fit: Fit = "fill",
    invert: bool = False,
    feather: NonNegative = 0.0,
) -> Mask:
    """Read a mask from a picture: its opacity if any of it is transparent, otherwise its brightness.

    White (or opaque) is fully on; `invert` swaps that. `feather` softens edges by a Gaussian of that many pixels, after
    resizing. It reads what `load` reads, and keeps 16-bit depth.
    """
    grey = codec.to_tensor(_held(codec.read(file, size))).to(device)
    if size is not None:
        grey = resized(grey, size, fit)
    if invert:
        grey = 1 - grey
    return Mask(_feathered(grey, feather) if feather else grey)


def _held(picture: PIL.Image.Image) -> PIL.Image.Image:
    """The opacity of a picture if any of it is transparent, otherwise its brightness."""
    if picture.has_transparency_data and picture.getchannel("A").getextrema() != (255, 255):
        return picture.getchannel("A")
    return picture if picture.mode == "F" else picture.convert("L")


Part = Annotated[tuple[Fraction, Fraction, Fraction, Fraction], "left, top, right, bottom"]
"""A part of a picture by its edges, 0 at the left and the top, 1 at the right and the bottom."""


def _check_part(settings: Mapping[str, Any]) -> None:
    """Refuse an empty part."""
    left, top, right, bottom = settings["part"]
    if left >= right or top >= bottom:
        raise ValueError(
            "`part` is left, top, right, bottom: the left must be below the right, the top below the bottom"
        )


@node(check=_check_part)
def region(
    device: torch.device,
    *,
    size: Size,
    part: Part,
    shape: Literal["box", "ellipse"] = "box",
    invert: bool = False,
    feather: NonNegative = 0.0,
) -> Mask:
    """A mask without a file: white in a box, or in the ellipse that it holds.

    `part` is left, top, right, bottom, from 0 to 1: [0, 0, 0.5, 1] is the left half. `invert` and `feather` as in
    `mask`. PyTTI's prompts have such halves, pixray's `spot` an ellipse (2021).
    """
    (width, height), (left, top, right, bottom) = size, part
    across = (torch.arange(width, device=device) + 0.5) / width
    down = ((torch.arange(height, device=device) + 0.5) / height)[:, None]
    x, y = (across - left) / (right - left) * 2 - 1, (down - top) / (bottom - top) * 2 - 1
    inside = (x**2 + y**2 <= 1) if shape == "ellipse" else (x.abs() <= 1) & (y.abs() <= 1)
    white = (inside ^ invert).float()[None, None]
    return Mask(_feathered(white, feather) if feather else white)


@node
def resize(image: Image, *, size: Size, fit: Fit = "fill") -> Image:
    """The image in another size, low-passed by as much as it shrinks; gradients flow.

    Lanczos of 3 lobes (Duchon 1979) along each axis; what overshoots 0..1 is clamped.
    """
    return Image(resized(image, size, fit))


@node(check=_check_part)
def cut(image: Image, *, part: Annotated[Part, Means("resized")]) -> Image:
    """A part of the picture as a picture of its own: `part` is left, top, right, bottom, from 0 to 1."""
    (high, wide), (left, top, right, bottom) = image.shape[-2:], map(float, part)
    return Image(image[..., _pixels(top, bottom, high), _pixels(left, right, wide)])


@node
def blend(image: Image, over: Image, mask: Mask | None = None, *, amount: Fraction = 0.5) -> Image:
    """Lay another image over this one: `amount` of it, and with a mask only where that is white.

    An overlay or mask of another size is resized to the image's.
    """
    part: Tensor | float = amount if mask is None else amount * like(mask, image)
    return Image(image + (like(over, image) - image) * part)


@node
def keep(image: Image, original: Image, mask: Mask) -> Image:
    """Keep the original where the mask is white: it neither changes there nor gets a gradient.

    An original or mask of another size is resized to the image's.
    """
    part = like(mask, image)
    return Image(image * (1 - part) + like(original, image) * part)


@node
def mirror(image: Image, *, kind: Symmetry = "left-right", sectors: Sectors = 6) -> Image:
    """The picture made symmetric; gradients flow into the part that is kept.

    `left-right` keeps the left half, `up-down` the upper one, `both` the upper left quarter, and `kaleidoscope` a
    sector that points up: `sectors` copies of it lie around the middle, each with its mirror image. To let a picture
    come near to symmetry by itself, use `losses.symmetry`.
    """
    return Image(mirrored(image, kind, sectors))


@node
def outline(image: Image, *, radius: Positive = 0.006, strength: Factor = 10.0, shade: Fraction = 0.5) -> Image:
    """The picture as a drawing in grey: lines where it is darker than around them, and shade where it is dark.

    `radius`: how wide lines are, as a fraction of the shorter side; `strength`: how black; `shade`: how dark a grey the
    darkest half becomes. For strokes to follow: `init` of a `strokes.canvas` with `ink`.

    The difference of Gaussians of Winnemöller et al. 2012, "XDoG".
    """
    grey = image.mean(1, keepdim=True)
    near, around = (_feathered(grey, times * radius * min(image.shape[-2:])) for times in (1, 1.6))
    lines = 1 - (strength * (around - near)).clamp(0, 1)
    return Image((lines * (1 - shade * (1 - 2 * grey).clamp(0, 1))).expand_as(image))


@node
def roll(image: Image, random: Random, *, across: Fraction = 1.0, down: Fraction = 1.0) -> Image:
    """The picture shifted at random: what leaves it at one edge comes back at the opposite one.

    Between a canvas and its crops, it lets a perceptor see what lies across the edges, so that the picture can be laid
    side by side with itself; canvases that have it also need `seamless: true`. `across` and `down`: how far at most, as
    fractions of the width and the height; 0 for a picture that is seamless in only one direction.

    After pixray's tiler (2022).
    """
    return Image(_rolled(_rolled(image, -1, random.uniform(1) * across), -2, random.uniform(1) * down))


def _rolled(image: Tensor, axis: int, part: Tensor) -> Tensor:
    side = image.shape[axis]
    shift = (part * side).long()
    return image.index_select(axis, (torch.arange(side, device=image.device) + shift) % side)


@node
def tile(image: Image, *, columns: Repeats = 2, rows: Repeats = 2) -> Image:
    """The picture side by side with itself, `columns` times in each of `rows`, to look at a seamless one."""
    return Image(image.repeat(1, 1, rows, columns))


@node
def colour(device: torch.device, *, size: Size, rgb: tuple[Fraction, Fraction, Fraction] = (0.5, 0.5, 0.5)) -> Image:
    """One colour all over; `rgb` is its red, green and blue from 0 to 1."""
    return Image(torch.tensor(rgb, device=device).view(1, 3, 1, 1).repeat(1, 1, size[1], size[0]))


@node
def noise(
    random: Random,
    *,
    size: Size,
    kind: Literal["uniform", "gradient", "fractal", "snow"] = "fractal",
    octaves: Octaves = 8,
    roughness: Fraction = 0.6,
) -> Image:
    """A random picture, to start from.

    `uniform`: a random colour for each pixel. `snow`: a random grey for each pixel. `gradient`: a smooth gradient
    between a random colour in each corner. `fractal`: clouds of colour, the sum of `octaves` grids of gradients (Perlin
    1985), each twice as fine as the one before and `roughness` times as strong, the coarsest 2 cells wide; stretched to
    0..1.
    """
    width, height = size
    if kind == "uniform":
        return Image(random.uniform(1, 3, height, width))
    if kind == "snow":
        return Image(random.uniform(1, 1, height, width).repeat(1, 3, 1, 1))
    if kind == "gradient":
        corners = random.uniform(1, 3, 2, 2)
        return Image(F.interpolate(corners, (height, width), mode="bilinear", align_corners=True))
    cells = [2 * 2**octave for octave in range(octaves) if octave == 0 or 2 * 2**octave <= max(size)]
    layers = [roughness**octave * _perlin(random, size, number) for octave, number in enumerate(cells)]
    clouds = torch.stack(layers).sum(0)
    low, high = clouds.amin((1, 2), keepdim=True), clouds.amax((1, 2), keepdim=True)
    return Image(((clouds - low) / (high - low).clamp(min=1e-6))[None])


def _perlin(random: Random, size: Size, cells: int) -> Tensor:
    """Gradient noise with `cells` cells along the longer side, (3, h, w) around 0."""
    cell = max(size) / cells
    columns, rows = (math.ceil(side / cell) + 1 for side in size)
    angles = random.uniform(3, rows, columns) * (2 * math.pi)
    across, right = _reach(size[0], columns, cell, angles.device)
    along, down = _reach(size[1], rows, cell, angles.device)
    # Each pixel: over its four corners, nearness across times nearness along times (slope . way from the corner).
    return along @ angles.cos() @ right.T + down @ angles.sin() @ across.T


def _reach(length: int, corners: int, cell: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """Along one axis, each pixel's nearness to each corner, and that times the way from there; (length, corners)."""
    place = (torch.arange(length, device=device) + 0.5) / cell
    way = place[:, None] - torch.arange(corners, device=device)
    away = way.abs().clamp(max=1)
    near = 1 - away**3 * (away * (6 * away - 15) + 10)  # 1 at the corner, 0 from the next ones on, smooth twice over
    return near, near * way


def _feathered(grey: Tensor, radius: float) -> Tensor:
    reach = math.ceil(3 * radius)
    steps = torch.arange(-reach, reach + 1, device=grey.device)
    bell = torch.exp(-0.5 * (steps / radius) ** 2)
    bell = bell / bell.sum()
    wide = F.conv2d(F.pad(grey, (reach, reach, 0, 0), mode="replicate"), bell.view(1, 1, 1, -1))
    return F.conv2d(F.pad(wide, (0, 0, reach, reach), mode="replicate"), bell.view(1, 1, -1, 1)).clamp(0, 1)


def _pixels(first: float, last: float, side: int) -> slice:
    """Those of a side that lie between two fractions of it, if only in part."""
    return slice(math.floor(round(first * side, 6)), math.ceil(round(last * side, 6)))  # 0.07 * 100 is above 7
