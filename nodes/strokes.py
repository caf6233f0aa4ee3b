"""A picture drawn with strokes, each a curve with a width and a colour: the canvas of CLIPDraw and of line sketches.

Frans, Soros and Witkowski 2021, "CLIPDraw", and pixray's drawers `clipdraw` and `line_sketch` (2022), without diffvg.
`output.vector` writes such a drawing as SVG.
"""

from typing import Annotated, Any, NamedTuple

import torch
from annotated_types import Interval
from torch import Tensor

from t2iflow.nodes.core.ambient import Random
from t2iflow.nodes.core.constants import table
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.types import Colour, Count, Factor, Fraction, Image, Positive, Size, rgb
from t2iflow.nodes.optimizing.target import fit
from t2iflow.nodes.pictures.border import Border
from t2iflow.nodes.pictures.laying import lay
from t2iflow.nodes.pictures.motion import Motion
from t2iflow.nodes.pictures.resampling import reach
from t2iflow.nodes.pictures.resizing import fitted
from t2iflow.nodes.pictures.strokes import Strokes, painted

THINNEST = 0.002
"""The least width, as a fraction of the shorter side: half a pixel of 224."""
FINE = 20.0
"""Widths are trained as so many times what they are: with a rate that moves a point by a pixel, a tenth of one."""
STEP = 0.1
"""How far a control point lies from the one before it at the start, at most, across and down."""


class Drawn(NamedTuple):
    """The picture, and the strokes that it is drawn with."""

    image: Image
    strokes: Strokes


@node
class Canvas:
    """A picture drawn with strokes; their places, widths, colours and opacities are trained.

    `count` strokes of `pieces` cubic Bezier curves each, which start short, in random places and colours; later ones
    cover earlier ones. `width` is their width at the start, and `widest` the most that it can grow to, as fractions of
    the picture's shorter side; with `finest`, strokes start finer and finer from the first to the last, down to that
    width. `paper` is the colour of the background. `ink`, if set, is the colour of all strokes, which then keep their
    width and, without `opacity`, are opaque, as in a line sketch. `opacity`, if set, is that of all strokes, such as 1
    for oil, 0.6 for a pencil and 0.4 for watercolour.

    `softness`: how many pixels wide the edges of strokes are. With wider edges, such as `{0: 4, 50%: 1}`, strokes sense
    what lies farther from them.

    `init`: a picture to start from. Strokes are laid along its edges and in its colours, in four layers, each where
    those before it are still wrong; `start_steps` and `start_rate` are the steps and rate of Adam with which they are
    then fitted to it, and to frames of a film that no motion in the plane can reach.

    Gives the picture and its `strokes`, for `output.vector`. A rate of 0.01 moves points by a pixel of 224 and colours
    by 0.01, as CLIPDraw does, and widths by a tenth of a pixel. Its widths are radii, as diffvg's are: they change by a
    tenth too, so twice as fast, and its `max_width` of 50 is a `widest` of 0.45.
    """

    usual_rate = 0.01

    def __init__(
        self,
        random: Random,
        device: torch.device,
        init: Image | None = None,
        *,
        size: Size = (224, 224),
        count: Annotated[int, Interval(ge=1, le=2048)] = 256,
        pieces: Annotated[int, Interval(ge=1, le=8)] = 2,
        width: Annotated[float, Interval(ge=THINNEST, le=0.5)] = 0.01,
        finest: Annotated[float, Interval(ge=THINNEST, le=0.5)] | None = None,
        widest: Annotated[float, Interval(ge=THINNEST, le=0.5)] = 0.1,
        opacity: Fraction | None = None,
        ink: Colour | None = None,
        paper: Colour = "#ffffff",
        start_steps: Count = 100,
        start_rate: Factor = 0.02,
    ) -> None:
        self._size, self._paper, self._widest = size, paper, max(width, finest or width, widest)
        self._start_steps, self._start_rate = start_steps, start_rate
        self._backdrop = table((tuple(rgb(paper)),), device)[0]
        edges = torch.tensor(reach(size), device=device)
        starts = random.uniform(count, 1, 2, low=-1) * edges
        ways = random.uniform(count, 3 * pieces, 2, low=-STEP, high=STEP)
        self._points = torch.cat([starts, starts + ways.cumsum(1)], 1).requires_grad_()
        widths = [width * ((finest or width) / width) ** (number / count) for number in range(1, count + 1)]
        self._widths = torch.tensor(widths, device=device).mul_(FINE).requires_grad_(ink is None)
        self._colours, self._opacities = random.uniform(count, 4).split((3, 1), 1)
        if ink is not None:
            self._colours = torch.tensor(rgb(ink), device=device).repeat(count, 1)
            opacity = 1.0 if opacity is None else opacity
        if opacity is not None:
            self._opacities = torch.full((count, 1), opacity, device=device)
        self._colours = self._colours.contiguous().requires_grad_(ink is None)
        self._opacities = self._opacities.contiguous().requires_grad_(opacity is None)
        if init is not None:
            self._lay(fitted(init.detach(), size).clamp(0, 1), widths, random)
            self.repaint(init)

    def __call__(self, *, softness: Positive = 1.0) -> Drawn:
        """The picture, and its strokes."""
        strokes = self._strokes()
        return Drawn(Image(painted(strokes, self._backdrop, softness)), strokes)

    def _strokes(self, first: int | None = None) -> Strokes:
        """All strokes, or the first so many."""
        colours = torch.cat([self._colours, self._opacities], 1).clamp(0, 1)
        widths = self._widths[:first] / FINE
        return Strokes(self._points[:first] * 1, widths, colours[:first], self._paper, self._size)

    def trainable(self) -> list[Tensor]:
        """The control points, (n, 3 * pieces + 1, 2); without an `ink` widths (n,) and colours (n, 3), and without an
        `opacity` either, opacities (n, 1)."""
        return [one for one in self._tensors() if one.requires_grad]

    def state_dict(self) -> dict[str, Any]:
        """What is not trained: a camera's moves change it, too."""
        return {"kept": [one for one in self._tensors() if not one.requires_grad]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take it back."""
        for mine, kept in zip(self.state_dict()["kept"], state["kept"], strict=True):
            mine.copy_(kept)

    @torch.no_grad()
    def settle(self) -> None:
        """Clamp widths, colours and opacities."""
        self._widths.clamp_(FINE * THINNEST, FINE * self._widest)
        self._colours.clamp_(0, 1)
        self._opacities.clamp_(0, 1)

    def repaint(self, image: Image) -> None:
        """Fit the strokes to the picture for `start_steps` steps."""
        target = fitted(image.detach(), self._size).clamp(0, 1)
        fit(self.trainable(), lambda: self().image, target, self._start_steps, self._start_rate)
        self.settle()

    def _tensors(self) -> tuple[Tensor, ...]:
        return self._points, self._widths, self._colours, self._opacities

    @torch.no_grad()
    def _lay(self, image: Tensor, widths: list[float], random: Random) -> None:
        """Begin along the edges and in the colours of a picture."""

        def so_far(count: int) -> Tensor:
            return painted(self._strokes(count), self._backdrop, 1.0)

        ink = not self._colours.requires_grad
        lay(image, self._points, widths, self._colours, ink=ink, random=random, painted=so_far)

    @torch.no_grad()
    def move(self, motion: Motion, border: Border) -> bool:
        """Take on a motion in the plane, exactly; what comes into view is paper, and strokes that lay beyond it."""
        affine = motion.affine(reach(self._size))
        if affine is None:
            return False
        affine = affine.to(self._points)
        there = torch.linalg.inv(affine[:, :2])
        self._points.copy_((self._points - affine[:, 2]) @ there.T)
        self._widths.mul_(torch.linalg.det(there).abs().sqrt())
        self.settle()
        return True
