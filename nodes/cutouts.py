"""Which parts of a picture the perceptor sees.

All make `count` square crops of `size` pixels per step, divided evenly among the pictures of a batch, at real-valued
places where the originals rounded to whole pixels. Nothing is sampled here (see `Crops`); each crop is low-passed by as
much as it shrinks.
"""

from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Interval
from pydantic import AfterValidator
from torch import Tensor

from t2iflow.nodes.core.ambient import Progress, Random, Share
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.numbers import larger
from t2iflow.nodes.core.types import Fraction, Image, Made, Means, NonNegative, Positive, Range
from t2iflow.nodes.pictures import crops
from t2iflow.nodes.pictures.border import Border
from t2iflow.nodes.pictures.crops import Crops

CropSize = Annotated[int, Interval(ge=8, le=2048), Means("size")]
"""Side of a crop in pixels; more than the perceptor's input only costs time."""


def _check_sides(sides: tuple[float, float]) -> tuple[float, float]:
    if sides[0] <= 0 or sides[1] > 4:
        raise ValueError("a side is a fraction of the picture's shorter side: above 0, and at most 4")
    return sides


Sides = Annotated[Range, AfterValidator(_check_sides)]
"""Shortest and longest side of a crop, as fractions of the picture's shorter side."""


@node
def square(
    image: Image,
    random: Random,
    share: Share,
    *,
    count: Made = 32,
    size: CropSize = 224,
    power: Positive = 1.0,
    overscan: Fraction = 0.0,
    border: Border = "reflect",
) -> Crops:
    """Squares of random size anywhere in the picture.

    The side lies between `size` (or the picture's shorter side, where that is less) and the shorter side, at a random
    number raised to `power`, the notebooks' cut_pow: above 1 favours details, below 1 the whole. `overscan`: how far a
    crop may reach outside the picture, as a fraction of the shorter side (PyTTI's cutout_border); it sees `border`
    there.

    Follows MakeCutouts of Crowson's VQGAN+CLIP notebooks (2021), with a pyramid in place of their Lanczos resampling.
    """
    number, short = _own(count, share), min(image.shape[-2:])
    side = random.uniform(number) ** power * max(short - size, 0) + min(short, size)
    return _placed(image, random, share, count, size, side, border, reach=overscan * short)


@node
def normal(
    image: Image,
    random: Random,
    share: Share,
    *,
    count: Made = 32,
    size: CropSize = 224,
    mean: Positive = 0.8,
    std: NonNegative = 0.3,
    within: Sides = (0.5, 0.95),
    power: Positive = 1.0,
    center_bias: bool = False,
    center_focus: Positive = 2.0,
    overscan: Fraction = 0.0,
    border: Border = "reflect",
) -> Crops:
    """Squares whose side is normally distributed.

    The side, as a fraction of the picture's shorter side, is `mean` +- `std`, clipped to `within` and raised to
    `power`. With `center_bias` crops gather about the centre, closer for a higher `center_focus` (see `uniform`).
    `overscan`: how far a crop may reach outside the picture, as a fraction of the shorter side; it sees `border` there.
    It has no effect with `center_bias`.

    Follows Big Sleep (2021: within 0.5 to 0.95, 128 crops), Aleph2Image Gamma (0.5 to 0.98, 64 crops), and PyTTI (0.44
    to 1, power 2, overscan 0.25).
    """
    number, short = _own(count, share), min(image.shape[-2:])
    side = random.normal(number, mean=mean, std=std).clamp(*within) ** power * short
    focus = center_focus if center_bias else None
    return _placed(image, random, share, count, size, side, border, reach=overscan * short, focus=focus)


@node
def uniform(
    image: Image,
    random: Random,
    share: Share,
    progress: Progress,
    *,
    count: Made = 16,
    size: CropSize = 224,
    within: Sides = (0.1, 1.0),
    saturate_bound: bool = False,
    saturate_limit: Fraction = 0.75,
    center_bias: bool = False,
    center_focus: Positive = 2.0,
    border: Border = "reflect",
) -> Crops:
    """Squares whose side is uniform between two bounds.

    `within` is the lower and upper bound of the side, as a fraction of the picture's shorter side. `saturate_bound`
    raises the lower one to `saturate_limit` over the run. With `center_bias` the place is normally distributed about
    the centre, with the centre's distance from the edge / `center_focus` as its deviation; a place that leaves the
    picture is drawn again, uniformly.

    Follows Deep Daze (2021), which spreads 16 crops over 4 passes; Aleph2Image Delta's are `within: [0.8, 0.99]`, 64
    crops. Deep Daze's gauss_sampling is left out: its bounds test always fails, so it samples uniformly too.
    """
    number, short = _own(count, share), min(image.shape[-2:])
    lower, upper = within
    if saturate_bound:
        lower = lower + (larger(saturate_limit, lower) - lower) * progress
    side = random.uniform(number, low=lower, high=larger(lower, upper)) * short
    focus = center_focus if center_bias else None
    return _placed(image, random, share, count, size, side, border, focus=focus)


@node
def mixed(
    image: Image,
    random: Random,
    share: Share,
    *,
    count: Made = 8,
    size: CropSize = 224,
    overview: Sides = (0.85, 1.05),
    detail: Sides = (0.35, 1.05),
    center_bias: bool = False,
    center_focus: Positive = 2.0,
    border: Border = "reflect",
) -> Crops:
    """One crop in three shows nearly the whole, the others any part.

    `overview` and `detail` bound the side of the two sorts as fractions of the picture's shorter side; a crop larger
    than the picture sees `border` around it. A few crops are enough this way, since every step judges the whole and
    some details. With `center_bias` crops gather about the centre, closer for a higher `center_focus` (see `uniform`),
    so that the subject does, too.

    The two sorts follow Disco Diffusion's overview and inner cuts; the figures are our own.
    """
    number, short = _own(count, share), min(image.shape[-2:])
    wide = _numbers(count, share, image.device) % 3 == 0
    low, high = (torch.where(wide, *ends) for ends in zip(overview, detail, strict=True))
    side = torch.lerp(low, high, random.uniform(number)) * short
    focus = center_focus if center_bias else None
    return _placed(image, random, share, count, size, side, border, focus=focus)


@node
def whole(image: Image, share: Share, *, count: Made = 1, size: CropSize = 224, border: Border = "reflect") -> Crops:
    """The whole picture, `count` times; one that is not square is squeezed.

    `border` is what augmentations see outside.
    """
    return crops.whole(image, _own(count, share), size, _source(image, count, share), border)


@node
def pooled(image: Image, share: Share, *, count: Made = 32, size: CropSize = 224, border: Border = "reflect") -> Crops:
    """The whole picture, pooled to the crop's size as the mean of its average and its maximum, `count` times.

    The maximum preserves thin highlights. A picture that is not square is squeezed; `border` is what augmentations see
    outside. Follows the pooling notebook and nerdyrodent's VQGAN-CLIP (2021, cut_method latest).
    """
    seen = image.cpu() if image.is_mps else image  # an Apple GPU pools by whole factors alone
    small = ((F.adaptive_avg_pool2d(seen, size) + F.adaptive_max_pool2d(seen, size)) / 2).to(image.device)
    return crops.whole(small, _own(count, share), size, _source(image, count, share), border)


def _own(count: int, share: Share) -> int:
    """How many crops this pass makes; ValueError when there are more passes than crops."""
    number = share.of(count)
    if not number:
        raise ValueError(
            f"{count} crops can't be spread over {share.passes} passes: lower `accumulate` or raise `count`"
        )
    return number


def _numbers(count: int, share: Share, device: torch.device) -> Tensor:
    """Which of the step's `count` crops this pass makes, int64."""
    first = count * share.number // share.passes
    return torch.arange(first, first + share.of(count), device=device)


def _source(image: Tensor, count: int, share: Share) -> Tensor:
    """Which picture of the batch each crop of this pass is taken from."""
    return _numbers(count, share, image.device) * len(image) // count


def _placed(
    image: Tensor,
    random: Random,
    share: Share,
    count: int,
    size: int,
    side: Tensor,
    border: Border,
    *,
    reach: float = 0.0,
    focus: float | None = None,
) -> Crops:
    """Squares of given sides (n,): gathered about the centre by a `focus`, otherwise anywhere within `reach` pixels."""
    left, top = _anywhere(image, random, side, reach) if focus is None else _central(image, random, side, focus)
    views = crops.boxes(left, top, side, side, image)
    return Crops(image, views, size, border, _source(image, count, share))


def _anywhere(image: Tensor, random: Random, side: Tensor, reach: float) -> tuple[Tensor, Tensor]:
    """Left and top of squares that are uniformly spread over the picture and `reach` pixels around it."""
    height, width = image.shape[-2:]
    left, top = random.uniform(2, len(side))
    # A square larger than the room is spread over the (negative) remainder, so that it covers the room.
    return left * (width + 2 * reach - side) - reach, top * (height + 2 * reach - side) - reach


def _central(image: Tensor, random: Random, side: Tensor, focus: float) -> tuple[Tensor, Tensor]:
    """Left and top of squares that gather about the centre."""
    room = torch.stack([image.shape[-1] - side, image.shape[-2] - side])  # (2, n)
    near = (random.normal(2, len(side), std=0.5 / focus) + 0.5) * room
    again = random.uniform(2, len(side)) * room
    left, top = torch.where((near < 0) | (near > room), again, near)
    return left, top
