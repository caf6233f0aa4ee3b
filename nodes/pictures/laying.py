"""Strokes laid after a picture: along its edges and in its colours, in layers, each where the last ones left it wrong.

After Hertzmann 1998, "Painterly rendering with curved brush strokes of multiple sizes", with edges as in the structure
tensor of Bigün and Granlund 1987.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import mean

import torch
import torch.nn.functional as F
from torch import Tensor

from t2iflow.nodes.core.ambient import Random
from t2iflow.nodes.pictures.resampling import reach

SHARES = (1, 2, 4, 8)
"""How many strokes each layer has, in proportion."""
SHORTEST, LENGTH = 0.022, 1.6
"""How far each control point lies from the next: so far, and so many widths more."""
ACROSS, THIN, BLUR = 4, 0.03, 5
"""Edges are found in a picture in which strokes are this many pixels wide, none being taken for thinner than this, and
are averaged over this many pixels."""
TINY = 1e-6
"""Keeps logarithms finite."""


@torch.no_grad()
def lay(
    picture: Tensor,  # (1, 3, h, w)
    points: Tensor,  # (n, 3 * pieces + 1, 2)
    widths: Sequence[float],
    colours: Tensor,  # (n, 3)
    *,
    ink: bool,
    random: Random,
    painted: Callable[[int], Tensor],
) -> None:
    """Change the points of strokes, and their colours unless they are of one `ink`, so that they show a picture.

    `painted` is the picture of the first so many strokes.
    """
    edges = points.new_tensor(reach((picture.shape[-1], picture.shape[-2])))
    for start, end in _layers(len(points)):
        now, colour = painted(start), colours[:1, :, None, None] if ink else picture
        gain = ((picture - now) * (colour - now)).mean(1, keepdim=True).clamp(min=0)
        width = mean(widths[start:end])
        places = _places(gain**2 if ink else gain, end - start, width, random) * edges
        directions = _directions(picture, width)
        steps = points.new_tensor(widths[start:end]) * LENGTH + SHORTEST
        points[start:end] = _traced(directions, places, steps, points.shape[1], edges)
        if not ink:
            colours[start:end] = _read(picture, points[start:end], edges).mean(1)


def _layers(count: int) -> list[tuple[int, int]]:
    """The first stroke of each layer, and the one after its last."""
    ends = [count * sum(SHARES[:number]) // sum(SHARES) for number in range(len(SHARES) + 1)]
    return [(start, end) for start, end in pairwise(ends) if start < end]


def _places(gain: Tensor, count: int, width: float, random: Random) -> Tensor:
    """Where there is most to gain, (count, 2) in -1..1: of squares of `width`, a draw that favours those with most."""
    high, wide = gain.shape[-2:]
    side = min(width * min(high, wide), (high * wide / (2 * count)) ** 0.5)
    seen = gain.cpu() if gain.is_mps else gain  # an Apple GPU pools by whole factors alone
    gains, best = F.adaptive_max_pool2d(seen, (math.ceil(high / side), math.ceil(wide / side)), return_indices=True)
    luck = -(TINY - random.uniform(gains.numel(), low=TINY).log()).log()  # Gumbel's: the largest are a random draw
    squares = ((gains.flatten() + TINY).log() + luck.to(gains)).topk(count).indices
    pixels = best.flatten()[squares]
    places = (torch.stack([pixels % wide, pixels // wide], 1) + 0.5) / pixels.new_tensor([wide, high]) * 2 - 1
    return places.to(gain.device)


def _directions(picture: Tensor, width: float) -> Tensor:
    """Across which way edges run, (1, 2, h, w): the cosine and sine of twice the angle, times their strength."""
    small = min(1.0, ACROSS / (max(width, THIN) * min(picture.shape[-2:])))
    grey = F.interpolate(picture, scale_factor=small, mode="bilinear", antialias=True).mean(1)
    down, across = (
        torch.gradient(grey, dim=side)[0] if grey.shape[side] > 1 else torch.zeros_like(grey) for side in (1, 2)
    )
    twice = torch.stack([across**2 - down**2, 2 * across * down], 1)
    return F.avg_pool2d(twice, BLUR, 1, BLUR // 2, count_include_pad=False)


def _traced(directions: Tensor, places: Tensor, step: Tensor, count: int, edges: Tensor) -> Tensor:
    """Lines of `count` points along edges, with a place (n, 2) in the middle of each, (n, count, 2)."""
    ahead = (count - 1) - (count - 1) // 2
    way = _along(directions, places, edges)
    return torch.cat(
        [
            _half(directions, places, -way * step[:, None], count - 1 - ahead, edges).flip(1),
            places[:, None],
            _half(directions, places, way * step[:, None], ahead, edges),
        ],
        1,
    )


def _half(directions: Tensor, places: Tensor, way: Tensor, count: int, edges: Tensor) -> Tensor:
    """`count` points from each place on, the first of them one `way` (n, 2) off."""
    points, step = [places], way.norm(dim=1, keepdim=True)
    for _ in range(count):
        points.append(points[-1] + way)
        along = _along(directions, points[-1], edges)
        way = along * step * torch.where((along * way).sum(1, keepdim=True) < 0, -1, 1)
    return torch.stack(points[1:], 1)


def _along(directions: Tensor, places: Tensor, edges: Tensor) -> Tensor:
    """The way along the edge at each place (n, 2), of length 1."""
    cosine, sine = _read(directions, places[:, None], edges)[:, 0].unbind(1)
    angle = torch.atan2(sine, cosine) / 2
    return torch.stack([-angle.sin(), angle.cos()], 1)


def _read(picture: Tensor, places: Tensor, edges: Tensor) -> Tensor:
    """The picture (1, c, h, w) at places (n, m, 2), as (n, m, c)."""
    read = F.grid_sample(picture, (places / edges)[None], padding_mode="border", align_corners=False)
    return read[0].permute(1, 2, 0)
