"""How a picture is sampled between its pixels, once per frame, for hundreds of frames."""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from t2iflow.nodes.core.types import Size
from t2iflow.nodes.pictures.border import CONTINUED, Border, painted

Reach = tuple[float, float]
"""The place of the right and of the lower edge: width and height as parts of the shorter side."""

SHARP = 1.1
"""How many pixels of the last picture may go into one of the next before it is low-passed."""
MARGIN = 12
"""Pixels of one colour, after which the splines through them are of that colour, too."""
STRIP = 2**14
"""How many places are read at once: their taps stay in the processor's cache."""


def reach(size: Size) -> Reach:
    """Where a picture's right and lower edges are; the middle is (0, 0), the shorter side's edges are at -1 and 1."""
    return size[0] / min(size), size[1] / min(size)


def grid(size: Size, device: torch.device | str = "cpu") -> Tensor:
    """The places of all pixels' middles, (h, w, 2): to the right and down; float64, on the device if it can be."""
    where = exact(torch.device(device))
    spread = [(torch.arange(side, dtype=torch.float64, device=where) * 2 + 1 - side) / min(size) for side in size]
    across, down = torch.meshgrid(spread[0], spread[1], indexing="xy")
    return torch.stack([across, down], -1)


def exact(device: torch.device) -> torch.device:
    """Where places are computed: on the CPU for a device that has no float64, or that has no numbers at all."""
    return torch.device("cpu") if device.type in ("mps", "meta") else device


@torch.no_grad()
def sample(image: Tensor, places: Tensor, border: Border) -> Tensor:
    """The picture (n, c, h, w), of any number of channels, at places (h2, w2, 2), as (n, c, h2, w2).

    Splines of the fifth degree through all pixels (Unser 1999): read bilinearly again and again, a picture blurs and
    by Lanczos' kernel it rings, both within a few frames. Where the places lie wider apart than pixels do, Lanczos'
    kernel of 3 lobes, as much wider, and from twice on of halved pictures, so that nothing aliases. What overshoots is
    cut to the picture's own range.
    """
    places = places.to(exact(image.device), torch.float64)
    size = image.shape[-1], image.shape[-2]
    spread, edged = _spread(places, size), places / places.new_tensor(reach(size))  # edges at -1 and 1 on both sides
    pixels, columns, lines = image.float(), edged[0, :, 0], edged[:, 0, 1]
    if bool((edged[..., 0] == columns).all()) and bool((edged[..., 1] == lines[:, None]).all()):
        wide = spread.amax((0, 1))
        read = _Source(pixels, border, bool(wide.max() <= SHARP)).woven(columns, lines, wide)
    else:
        read = _scattered(pixels, edged.flatten(0, 1), spread.flatten(0, 1), border)
    read = read.clamp(pixels.min(), pixels.max()) if border in CONTINUED else read
    return read.T.reshape(*image.shape[:2], *places.shape[:2]).to(image.dtype)


def _spread(places: Tensor, size: Size) -> Tensor:
    """How many pixels across and down lie between the places of neighbours, at least 1, (h2, w2, 2)."""
    apart = torch.zeros_like(places)
    for dim in (0, 1):
        if places.shape[dim] > 1:
            ways = places.diff(dim=dim)
            apart += torch.cat([ways, ways.narrow(dim, -1, 1)], dim).square()
    return (apart.sqrt() * (min(size) / 2)).clamp(min=1)


def _scattered(pixels: Tensor, places: Tensor, spread: Tensor, border: Border) -> Tensor:
    """The values (p, n * c) at places (p, 2) anywhere; edges are at -1 and 1."""
    widest = spread.amax(-1)
    halvings = widest.log2().add(1e-6).floor().where(widest > SHARP, -1)
    read = pixels.new_empty(len(places), pixels.shape[0] * pixels.shape[1])
    for level in range(-1, int(halvings.max()) + 1):
        if level > 0:
            halves = [math.ceil(side / 2) for side in pixels.shape[-2:]]
            pixels = F.interpolate(pixels, halves, mode="bilinear", antialias=True)
        here = (halvings == level).nonzero()[:, 0]
        if len(here):
            source = _Source(pixels, border, level < 0)
            for some in here.split(STRIP):
                read[some.to(read.device)] = source.at(places[some], (spread[some] / 2 ** max(level, 0)).clamp(min=1))
    return read


class _Source:
    """Pixels, ready to be read: sharply by splines, or by a kernel that is as wide as wanted."""

    def __init__(self, pixels: Tensor, border: Border, sharp: bool) -> None:
        self._height, self._width = pixels.shape[-2:]
        self._border, self._sharp, self._margin = border, sharp, 0
        if border not in ("reflect", "wrap"):
            self._margin, around = MARGIN, (MARGIN,) * 4
            if border == "edge":
                pixels = F.pad(pixels, around, mode="replicate")
            elif pixels.shape[1] == 3:
                colour = painted(border, pixels.device, pixels.dtype)
                pixels = F.pad(pixels - colour, around) + colour
            else:  # what has other channels than red, green and blue has no colours
                pixels = F.pad(pixels, around)
        if sharp:
            down, across = (_through(side, border, self._margin, pixels.device) for side in pixels.shape[-2:])
            pixels = down @ pixels @ across.T
        self._table = pixels.permute(2, 3, 0, 1).flatten(2)  # (h, w, n * c): what belongs to one pixel lies together

    def woven(self, columns: Tensor, lines: Tensor, spread: Tensor) -> Tensor:
        """The values (h2 * w2, n * c) where columns (w2) meet lines (h2); `spread` across and down as in `at`."""
        mixed = self._table
        for places, wide, side in ((lines, spread[1], self._height), (columns, spread[0], self._width)):
            taps, weights = self._taps(places, wide.expand_as(places), side)
            taps, weights = taps.to(mixed.device), weights.to(mixed.device)
            rows = F.embedding_bag(taps, mixed.flatten(1), mode="sum", per_sample_weights=weights)
            mixed = rows.view(len(places), *mixed.shape[1:]).transpose(0, 1).contiguous()
        return mixed.flatten(0, 1)

    def at(self, places: Tensor, spread: Tensor) -> Tensor:
        """The values (p, n * c) at places (p, 2), with kernels so many times, from 1 to 2, as wide as a pixel's."""
        columns, across = self._taps(places[:, 0], spread[:, 0], self._width)
        lines, down = self._taps(places[:, 1], spread[:, 1], self._height)
        taps = (lines[:, :, None] * self._table.shape[1] + columns[:, None, :]).flatten(1)
        weights = (down[:, :, None] * across[:, None, :]).flatten(1)
        table = self._table.flatten(0, 1)
        return F.embedding_bag(taps.to(table.device), table, mode="sum", per_sample_weights=weights.to(table.device))

    def _taps(self, places: Tensor, spread: Tensor, side: int) -> tuple[Tensor, Tensor]:
        """Along one side: which pixels are read for each place, and how much of each, (p, taps) twice."""
        middles = ((places + 1) * side - 1) / 2
        before = middles.floor()
        half = 3 if self._sharp else math.ceil(3 * float(spread.max()))
        taps = torch.arange(1 - half, half + 1, device=places.device)
        away = (taps - (middles - before)[:, None]).float()
        weights = _spline(away) if self._sharp else lanczos(away / spread.float()[:, None])
        return _met(before.long()[:, None] + taps, side, self._border, self._margin), weights


def _spline(away: Tensor) -> Tensor:
    """The B-spline of the fifth degree, 6 pixels wide."""
    far = away.abs()
    outer, middle, inner = ((edge - far).clamp(min=0) ** 5 for edge in (3, 2, 1))
    return (outer - 6 * middle + 15 * inner) / 120


def lanczos(away: Tensor) -> Tensor:
    """Lanczos' kernel of 3 lobes, adding up to 1 over the last axis."""
    weights = torch.where(away.abs() < 3, torch.sinc(away) * torch.sinc(away / 3), 0.0)
    return weights / weights.sum(-1, keepdim=True)


@lru_cache(maxsize=16)
def _through(side: int, border: Border, margin: int, device: torch.device) -> Tensor:
    """From pixels to weights of the B-splines whose sum goes through them, (side, side)."""
    steps = torch.arange(-2, 3)
    taps = _met(torch.arange(side)[:, None] + steps - margin, side - 2 * margin, border, margin)
    sums = torch.zeros(side, side, dtype=torch.float64)
    sums.scatter_add_(1, taps, _spline(steps.double()).expand(side, -1))
    through: Tensor = torch.linalg.inv(sums)
    return through.float().to(device)


def _met(taps: Tensor, side: int, border: Border, margin: int) -> Tensor:
    """The pixels that are read for those beyond the edges; a `margin` of some lies before and after."""
    if border == "wrap":
        return taps % side
    if border == "reflect":
        taps = taps % (2 * side)
        return torch.minimum(taps, 2 * side - 1 - taps)
    return (taps + margin).clamp(0, side - 1 + 2 * margin)
