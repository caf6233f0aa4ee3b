"""A picture drawn with strokes, each a curve with a width and a colour: the canvas of CLIPDraw and of line sketches.

Frans, Soros and Witkowski 2021, "CLIPDraw", and pixray's drawers `clipdraw` and `line_sketch` (2022), without diffvg.
`output.vector` writes such a drawing as SVG.
"""

from typing import Annotated, NamedTuple

import torch
from annotated_types import Interval
from torch import Tensor

from t2iflow.nodes.canvas import fit, fitted
from t2iflow.nodes.core.ambient import Random
from t2iflow.nodes.core.constants import table
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.types import Colour, Count, Factor, Image, Positive, Size, rgb
from t2iflow.nodes.pictures.border import Border
from t2iflow.nodes.pictures.motion import Motion
from t2iflow.nodes.pictures.resampling import reach
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

    `count` strokes of `pieces` cubic Bezier curves each, which begin short and in random places, in random colours;
    later ones cover earlier ones. `width` is their width at the start, and `widest` the most that it may become, as
    fractions of the picture's shorter side. `paper` is the colour of the background; `ink`, if it is set, that of all
    strokes, which are then opaque and as wide as at the start, as in a line sketch.

    `softness`: how many pixels wide the edges of strokes are. Wider ones, such as `{0: 4, 50%: 1}`, let strokes feel
    what lies farther from them.

    `init`: a picture to start from; `start_steps` and `start_rate`: the steps and rate of Adam with which the strokes
    are fitted to it, and to frames of a film that no motion in the plane leads to.

    Gives the picture and its `strokes`, for `output.vector`. A rate of 0.01 is CLIPDraw's: a pixel of 224 for points, a
    tenth of one for widths, 0.01 for colours.
    """

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
        widest: Annotated[float, Interval(ge=THINNEST, le=0.5)] = 0.1,
        ink: Colour | None = None,
        paper: Colour = "#ffffff",
        start_steps: Count = 100,
        start_rate: Factor = 0.02,
    ) -> None:
        self._size, self._paper, self._widest = size, paper, max(width, widest)
        self._start_steps, self._start_rate = start_steps, start_rate
        self._backdrop = table((tuple(rgb(paper)),), device)[0]
        edges = torch.tensor(reach(size), device=device)
        starts = (random.uniform(count, 1, 2, low=-1) * edges).to(device)
        ways = random.uniform(count, 3 * pieces, 2, low=-STEP, high=STEP).to(device)
        self._points = torch.cat([starts, starts + ways.cumsum(1)], 1).requires_grad_()
        self._widths = torch.full((count,), FINE * width, device=device).requires_grad_(ink is None)
        colours = random.uniform(count, 4).to(device)
        if ink is not None:
            colours = torch.tensor([*rgb(ink), 1.0], device=device).repeat(count, 1)
        self._colours = colours.requires_grad_(ink is None)
        if init is not None:
            self.repaint(init)

    def __call__(self, *, softness: Positive = 1.0) -> Drawn:
        """The picture, and its strokes."""
        strokes = Strokes(self._points * 1, self._widths / FINE, self._colours.clamp(0, 1), self._paper, self._size)
        return Drawn(Image(painted(strokes, self._backdrop, softness)), strokes)

    def trainable(self) -> list[Tensor]:
        """The control points, (n, 3 * pieces + 1, 2), and without an `ink` widths (n,) and colours (n, 4)."""
        return [one for one in (self._points, self._widths, self._colours) if one.requires_grad]

    @torch.no_grad()
    def settle(self) -> None:
        """Clamp widths and colours."""
        self._widths.clamp_(FINE * THINNEST, FINE * self._widest)
        self._colours.clamp_(0, 1)

    def repaint(self, image: Image) -> None:
        """Fit the strokes to the picture for `start_steps` steps."""
        target = fitted(image.detach(), self._size).clamp(0, 1)
        fit(self.trainable(), lambda: self().image, target, self._start_steps, self._start_rate)
        self.settle()

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
