"""What moves between two pictures of a film, found by matching blocks."""

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from t2iflow.nodes.core.types import Size
from t2iflow.nodes.pictures.motion import Motion
from t2iflow.nodes.pictures.resampling import Reach, reach, sample

BLOCK = 7
"""The side, in pixels, of the squares that are compared."""
REACHED = 2
"""How many pixels a square is moved across and down, at most, at each size of the pictures."""
STAY = 0.004
"""What a pixel of movement costs, as a difference of colours in 0..1: where nothing is to be seen, nothing moves."""
STEADY = 0.001
"""How much more alike squares must become for anything to have moved at all."""
SMALLEST = 16
"""The shorter side, in pixels, at which matching begins."""
ASTRAY = 1.0
"""How many pixels a place may come back beside itself, from the other picture, and still be the same thing."""


@dataclass(frozen=True)
class Flow(Motion):
    """The motion of what a film shows, from the picture `before` to the one `now`, (1, 3, h, w) each.

    It is stretched to whatever it moves. What was hidden before, and so comes from nowhere, isn't `inside`.
    """

    before: Tensor
    now: Tensor

    @property
    def still(self) -> bool:
        """Whether it is twice the same picture."""
        return self.before is self.now

    def where(self, places: Tensor, reach: Reach) -> Tensor:
        """The places of the same things before."""
        return places + self._read(self._field, places, reach) * places.new_tensor(reach)

    def seen(self, size: Size, device: torch.device) -> Tensor | float:
        """Where the next picture comes from a place that leads back."""
        if self.still:
            return 1.0
        return F.interpolate(self._seen, size[::-1], mode="bilinear", antialias=True).to(device, torch.float32)

    def _read(self, field: Tensor, places: Tensor, edges: Reach) -> Tensor:
        """A field (1, 2, h, w) at places (..., 2) of a picture that ends at `edges`."""
        height, width = field.shape[-2:]
        stretched = places / places.new_tensor(edges) * places.new_tensor(reach((width, height)))
        return sample(field, stretched, "edge")[0].permute(1, 2, 0).to(places.device).to(places.dtype)

    @cached_property
    def _field(self) -> Tensor:
        """How far things have come, as parts of half the width and height, (1, 2, h, w)."""
        height, width = self.now.shape[-2:]
        return self._moved / self._moved.new_tensor([width / 2, height / 2]).view(1, 2, 1, 1)

    @cached_property
    def _seen(self) -> Tensor:
        """Where something was to be seen before, (1, 1, h, w) in 0..1: from there, it leads back to itself."""
        back = matched(self.before, self.now)
        astray = (self._moved + _read(back, self._moved)).norm(dim=1, keepdim=True)
        seen: Tensor = (2 - astray / ASTRAY).clamp(0, 1)
        return seen

    @cached_property
    def _moved(self) -> Tensor:
        return matched(self.now, self.before)


@torch.no_grad()
def matched(now: Tensor, before: Tensor) -> Tensor:
    """For each pixel of a picture, how far to the right and down it was before, (1, 2, h, w) in pixels.

    Coarse to fine: at each size, squares around each pixel are compared with those a few pixels beside where the
    coarser size found them, twice; a parabola through the differences finds parts of pixels, and a median removes what
    no neighbour agrees with. What fits as well where it is doesn't move.
    """
    sizes = [(now[:1].float(), before[:1].float())]
    while min(sizes[-1][0].shape[-2:]) >= 2 * SMALLEST:
        sizes.append((_halved(sizes[-1][0]), _halved(sizes[-1][1])))
    field = now.new_zeros(1, 2, 1, 1, dtype=torch.float32)
    for here, there in reversed(sizes):
        height, width = here.shape[-2:]
        grown = field.new_tensor([width / field.shape[-1], height / field.shape[-2]]).view(1, 2, 1, 1)
        field = F.interpolate(field, (height, width), mode="bilinear") * grown
        for _ in range(2):
            field = _median(field + _nearer(here, there, field))
    return _median(_stilled(here, there, field))


def _stilled(here: Tensor, there: Tensor, field: Tensor) -> Tensor:
    """The field, but 0 where squares are as alike without it: a background that stands still must not tremble."""
    still = torch.zeros_like(field)
    gain = _unlike(here, there, still) - _unlike(here, there, field)
    return torch.where(gain > STEADY, field, still)


def _halved(picture: Tensor) -> Tensor:
    sides = [math.ceil(side / 2) for side in picture.shape[-2:]]
    return F.interpolate(picture, sides, mode="bilinear", antialias=True)


def _nearer(here: Tensor, there: Tensor, field: Tensor) -> Tensor:
    """How much farther than a field says squares have moved, (1, 2, h, w), where they are most alike."""
    side = 2 * REACHED + 1
    steps = [(across, down) for down, across in product(range(-REACHED, REACHED + 1), repeat=2)]
    reached = [field + field.new_tensor(step).view(1, 2, 1, 1) for step in steps]
    found = [_unlike(here, there, to) + STAY * math.hypot(*step) for to, step in zip(reached, steps, strict=True)]
    costs = torch.cat(found, 1)  # (1, steps, h, w)
    best = costs.argmin(1, keepdim=True)
    across, down = best % side, best // side
    parts = [_lowest(costs, best, across, 1), _lowest(costs, best, down, side)]
    return torch.cat([across, down], 1) - REACHED + torch.cat(parts, 1)


def _unlike(here: Tensor, there: Tensor, field: Tensor) -> Tensor:
    """How unlike the square around each pixel is to the one that the field leads to, (1, 1, h, w)."""
    apart = (_read(there, field) - here).abs().mean(1, keepdim=True)
    return F.avg_pool2d(F.pad(apart, (BLOCK // 2,) * 4, mode="replicate"), BLOCK, 1)


def _lowest(costs: Tensor, best: Tensor, step: Tensor, apart: int) -> Tensor:
    """Where between the steps before and after the best one, `apart` in their order, a parabola is lowest."""
    middle = (step > 0) & (step < 2 * REACHED)
    before, least, after = (costs.gather(1, torch.where(middle, best + way * apart, best)) for way in (-1, 0, 1))
    bent = (before - 2 * least + after).clamp(min=1e-6)
    return ((before - after) / (2 * bent)).clamp(-0.5, 0.5)


def _read(picture: Tensor, field: Tensor) -> Tensor:
    """A picture (1, c, h, w) where a field in pixels, (1, 2, h, w), leads to from each place."""
    height, width = picture.shape[-2:]
    lines, columns = torch.meshgrid(
        *(torch.arange(side, device=field.device) for side in (height, width)), indexing="ij"
    )
    across, down = (columns + field[:, 0] + 0.5) * 2 / width - 1, (lines + field[:, 1] + 0.5) * 2 / height - 1
    places = torch.stack([across, down], -1)
    return F.grid_sample(picture, places, padding_mode="border", align_corners=False)


def _median(field: Tensor) -> Tensor:
    """Each number replaced by the median of the nine around it."""
    around = F.unfold(F.pad(field.transpose(0, 1), (1,) * 4, mode="replicate"), 3)
    return around.median(1).values.view_as(field)
