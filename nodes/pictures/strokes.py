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
OVERLAP = 1.5
"""Pixels by which a part reaches beyond its ends, where another begins: so far a neighbour of 2 x 2 pixels may lie."""
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
    """The picture (1, 3, h, w) of strokes on paper (3,); edges are `softness` pixels wide."""
    width, height = strokes.size
    unit = min(strokes.size) / 2
    lines = _weights((strokes.points.shape[1] - 1) // 3, strokes.points.device) @ (strokes.points * unit)
    places = _places(strokes.size, lines.device)
    with torch.no_grad():
        nearest = _nearest(lines, strokes.size)
    reach = strokes.widths * unit - _distances(lines, places, nearest).sqrt().T  # (pixels, n), above 0 within a stroke
    cover = torch.sigmoid(reach * (4 / softness)) * (strokes.colours[:, 3] * OPAQUE)
    seen = torch.log1p(-cover)
    above = seen.flip(1).cumsum(1).flip(1)  # of the logarithm of what later strokes leave, this one included
    shares = cover * (above - seen).exp()
    picture = shares @ strokes.colours[:, :3] + above[:, :1].exp() * paper
    picture = picture + (picture.clamp(0, 1) - picture).detach()  # what rounding adds
    return picture.T.reshape(1, 3, height, width)


def _distances(lines: Tensor, places: Tensor, nearest: Tensor) -> Tensor:
    """The squared distance of each place (p, 2) from each of n lines (n, parts + 1, 2), of which a part is `nearest`
    (n, p); (n, p)."""
    at = nearest[..., None].expand(-1, -1, 2)
    start, way = lines[:, :-1].gather(1, at), lines.diff(dim=1).gather(1, at)
    with torch.no_grad():
        squared = way.square().sum(-1) + TINY
        part = ((places - start) * way).sum(-1) / squared
        beyond = OVERLAP / squared.sqrt()
        first, last = nearest == 0, nearest == lines.shape[1] - 2
        part = torch.maximum(torch.minimum(part, 1 + beyond.where(~last, 0.0)), -beyond.where(~first, 0.0))
    return (places - start - part[..., None] * way).square().sum(-1) + TINY


def _nearest(lines: Tensor, size: Size) -> Tensor:
    """Which part of each line is nearest to each pixel, (n, h * w); found for squares of 2 x 2 pixels."""
    number, parts = len(lines), lines.shape[1] - 1
    starts, ways = lines[:, :-1].flatten(0, 1), lines.diff(dim=1).flatten(0, 1)
    lengths = (ways.square().sum(1) + TINY).sqrt()
    along = ways / lengths[:, None]
    across = torch.stack([-along[:, 1], along[:, 0]], 1)
    begins, beside = -(starts * along).sum(1), -(starts * across).sum(1)
    wide, high = -(-size[0] // 2), -(-size[1] // 2)
    found = []
    room = STRIP if lines.is_cpu else 64 * STRIP
    for some in (_places((wide, high), lines.device) * 2).split(max(1, room // len(ways))):
        passed = torch.addmm(begins, some, along.T)  # how far along each part, (p, n * parts)
        beyond = torch.maximum(-passed, passed - lengths).clamp_(min=0)
        far = torch.addmm(beside, some, across.T).square_().add_(beyond.square_())
        found.append(far.view(-1, number, parts).argmin(2))
    squares = torch.cat(found).T.view(number, high, 1, wide, 1).expand(-1, -1, 2, -1, 2)
    return squares.reshape(number, 2 * high, 2 * wide)[:, : size[1], : size[0]].reshape(number, -1)


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
def _places(size: Size, device: torch.device) -> Tensor:
    """The middle of each pixel, right and down of the picture's, in pixels, (h * w, 2)."""
    width, height = size
    across = torch.arange(width) + 0.5 - width / 2
    down = torch.arange(height) + 0.5 - height / 2
    return torch.stack(torch.meshgrid(across, down, indexing="xy"), -1).view(-1, 2).to(device)
