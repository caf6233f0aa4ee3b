"""Crops: views of a picture that are described first and sampled once.

Cutting, shrinking with low-pass, turning, shearing and tilting are all maps of the plane, so a batch of crops is a stack
of 3x3 matrices over one picture. Augmentations multiply matrices; nothing touches a pixel until somebody looks, and then
one `grid_sample` takes every crop at its own level of a pyramid (after Williams 1983, "Pyramidal parametrics", with
half-octave levels and the nearest level taken instead of a blend of two).
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Border = Literal["reflect", "edge", "wrap", "black", "grey"]
"""What lies outside the picture."""


@dataclass(frozen=True)
class Crops:
    """`len(views)` square crops of `size` pixels; n below is their number.

    Coordinates run from -1 (left or upper edge) to 1 on both axes, of the crop as of the picture. Fields that are None
    change nothing. At sampling the order is: geometry, colour, erasing, noise.
    """

    image: Tensor  # (b, 3, h, w), 0..1
    views: Tensor  # (n, 3, 3): where a point of the crop lies in the picture
    size: int
    border: Border = "reflect"
    source: Tensor | None = None  # (n,) int64: which of the b pictures; None: crop i from picture i * b // n
    colour: Tensor | None = None  # (n, 3, 4): red, green, blue, 1 -> red, green, blue
    erased: Tensor | None = None  # (n, 4): left, top, right, bottom of a box painted mid-grey
    noise: Tensor | None = None  # (n, 3, size, size), added

    def __len__(self) -> int:
        return len(self.views)

    def moved(self, maps: Tensor, border: Border | None = None) -> "Crops":
        """The same crops looking elsewhere: `maps` (n, 3, 3) act in each crop's own coordinates."""
        return replace(self, views=self.views @ maps, border=border or self.border)

    def coloured(self, colour: Tensor) -> "Crops":
        """The same crops with colours mapped by (n, 3, 4) matrices, after any that they have already."""
        if self.colour is None:
            return replace(self, colour=colour)
        last = torch.zeros(len(self), 1, 4, device=colour.device)
        last[:, 0, 3] = 1.0
        return replace(self, colour=colour @ torch.cat([self.colour, last], 1))

    @cached_property
    def pixels(self) -> Tensor:
        """The crops as pixels, (n, 3, size, size); around 0..1, but noise and colour may leave that range."""
        pixels = self._sampled()
        if self.colour is not None:
            matrix, shift = self.colour[:, :, :3], self.colour[:, :, 3, None]
            pixels = torch.baddbmm(shift, matrix, pixels.flatten(2)).view_as(pixels)
        if self.erased is not None:
            pixels = torch.where(_inside(self.erased, self.size), 0.5, pixels)
        if self.noise is not None:
            pixels = pixels + self.noise
        return pixels

    def _sampled(self) -> Tensor:
        pictures, _, height, width = self.image.shape
        number, side = len(self), self.size
        source = self.source
        if source is None:
            source = torch.arange(number, device=self.image.device) * pictures // number
        levels = pyramid(self.image, side)
        atlas = _atlas(levels)
        with torch.no_grad():
            where = _places(self.views, side)  # (n, side, side, 2) in the picture's -1..1
            inside = (where.abs() <= 1).all(-1) if self.border in ("black", "grey") else None
            where = _bordered((where + 1) / 2, self.border)  # 0..1 of the picture
            level = self._levels(len(levels), height, width)
            sizes = torch.tensor([one.shape[:1:-1] for one in levels], device=where.device, dtype=where.dtype)
            lefts = torch.tensor(
                [0, *(one.shape[-1] for one in levels[:-1])], device=where.device, dtype=where.dtype
            ).cumsum(0)
            own = sizes[level][:, None, None]  # width and height of each crop's level
            # Half a pixel from the edges: so that bilinear taps never reach a neighbour in the atlas.
            where = torch.minimum((where * own).clamp(min=0.5), own - 0.5)
            where[..., 0] += lefts[level][:, None, None]
            where[..., 1] += (source * height)[:, None, None]
            extent = torch.tensor([atlas.shape[-1], atlas.shape[-2]], device=where.device)
            grid = (where / extent * 2 - 1).reshape(1, number * side, side, 2)
        pixels = F.grid_sample(atlas, grid.to(atlas.dtype), mode="bilinear", align_corners=False)
        pixels = pixels.view(3, number, side, side).transpose(0, 1)
        if inside is not None:
            fill = 0.5 if self.border == "grey" else 0.0
            pixels = torch.where(inside[:, None], pixels, fill)
        return pixels

    def _levels(self, count: int, height: int, width: int) -> Tensor:
        """The pyramid level nearest to each crop's shrinking, (n,) int64."""
        area = torch.linalg.det(self.views[:, :2, :2].float()).abs() * (height * width) / self.size**2
        # Two levels an octave of length are one an octave of area.
        return torch.log2(area.clamp(min=1e-6)).round().clamp(0, count - 1).long()


def whole(image: Tensor, count: int, size: int) -> Crops:
    """`count` views of the whole picture, each `size` pixels square (a picture that is not square is squeezed)."""
    views = torch.eye(3, device=image.device).repeat(count, 1, 1)
    return Crops(image, views, size)


def boxes(left: Tensor, top: Tensor, width: Tensor, height: Tensor, image: Tensor) -> Tensor:
    """Views (n, 3, 3) of boxes given in pixels of the picture, each (n,)."""
    high, wide = image.shape[-2:]
    views = torch.zeros(len(left), 3, 3, device=image.device)
    views[:, 0, 0] = width / wide
    views[:, 1, 1] = height / high
    views[:, 0, 2] = (2 * left + width) / wide - 1
    views[:, 1, 2] = (2 * top + height) / high - 1
    views[:, 2, 2] = 1
    return views


def pyramid(image: Tensor, smallest: int) -> list[Tensor]:
    """The picture, and smaller ones by half octaves for as long as the shorter side keeps `smallest` / sqrt 2 pixels."""
    levels = [image]
    short = min(image.shape[-2:])
    for step in range(1, 1 + max(0, math.floor(2 * math.log2(max(short / smallest, 1)) + 1))):
        size = [max(1, round(side / 2 ** (step / 2))) for side in image.shape[-2:]]
        levels.append(F.interpolate(levels[-1], size, mode="bilinear", antialias=True, align_corners=False))
    return levels


def _atlas(levels: list[Tensor]) -> Tensor:
    """All pictures and levels in one, (1, 3, b * h, sum of widths): pictures below, levels beside each other."""
    height = levels[0].shape[-2]
    padded = [F.pad(level, (0, 0, 0, height - level.shape[-2])) for level in levels]
    sheet = padded[0] if len(padded) == 1 else torch.cat(padded, -1)
    return sheet.transpose(0, 1).reshape(1, 3, -1, sheet.shape[-1])


def _places(views: Tensor, side: int) -> Tensor:
    """Where each pixel centre of each crop lies in the picture, (n, side, side, 2)."""
    line = (torch.arange(side, device=views.device, dtype=views.dtype) * 2 + 1) / side - 1
    y, x = torch.meshgrid(line, line, indexing="ij")
    points = torch.stack([x, y, torch.ones_like(x)]).view(3, -1)  # (3, side * side)
    mapped = views @ points
    return (mapped[:, :2] / mapped[:, 2:]).transpose(1, 2).reshape(-1, side, side, 2)


def _bordered(where: Tensor, border: Border) -> Tensor:
    """Bring places (0..1 inside the picture) back inside."""
    if border == "reflect":
        return 1 - (where.remainder(2) - 1).abs()
    if border == "wrap":
        return where.remainder(1)
    return where.clamp(0, 1)


def _inside(box: Tensor, side: int) -> Tensor:
    """Which pixels lie in each crop's box, (n, 1, side, side)."""
    line = (torch.arange(side, device=box.device) * 2 + 1) / side - 1
    left, top, right, bottom = box[:, :, None].unbind(1)  # each (n, 1)
    across = (line >= left) & (line <= right)
    down = (line >= top) & (line <= bottom)
    return (down[:, :, None] & across[:, None, :])[:, None]
