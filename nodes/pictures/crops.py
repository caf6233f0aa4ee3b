"""Crops: views of a picture that are described first and sampled only once.

Cropping, downscaling, rotating, shearing and perspective are all maps of the plane, so a batch of crops is a stack of
3x3 matrices over one picture. Augmentations multiply matrices; no pixel is touched until the crops are needed, and then
one `grid_sample` takes every crop at its own level of a pyramid (after Williams 1983, "Pyramidal parametrics", with
half-octave levels and the nearest level taken instead of a blend of two).
"""

import math
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from t2iflow.nodes.core.constants import constant
from t2iflow.nodes.pictures.border import CONTINUED, Border, painted


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
    erased: Tensor | None = None  # (n, k, 4): left, top, right, bottom of k boxes painted mid-grey
    noise: Tensor | None = None  # (n, 3, size, size), added
    _made: list[Tensor] = field(default_factory=list, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.views)

    def moved(self, maps: Tensor, border: Border | None = None) -> "Crops":
        """The same crops looking elsewhere: `maps` (n, 3, 3) act in each crop's own coordinates."""
        return replace(self, views=self.views @ maps, border=border or self.border)

    def coloured(self, colour: Tensor) -> "Crops":
        """The same crops with colours mapped by (n, 3, 4) matrices, after any that they have already."""
        if self.colour is None:
            return replace(self, colour=colour)
        last = torch.eye(4, device=colour.device)[3:].expand(len(self), 1, 4)
        return replace(self, colour=colour @ torch.cat([self.colour, last], 1))

    def without(self, boxes: Tensor) -> "Crops":
        """The same crops with (n, k, 4) more boxes erased."""
        return replace(self, erased=boxes if self.erased is None else torch.cat([self.erased, boxes], 1))

    def noisy(self, noise: Tensor) -> "Crops":
        """The same crops with (n, 3, size, size) more noise added."""
        return replace(self, noise=noise if self.noise is None else self.noise + noise)

    @property
    def pixels(self) -> Tensor:
        """The crops as pixels, (n, 3, size, size); around 0..1, but noise and colour may leave that range."""
        if not self._made:  # kept, for several perceptors; functools' own way would stop torch.compile
            self._made.append(self._painted())
        return self._made[0]

    def _painted(self) -> Tensor:
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
        number, side = len(self), self.size
        levels = pyramid(self.image.to(self.views.dtype), side)
        atlas = _atlas(levels)
        with torch.no_grad():
            where, inside = _places(self.views, side, self.border)
            scale, low, high, start = self._tiles(levels, atlas)
            torch.minimum(torch.maximum(where.mul_(scale), low, out=where), high, out=where).add_(start)
            # One plane of x, one of y: what grid_sample reads fastest, seen as pairs.
            grid = where.view(2, number * side, side).permute(1, 2, 0)[None]
        pixels = F.grid_sample(atlas, grid, mode="bilinear", align_corners=False)
        pixels = pixels.view(3, number, side, side).transpose(0, 1)
        if inside is not None:
            pixels = torch.where(inside, pixels, painted(self.border, pixels.device, pixels.dtype))
        return pixels

    def _tiles(self, levels: list[Tensor], atlas: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Where each crop's own picture and level lie in the atlas, each (2, n, 1): what to multiply a place of 0..1
        by, how far from the atlas's first corner it must stay at least and at most, and what to add then."""
        pictures, _, height, width = self.image.shape
        source = self.source
        if source is None:
            source = torch.arange(len(self), device=atlas.device) * pictures // len(self)
        level = self._levels(len(levels), height, width)
        sizes, lefts, extent = _shelves(height, width, self.size, pictures, atlas.device, atlas.dtype)
        own = sizes[:, level]  # (2, n)
        start = torch.stack([lefts[level], (source * height).to(atlas.dtype)])
        # Half a pixel from the edges, so that bilinear taps never reach a neighbour in the atlas.
        tiles = 2 * own / extent, 1 / extent.expand_as(own), (2 * own - 1) / extent, 2 * start / extent - 1
        return tuple(tile[..., None] for tile in tiles)  # type: ignore[return-value]

    def _levels(self, count: int, height: int, width: int) -> Tensor:
        """The pyramid level nearest to each crop's shrinking at its centre, (n,) int64."""
        x, y, last = self.views.unbind(1)
        growth = (torch.linalg.cross(x, y) * last).sum(-1) / last[:, 2] ** 3  # of area: the determinant over w cubed
        area = growth.abs() * (height * width) / self.size**2
        # Two levels an octave of length are one an octave of area.
        return torch.log2(area.clamp(min=1e-6)).round().clamp(0, count - 1).long()


def whole(image: Tensor, count: int, size: int, source: Tensor | None = None, border: Border = "reflect") -> Crops:
    """`count` views of the whole picture, each `size` pixels square (a picture that is not square is squeezed)."""
    return Crops(image, torch.eye(3, device=image.device).expand(count, 3, 3), size, border, source)


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
    """The picture and smaller ones by half octaves, while the shorter side keeps `smallest` / sqrt 2 pixels."""
    levels = [image]
    height, width = image.shape[-2:]
    for size in _level_sizes(height, width, smallest)[1:]:
        levels.append(F.interpolate(levels[-1], size, mode="bilinear", antialias=True, align_corners=False))
    return levels


def _level_sizes(height: int, width: int, smallest: int) -> list[tuple[int, int]]:
    """Height and width of each level of a pyramid."""
    count = 2 + math.floor(2 * math.log2(max(min(height, width) / smallest, 1)))
    factors = [2 ** (step / 2) for step in range(count)]
    return [(max(1, round(height / factor)), max(1, round(width / factor))) for factor in factors]


@constant
def _shelves(
    height: int, width: int, smallest: int, pictures: int, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    """Of an atlas: width and height of each level (2, levels), left edges (levels,), own width and height (2, 1)."""
    sizes = torch.tensor(_level_sizes(height, width, smallest), dtype=dtype).T.flip(0)
    lefts = sizes[0].cumsum(0) - sizes[0]
    extent = torch.stack([sizes[0].sum(), sizes[1, 0] * pictures])[:, None]
    return sizes.to(device), lefts.to(device), extent.to(device)


def _atlas(levels: list[Tensor]) -> Tensor:
    """All pictures and levels in one, (1, 3, b * h, sum of widths): pictures below, levels beside each other."""
    height = levels[0].shape[-2]
    sheet = torch.cat([F.pad(level, (0, 0, 0, height - level.shape[-2])) for level in levels], -1)
    return sheet.transpose(0, 1).reshape(1, 3, -1, sheet.shape[-1])


def _places(views: Tensor, side: int, border: Border) -> tuple[Tensor, Tensor | None]:
    """Where each pixel centre of each crop lies in the picture, x and y in 0..1, (2, n, side * side).

    With them, for the borders that are painted, which pixels lie inside the picture, (n, 1, side, side).
    """
    # A quarter lets reflection be the distance to the nearest whole number, below.
    unit = 0.25 if border == "reflect" else 0.5
    line = (torch.arange(side, device=views.device, dtype=views.dtype) * 2 + 1) / side - 1
    y, x = torch.meshgrid(line, line, indexing="ij")
    points = torch.stack([x, y, torch.ones_like(x)]).view(3, -1)
    rows = torch.cat([unit * (views[:, :2] + views[:, 2:]), views[:, 2:]], 1)  # from -1..1 to 0..2 * unit
    mapped = (rows.transpose(0, 1).reshape(-1, 3) @ points).view(3, len(views), -1)
    # What a strong tilt puts at or beyond the horizon stays finite.
    where = mapped[:2].div_(mapped[2].clamp_(min=0.05))
    if border == "reflect":
        where.sub_(where.round()).abs_().mul_(2)
    elif border == "wrap":
        where.sub_(where.floor())
    if border in CONTINUED:
        return where, None
    inside = ((where - 0.5).abs() <= 0.5).all(0)
    return where, inside.view(-1, 1, side, side)


def _inside(boxes: Tensor, side: int) -> Tensor:
    """Which pixels lie in any of each crop's boxes, (n, 1, side, side)."""
    line = (torch.arange(side, device=boxes.device) * 2 + 1) / side - 1
    left, top, right, bottom = boxes[..., None].unbind(2)  # each (n, k, 1)
    across = (line >= left) & (line <= right)
    down = (line >= top) & (line <= bottom)
    return (down[..., None] & across[..., None, :]).any(1, keepdim=True)
