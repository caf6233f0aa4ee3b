"""Strokes: curves with a width and a colour, painted as pixels so that gradients reach all of these, and as SVG.

A soft rasteriser in plain tensors: each pixel knows its distance from the nearest point of every stroke, and how far it
is covered follows from that by a sigmoid, where diffvg (Li et al. 2020) integrates over edges.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from t2iflow.nodes.core.constants import constant
from t2iflow.nodes.core.types import Size
from t2iflow.nodes.pictures.metadata import in_svg

PARTS = 12
"""Straight parts that a cubic curve is painted with."""
STRIP = 2**21
"""Distances that a CPU compares at a time: they stay in its cache."""
TILE = 8
"""The side of a tile in pixels."""
RIM = 3.0
"""How far beyond its edge a stroke is painted, times the softness: there it covers less than a hundred-thousandth."""
OPAQUE = 0.9999
"""The most that a stroke covers, so that what lies beneath keeps a gradient."""
TINY = 1e-4
"""Keeps the slope of a square root finite at 0; in squared pixels."""


@dataclass(frozen=True)
class Strokes:
    """Curves of cubic pieces on paper, in the order in which they are painted."""

    points: Tensor  # (n, 3 * pieces + 1, 2): control points, right and down of the middle; the shorter side spans -1..1
    widths: Tensor  # (n,), as fractions of the shorter side
    colours: Tensor  # (n, 4): red, green, blue and opacity in 0..1
    paper: str  # "#rrggbb"
    size: Size

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """Points, widths and colours."""
        return self.points, self.widths, self.colours

    def kept(self) -> "Strokes":
        """A copy that later steps don't change."""
        points, widths, colours = (one.detach().clone() for one in self.tensors)
        return Strokes(points, widths, colours, self.paper, self.size)


def painted(strokes: Strokes, paper: Tensor, softness: float) -> Tensor:
    """The picture (1, 3, h, w) of strokes on paper (3,); edges are `softness` pixels wide.

    It is painted in t tiles, each with the strokes near it: as many (k) as the tile with the most has.
    """
    unit = min(strokes.size) / 2
    lines = _weights((strokes.points.shape[1] - 1) // 3, strokes.points.device) @ (strokes.points * unit)
    radii = strokes.widths * unit
    tiles = _tiles(strokes.size, lines.device)
    with torch.no_grad():
        near = _near(lines, radii + RIM * softness, tiles)  # (t, k)
        parts = _nearest(lines, near, tiles)
    reach = radii[near][..., None] - _distances(lines, tiles, parts).sqrt()  # (t, k, pixels), above 0 within a stroke
    colours = strokes.colours[near]
    cover = torch.sigmoid(reach * (4 / softness)) * (colours[..., 3:] * OPAQUE)
    seen = torch.log1p(-cover)
    above = seen.flip(1).cumsum(1).flip(1)  # of the logarithm of what later strokes leave, this one included
    shares = cover * (above - seen).exp()
    picture = shares.mT @ colours[..., :3] + seen.sum(1).exp()[..., None] * paper
    picture = picture + (picture.clamp(0, 1) - picture).detach()  # what rounding adds
    return _joined(picture, strokes.size)


def _near(lines: Tensor, reach: Tensor, tiles: Tensor) -> Tensor:
    """Which strokes are within reach of each tile, in their order, (t, k); behind them some that are not."""
    far = _squared(lines, tiles.mean(1)).amin(1).sqrt()  # (n, t)
    within = (far < reach[:, None] + TILE / 2**0.5).T
    return within.byte().sort(dim=1, descending=True, stable=True).indices[:, : _most(within)]


def _most(within: Tensor) -> int:
    """As many as the tile with the most has within reach; on a GPU, which would wait for that number, all."""
    return int(within.sum(1).max()) if within.is_cpu else within.shape[1]


def _nearest(lines: Tensor, near: Tensor, tiles: Tensor) -> Tensor:
    """Which part of each stroke near a tile is nearest to each pixel: its first point, counted through all lines,
    (t, k, pixels)."""
    room = STRIP if lines.is_cpu else 64 * STRIP
    strip = max(1, room // max(1, near.shape[1] * lines.shape[1] * TILE**2))
    found = [
        _squared(lines[some], places).argmin(2)
        for some, places in zip(near.split(strip), tiles.split(strip), strict=True)
    ]
    return torch.cat(found) + near[..., None] * lines.shape[1]


def _squared(lines: Tensor, places: Tensor) -> Tensor:
    """The squared distances (..., k, parts, p) of places (..., p, 2) from each part of lines (..., k, parts + 1, 2)."""
    starts, ways = lines[..., :-1, :].flatten(-3, -2), lines.diff(dim=-2).flatten(-3, -2)
    lengths = (ways.square().sum(-1, keepdim=True) + TINY).sqrt()
    along = ways / lengths
    across = torch.stack([-along[..., 1], along[..., 0]], -1)
    passed = along @ places.mT - (starts * along).sum(-1, keepdim=True)  # how far along each part, (..., k * parts, p)
    beyond = torch.maximum(-passed, passed - lengths).clamp_(min=0)
    far = (across @ places.mT).sub_((starts * across).sum(-1, keepdim=True)).square_().add_(beyond.square_())
    return far.view(*lines.shape[:-2], lines.shape[-2] - 1, places.shape[-2])


def _distances(lines: Tensor, tiles: Tensor, parts: Tensor) -> Tensor:
    """The squared distances of pixels from the `parts` that are nearest to them, (t, k, pixels)."""
    points, places = lines.flatten(0, 1), tiles[:, None]
    start, end = (points.index_select(0, one.flatten()).view(*parts.shape, 2) for one in (parts, parts + 1))
    way = end - start
    with torch.no_grad():
        part = ((places - start) * way).sum(-1) / (way.square().sum(-1) + TINY)
    return (places - start - part.clamp(0, 1)[..., None] * way).square().sum(-1) + TINY


def as_svg(strokes: Strokes, recipe: str = "") -> str:
    """The strokes as SVG 1.1, in pixels, with the recipe in its metadata."""
    width, height = strokes.size
    unit = min(strokes.size) / 2
    middle = strokes.points.new_tensor([width / 2, height / 2])
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        *([in_svg(recipe)] if recipe else []),
        f'<rect width="{width}" height="{height}" fill="{strokes.paper}"/>',
        '<g fill="none" stroke-linecap="round" stroke-linejoin="round">',
    ]
    points = (strokes.points * unit + middle).tolist()
    for path, wide, colour in zip(points, (strokes.widths * 2 * unit).tolist(), strokes.colours.tolist(), strict=True):
        places = [f"{across:.2f} {down:.2f}" for across, down in path]
        shade = "#{:02x}{:02x}{:02x}".format(*(round(255 * min(max(part, 0), 1)) for part in colour[:3]))
        pen = f'stroke="{shade}" stroke-width="{wide:.2f}" stroke-opacity="{min(max(colour[3], 0), 1):.3f}"'
        lines.append(f'<path d="M{places[0]} C{" ".join(places[1:])}" {pen}/>')
    return "\n".join([*lines, "</g>", "</svg>", ""])


@constant
def _weights(pieces: int, device: torch.device) -> Tensor:
    """How much of each control point is in each point of the curve, (pieces * PARTS + 1, 3 * pieces + 1)."""
    weights = torch.zeros(pieces * PARTS + 1, 3 * pieces + 1)
    t = torch.arange(PARTS + 1) / PARTS
    cubic = torch.stack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], 1)
    for piece in range(pieces):
        weights[piece * PARTS : (piece + 1) * PARTS + 1, 3 * piece : 3 * piece + 4] = cubic
    return weights.to(device)


@constant
def _tiles(size: Size, device: torch.device) -> Tensor:
    """The middle of each pixel, right and down of the picture's, in pixels, (t, TILE * TILE, 2), tile by tile."""
    width, height = size
    across = torch.arange(-(-width // TILE) * TILE) + 0.5 - width / 2
    down = torch.arange(-(-height // TILE) * TILE) + 0.5 - height / 2
    places = torch.stack(torch.meshgrid(across, down, indexing="xy"), -1)
    tiles = places.view(len(down) // TILE, TILE, len(across) // TILE, TILE, 2).transpose(1, 2)
    return tiles.reshape(-1, TILE**2, 2).to(device)


def _joined(tiles: Tensor, size: Size) -> Tensor:
    """The picture (1, 3, h, w) of tiles (t, TILE * TILE, 3)."""
    width, height = size
    rows = tiles.view(-(-height // TILE), -(-width // TILE), TILE, TILE, 3)
    picture = rows.permute(4, 0, 2, 1, 3).flatten(3, 4).flatten(1, 2)
    return picture[None, :, :height, :width]
