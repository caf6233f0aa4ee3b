"""Canvases that are pictures themselves: trained pixels, a trained spectrum, and pixel art.

Each paints one picture, starts from `init` where one is wired, and takes on another by `repaint`.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from annotated_types import Interval, Len
from torch import Tensor

from t2iflow.nodes.core.ambient import Random
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.types import Colour, Count, Image, NonNegative, Positive, Size, rgb
from t2iflow.nodes.pictures.border import Border
from t2iflow.nodes.pictures.motion import Motion
from t2iflow.nodes.pictures.resampling import reach
from t2iflow.nodes.pictures.resizing import fitted

CORRELATION = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
"""From colours that vary on their own to red, green and blue, which vary together (Lucid; measured on ImageNet)."""

Colours = Annotated[list[Colour], Len(2, 256)]
"""The colours to paint in."""


@node
class Pixels:
    """Trained pixels, kept within 0..1.

    Starts mid-grey with a little `noise` (its deviation). Follows PyTTI's "Unlimited Palette", whose rate is 0.02.
    """

    usual_rate = 0.05

    def __init__(
        self,
        random: Random,
        init: Image | None = None,
        *,
        size: Size = (224, 224),
        noise: NonNegative = 0.1,
    ) -> None:
        width, height = size
        self._size = size
        self._pixels = (0.5 + noise * random.normal(1, 3, height, width)).clamp(0, 1).requires_grad_()
        if init is not None:
            self.repaint(init)

    def __call__(self) -> Image:
        """The pixels."""
        return Image(self._pixels * 1)  # a tensor of its own: a leaf can't be told from what it paints

    def trainable(self) -> list[Tensor]:
        """The pixels."""
        return [self._pixels]

    @torch.no_grad()
    def settle(self) -> None:
        """Clamp."""
        self._pixels.clamp_(0, 1)

    @torch.no_grad()
    def repaint(self, image: Image) -> None:
        """Take on the picture."""
        self._pixels.copy_(fitted(image, self._size).clamp(0, 1))


@node
class Fourier:
    """A trained spectrum: every number moves the whole picture, so it shows none of the grain of trained pixels.

    As in photographs, the spectrum is scaled by 1 / frequency^`decay` (higher is smoother) and its colours are
    correlated; a sigmoid brings them into 0..1. `noise` is the deviation of the start.

    Lucid's parameterisation (Olah et al. 2017), as in Aphantasia (eps696, 2021); their rate is 0.05.
    """

    usual_rate = 0.05

    def __init__(
        self,
        random: Random,
        device: torch.device,
        init: Image | None = None,
        *,
        size: Size = (224, 224),
        decay: Annotated[float, Interval(ge=0, le=4)] = 1.5,
        noise: Positive = 0.01,
    ) -> None:
        width, height = size
        self._size = size
        down, across = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)
        lowest = 1 / max(size)
        amplitudes = ((down**2 + across**2).sqrt().clamp(min=lowest) / lowest).pow(-decay)
        self._scale = (amplitudes * math.sqrt(width * height)).to(device)
        mixing = torch.tensor(CORRELATION, device=device)
        self._mixing = mixing / mixing.norm(dim=0).max()
        self._spectrum = (noise * random.normal(1, 3, *self._scale.shape, 2)).requires_grad_()
        if init is not None:
            self.repaint(init)

    def __call__(self) -> Image:
        """The picture of the spectrum."""
        width, height = self._size
        spectrum = torch.view_as_complex(self._spectrum) * self._scale
        planes = torch.fft.irfft2(spectrum, (height, width), norm="ortho")
        return Image(torch.sigmoid(torch.einsum("rc,bchw->brhw", self._mixing, planes)))

    def trainable(self) -> list[Tensor]:
        """The spectrum, (1, 3, h, w / 2 + 1, 2)."""
        return [self._spectrum]

    @torch.no_grad()
    def repaint(self, image: Image) -> None:
        """Take on the picture, exactly except for values outside 0.01..0.99."""
        planes = torch.logit(fitted(image, self._size), eps=0.01)
        planes = torch.einsum("cr,brhw->bchw", torch.linalg.inv(self._mixing), planes)
        self._spectrum.copy_(torch.view_as_real(torch.fft.rfft2(planes, norm="ortho") / self._scale))

    @torch.no_grad()
    def move(self, motion: Motion, border: Border) -> bool:
        """Take on a pan that wraps, exactly, by rotating phases."""
        affine = motion.affine(reach(self._size))
        if affine is None or border != "wrap" or not torch.equal(affine[:, :2], torch.eye(2, dtype=affine.dtype)):
            return False
        width, height = self._size
        right, down = (affine[:, 2] * min(self._size) / 2).tolist()  # in pixels
        cycles = torch.fft.fftfreq(height)[:, None] * down + torch.fft.rfftfreq(width) * right
        turned = torch.view_as_complex(self._spectrum) * torch.exp(2j * math.pi * cycles).to(self._spectrum.device)
        self._spectrum.copy_(torch.view_as_real(turned))
        return True


@node
class Pyramid:
    """The sum of trained pictures of many sizes, from one pixel to the whole: coarse and fine are found together.

    Each level is `step` times as large as the one before and is enlarged to the picture, so that strokes of every size
    are equally easy to reach; a tanh brings the sum into 0..1. `decay`: a level counts as 1 / its size^`decay`, so that
    fine levels, which are grain, grow more slowly. `noise` is the deviation of the start.

    After "Direct Ascent Synthesis" (Fort and Whitaker 2025), which adds noise and jitter to what CLIP sees:
    `augment.noise`, and crops with `overscan`.
    """

    usual_rate = 0.1

    def __init__(
        self,
        random: Random,
        init: Image | None = None,
        *,
        size: Size = (224, 224),
        step: Annotated[float, Interval(ge=1.2, le=4)] = 2.0,
        decay: Annotated[float, Interval(ge=0, le=2)] = 0.5,
        noise: NonNegative = 0.02,
    ) -> None:
        self._size = size
        sizes = _growing(size, step)
        self._shares = [max(level) ** -decay for level in sizes]
        self._levels = [(noise * random.normal(1, 3, high, wide)).requires_grad_() for wide, high in sizes]
        if init is not None:
            self.repaint(init)

    def __call__(self) -> Image:
        """The picture."""
        layers = [share * _enlarged(level, self._size) for share, level in zip(self._shares, self._levels, strict=True)]
        return Image((torch.tanh(torch.stack(layers).sum(0)) + 1) / 2)

    def trainable(self) -> list[Tensor]:
        """The levels, (1, 3, h, w) each, the smallest first."""
        return self._levels

    @torch.no_grad()
    def repaint(self, image: Image) -> None:
        """Take on the picture, exactly except for values outside 0.005..0.995: each level what smaller ones lack."""
        rest = torch.atanh(fitted(image, self._size).clamp(0.005, 0.995) * 2 - 1)
        for share, level in zip(self._shares, self._levels, strict=True):
            level.copy_(fitted(rest, (level.shape[-1], level.shape[-2])) / share)
            rest = rest - share * _enlarged(level, self._size)


def _growing(size: Size, step: float) -> list[Size]:
    """Sizes from about a pixel to the whole."""
    sizes, longest = [size], float(max(size))
    while longest >= 2:
        longest /= step
        wide, high = (max(1, round(side * longest / max(size))) for side in size)
        sizes.append((wide, high))
    return list(dict.fromkeys(reversed(sizes)))


def _enlarged(level: Tensor, size: Size) -> Tensor:
    """A level in the size of the whole."""
    if level.shape[-1] == size[0] and level.shape[-2] == size[1]:
        return level
    return F.interpolate(level, (size[1], size[0]), mode="bilinear", align_corners=False)


def _check_cells(settings: Mapping[str, Any]) -> None:
    """Refuse a size that is not made of whole squares."""
    (width, height), cell = settings["size"], settings["cell"]
    if width % cell or height % cell:
        near = f"{max(cell, round(width / cell) * cell)} x {max(cell, round(height / cell) * cell)}"
        raise ValueError(f"squares of {cell} pixels don't fill {width} x {height}; take {near}")


@node(check=_check_cells)
class Palette:
    """Pixel art: squares of `cell` pixels in a few colours.

    `colours` is how many to learn, or a fixed list such as ["#1d2b53", gold]. Every square is painted in the
    colour nearest to its own, while the gradient flows as if it were a mixture of those within `softness` (a distance
    in RGB). The size must be a multiple of the cell. With `init`, learnt colours start from those of the picture.

    After PyTTI's "Limited Palette" (2021), with trained colours in place of its value map; its rate is 0.02.
    """

    usual_rate = 0.02

    def __init__(
        self,
        random: Random,
        device: torch.device,
        init: Image | None = None,
        *,
        size: Size = (256, 256),
        cell: Count = 4,
        colours: Annotated[int, Interval(ge=2, le=256)] | Colours = 16,
        softness: Positive = 0.2,
    ) -> None:
        width, height = size
        _check_cells({"size": size, "cell": cell})
        self._cell = cell
        self._size = width // cell, height // cell
        self._softness = softness
        self._squares = random.uniform(1, 3, height // cell, width // cell).requires_grad_()
        self._learnt = isinstance(colours, int)
        start = random.uniform(colours, 3) if isinstance(colours, int) else torch.tensor([rgb(one) for one in colours])
        self._colours = start.to(device).requires_grad_(self._learnt)
        if init is not None:
            self.repaint(init)
            if self._learnt:
                self._gather(random)

    def __call__(self) -> Image:
        """The squares, each in the nearest colour."""
        far = (self._squares[:, None] - self._colours[:, :, None, None]).square().sum(2)  # (1, k, h, w)
        mixed = torch.einsum("bkhw,kc->bchw", torch.softmax(-far / self._softness**2, 1), self._colours)
        nearest = self._colours.detach()[far.argmin(1)].permute(0, 3, 1, 2)
        painted = nearest + (mixed - mixed.detach())  # in this order exactly the nearest
        return Image(painted.repeat_interleave(self._cell, 2).repeat_interleave(self._cell, 3))

    def trainable(self) -> list[Tensor]:
        """The squares, and the colours where they are learnt."""
        return [self._squares, self._colours] if self._learnt else [self._squares]

    @torch.no_grad()
    def settle(self) -> None:
        """Clamp."""
        self._squares.clamp_(0, 1)
        if self._learnt:
            self._colours.clamp_(0, 1)

    @torch.no_grad()
    def repaint(self, image: Image) -> None:
        """Take on the picture, in the present colours."""
        self._squares.copy_(fitted(image, self._size).clamp(0, 1))

    @torch.no_grad()
    def _gather(self, random: Random) -> None:
        """Move the colours to where the squares' are (Lloyd's k-means, from random squares)."""
        points = self._squares[0].flatten(1).T
        centres = points[random.integers(len(self._colours), below=len(points))]
        for _ in range(10):
            nearest = torch.cdist(points, centres).argmin(1)
            sums = torch.zeros_like(centres).index_add_(0, nearest, points)
            counts = torch.zeros_like(centres[:, :1]).index_add_(0, nearest, torch.ones_like(points[:, :1]))
            centres = torch.where(counts > 0, sums / counts.clamp(min=1), centres)
        self._colours.copy_(centres)
