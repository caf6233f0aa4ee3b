"""Each crop as seen from a slightly different place, so that detail only the perceptor can see doesn't fool it.

Every crop gets its own random values. None touches a pixel: each adds to what `Crops` does when it is sampled, so ten
cost as much as one. Geometry can therefore reach into the picture around a crop, where kornia, used by the notebooks,
sees only the crop's own border; colours, erasing and noise come after all geometry, whatever the order of the wires.
"""

import math

import torch
from torch import Tensor

from t2iflow.nodes.core.ambient import Random
from t2iflow.nodes.core.constants import table
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.numbers import RADIAN, logarithm
from t2iflow.nodes.core.types import Degrees, Fraction, NonNegative, Positive
from t2iflow.nodes.pictures.border import Border
from t2iflow.nodes.pictures.crops import Crops

LUMA = (0.299, 0.587, 0.114)
"""How bright red, green and blue look (Rec. 601)."""

YIQ = (LUMA, (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))
"""Red, green, blue -> brightness and two axes of colour, in whose plane hue turns (NTSC)."""

RGB = ((1.0, 0.9561707, 0.6214326), (1.0, -0.2726886, -0.6468132), (1.0, -1.1037441, 1.7006231))
"""The way back from YIQ."""

CORNERS = ((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0))
"""The corners of a crop, clockwise from the upper left."""


@node
def flip(crops: Crops, random: Random, *, probability: Fraction = 0.5) -> Crops:
    """Mirror left and right."""
    maps = _identity(crops, random)
    maps[:, 0, 0] = 1 - 2 * random.chance(len(crops), of=probability).float()
    return crops.moved(maps)


@node
def affine(
    crops: Crops,
    random: Random,
    *,
    degrees: Degrees = 30.0,
    translate: Fraction = 0.1,
    scale: tuple[Positive, Positive] = (1.0, 1.0),
    shear: Degrees = 0.0,
    aspect: Fraction = 0.0,
    probability: Fraction = 0.8,
    border: Border | None = None,
) -> Crops:
    """Rotate, shift, scale, shear and stretch about the crop's centre.

    All uniformly distributed: rotation within +-`degrees`, shift within +-`translate` of the side on both axes, scale
    within `scale` (below 1 shows more of the picture), shear within +-`shear` degrees, width over height within 1 +-
    `aspect`. `border`, where given, replaces what lies outside the picture.

    Follows kornia's RandomAffine, with the defaults of the S2 VQGAN+CLIP notebook; `aspect` is our own.
    """
    number = len(crops)
    turn = random.uniform(number, low=-degrees * RADIAN, high=degrees * RADIAN)
    slant = random.uniform(number, low=-shear * RADIAN, high=shear * RADIAN).tan()
    larger = random.uniform(number, low=scale[0], high=scale[1])
    wider = random.uniform(number, low=1 - aspect / 2, high=1 + aspect / 2)
    cos, sin = turn.cos() / larger, turn.sin() / larger
    maps = _identity(crops, random)
    maps[:, 0, 0], maps[:, 0, 1] = cos / wider, cos * slant - sin * wider
    maps[:, 1, 0], maps[:, 1, 1] = sin / wider, sin * slant + cos * wider
    maps[:, :2, 2] = random.uniform(number, 2, low=-2 * translate, high=2 * translate)
    return crops.moved(_sometimes(maps, random, probability), border)


@node
def perspective(
    crops: Crops,
    random: Random,
    *,
    strength: Fraction = 0.2,
    probability: Fraction = 0.4,
    border: Border | None = None,
) -> Crops:
    """Perspective: each corner moves in by up to `strength` of half the side on both axes.

    `border`, where given, replaces what lies outside the picture. Follows kornia's RandomPerspective, with the defaults
    of the S2 VQGAN+CLIP notebook; the map is solved in closed form (Heckbert 1989, "Fundamentals of texture mapping").
    """
    inward = random.uniform(len(crops), 4, 2, high=strength)
    maps = _square_of_quad(table(CORNERS, inward.device) * (1 - inward))
    return crops.moved(_sometimes(maps, random, probability), border)


@node
def colour(
    crops: Crops,
    random: Random,
    *,
    brightness: Fraction = 0.0,
    contrast: Fraction = 0.0,
    saturation: Fraction = 0.01,
    hue: Fraction = 0.01,
    channels: Fraction = 0.0,
    probability: Fraction = 0.7,
) -> Crops:
    """Jitter the colours.

    All uniformly distributed: an offset within +-`brightness`; factors for contrast (about mid-grey), saturation and
    each channel within 1 +- the setting; a hue rotation within +-`hue` of the full circle.

    Follows kornia's ColorJitter, with the defaults of the S2 VQGAN+CLIP notebook. All five are one affine map of the
    colours: hue rotates in YIQ instead of HSV, contrast is about mid-grey instead of black, and nothing is clamped;
    `channels` is our own.
    """
    number = len(crops)
    factor = random.uniform(number, 1, 1, low=1 - contrast, high=1 + contrast)
    tint = random.uniform(number, 3, 1, low=1 - channels, high=1 + channels)
    turn = random.uniform(number, low=-2 * math.pi * hue, high=2 * math.pi * hue)
    vivid = random.uniform(number, low=1 - saturation, high=1 + saturation)
    added = random.uniform(number, 1, 1, low=-brightness, high=brightness)
    cos, sin, zero, one = turn.cos() * vivid, turn.sin() * vivid, torch.zeros_like(turn), torch.ones_like(turn)
    hues = torch.stack([one, zero, zero, zero, cos, -sin, zero, sin, cos], 1).view(number, 3, 3)
    matrix = table(RGB, turn.device) @ hues @ table(YIQ, turn.device)
    shift = 0.5 * (1 - factor) + added
    matrix = torch.cat([factor * tint * matrix, shift.expand(number, 3, 1)], 2)
    same = torch.eye(3, 4, device=turn.device)
    return crops.coloured(torch.where(random.chance(number, 1, 1, of=probability), matrix, same))


@node
def grey(crops: Crops, random: Random, *, probability: Fraction = 0.1) -> Crops:
    """Remove the colour, keeping Rec. 601 brightness."""
    luma = table(((*LUMA, 0.0),) * 3, random.device)
    same = torch.eye(3, 4, device=random.device)
    return crops.coloured(torch.where(random.chance(len(crops), 1, 1, of=probability), luma, same))


@node
def noise(crops: Crops, random: Random, *, strength: NonNegative = 0.1) -> Crops:
    """Add Gaussian noise, its deviation drawn uniformly from 0 to `strength` for each crop.

    Follows the notebooks' noise_fac (2021).
    """
    return _grained(crops, random, strength)


@node
def erase(
    crops: Crops,
    random: Random,
    *,
    area: tuple[Fraction, Fraction] = (0.1, 0.4),
    ratio: tuple[Positive, Positive] = (0.3, 1 / 0.3),
    probability: Fraction = 0.7,
) -> Crops:
    """Paint a random box mid-grey.

    `area`: the smallest and largest part of the crop to erase; `ratio`: the smallest and largest width over height,
    uniform in the logarithm; a box is never larger than the crop. Follows Random Erasing (Zhong et al. 2017) with the
    defaults of nerdyrodent's VQGAN-CLIP, which paints black.
    """
    number = len(crops)
    surface = random.uniform(number, low=area[0], high=area[1])
    shape = random.uniform(number, low=logarithm(ratio[0]), high=logarithm(ratio[1])).exp()
    width, height = (surface * shape).sqrt().clamp(max=1), (surface / shape).sqrt().clamp(max=1)
    left, top = (2 * random.uniform(number) * (1 - side) - 1 for side in (width, height))
    box = torch.stack([left, top, left + 2 * width, top + 2 * height], 1)
    nowhere = torch.full_like(box, 2)
    return crops.without(torch.where(random.chance(number, 1, of=probability), box, nowhere)[:, None])


@node
def classic(crops: Crops, random: Random, *, noise: NonNegative = 0.1, border: Border = "edge") -> Crops:
    """The augmentations of the widely used VQGAN+CLIP notebooks: mirror, rotate, perspective, colour jitter, noise.

    Mirrors half of the crops, rotates 80 % by up to 30 degrees with shifts of up to a tenth, gives 40 % a perspective
    of up to 0.2, and jitters hue and saturation of 70 % by 1 %; then adds noise of up to `noise`. Follows the S2
    notebook (2021) except for its sharpening.
    """
    crops = flip(crops, random)
    crops = affine(crops, random, border=border)
    crops = perspective(crops, random)
    return _grained(colour(crops, random), random, noise)


@node
def gentle(crops: Crops, random: Random, *, noise: NonNegative = 0.04, border: Border | None = None) -> Crops:
    """Small changes for a few crops: what suits `lite`, the bundled perceptor.

    Mirrors half of the crops, rotates by up to 15 degrees, stretches by up to 12 %, jitters contrast, brightness and
    channels by up to 15 %, and makes 10 % grey; then adds noise of up to `noise`. `border`, where given, replaces what
    lies outside the picture. The figures are our own.
    """
    crops = flip(crops, random)
    crops = affine(crops, random, degrees=15, translate=0, aspect=0.12, probability=1, border=border)
    crops = colour(crops, random, brightness=0.15, contrast=0.15, channels=0.15, saturation=0, hue=0, probability=1)
    return _grained(grey(crops, random), random, noise)


def _grained(crops: Crops, random: Random, strength: float) -> Crops:
    deviation = random.uniform(len(crops), 1, 1, 1, high=strength)
    grain = random.noise_like(crops.image.new_empty(len(crops), 3, crops.size, crops.size))
    return crops.noisy(grain.mul_(deviation))


def _identity(crops: Crops, random: Random) -> Tensor:
    """Maps (n, 3, 3) that leave each crop where it is."""
    return torch.eye(3, device=random.device).repeat(len(crops), 1, 1)


def _sometimes(maps: Tensor, random: Random, probability: float) -> Tensor:
    """Each map applied with a probability, otherwise the identity."""
    return torch.where(random.chance(len(maps), 1, 1, of=probability), maps, torch.eye(3, device=maps.device))


def _square_of_quad(quad: Tensor) -> Tensor:
    """The maps (n, 3, 3) that take the corners `quad` (n, 4, 2), clockwise from the upper left, to those of -1..1.

    Heckbert gives the map from the unit square to the quad; its adjugate is, but for a factor, the inverse.
    """
    p0, p1, p2, p3 = quad.unbind(1)
    across, down, rest = p1 - p2, p3 - p2, p0 - p1 + p2 - p3
    g, h, area = _cross(rest, down), _cross(across, rest), _cross(across, down)  # (n,)
    # Columns of his map, times the area: what (1, 0), (0, 1) and the origin of the unit square become.
    a = _column(area * (p1 - p0).T + g * p1.T, g)
    b = _column(area * (p3 - p0).T + h * p3.T, h)
    c = _column(area * p0.T, area)
    inverse = torch.stack([torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)], 1)
    scaled = torch.stack([2 * inverse[:, 0] - inverse[:, 2], 2 * inverse[:, 1] - inverse[:, 2], inverse[:, 2]], 1)
    return scaled / scaled[:, 2:, 2:]


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def _column(top: Tensor, bottom: Tensor) -> Tensor:
    return torch.cat([top, bottom[None]]).T
