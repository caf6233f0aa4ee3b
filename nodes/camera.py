"""Films of an optimiser's picture, made frame by frame.

The first frame is the picture that the optimiser ends with. For every further frame the camera moves each canvas that
the optimiser trains, lets it take a few more steps, and passes the frame on. What is wired to a camera is computed once
per frame. To add one, write a function from its own settings to a motion and mark it with `camera`.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Gt, Interval, Lt

from t2iflow.nodes.core.easing import smooth
from t2iflow.nodes.core.node import between, check_position, node
from t2iflow.nodes.core.types import (
    Degrees,
    ExtraSteps,
    Fraction,
    Frames,
    FrameSteps,
    Image,
    Mask,
    Means,
    NonNegative,
    Positive,
    StepRate,
)
from t2iflow.nodes.film.shooting import Filming, Framed, Holding, Making, Move, check_perceptor
from t2iflow.nodes.film.takes import Shown, Turns
from t2iflow.nodes.perceptors.interface import Clip
from t2iflow.nodes.pictures.border import Border
from t2iflow.nodes.pictures.motion import Affine, Blended, Deep, Motion, Still

Point = Annotated[tuple[float, float], "across, down"]
Scale = Annotated[float, Interval(ge=0.01, le=100)]


def _check_loop(settings: Mapping[str, Any]) -> None:
    """Refuse a loop longer than half the film."""
    if settings["loop"] * 2 > settings["frames"]:
        raise ValueError(f"`loop` can be at most half of the {settings['frames']} frames")


class Aimed(Filming):
    """A camera that moves as a function of its own ports and settings says.

    `frames`: the length of the film. `steps`: how many steps the optimiser takes for every frame after the first, at
    `rate`; by default at the rate with which its own schedule ends. `carry`: whether it keeps its moments, or starts
    afresh at every frame, as the notebooks do.

    `move`: what is moved. `picture`: the painted picture, to which the canvas is then fitted again. `latent`: what it
    is painted from; moved codes don't paint exactly the moved picture, so the difference is laid over what they paint
    and fades by a tenth at each frame. `auto`: the latent where it can be moved, otherwise the picture. `border`: what
    shows beyond the picture's edges: `reflect`, `edge`, `wrap`, `black`, `grey`, or a colour as "#rrggbb".

    Against flicker: `hold` pulls every frame towards the moved last one with that weight, pixel by pixel (squared
    differences), and `resemble` as the perceptor wired to `clip` sees both; `hold` spares what has just come into
    view. Against colours that drift: `tint` pulls the mean and the deviation of lightness and colour (in CIE L*a*b*)
    to those of the first frame.

    `edge_steps`: extra steps at the start of every frame in which something comes into view; only that changes in them,
    and such a frame starts without the optimiser's moments.

    `start`: pictures to start the frames from, such as those of an input film, instead of the moved last frame; `mix`
    is their share (1: no moved frame at all). What has just come into view starts only from them.

    `loop`: how many frames to make beyond the last and dissolve into the first ones, so that the film closes; it then
    starts where it changes least, and can't have sound or music. Without `image`, a camera only lends its motion to
    others.
    """

    def __init__(
        self,
        aim: Callable[..., Motion],
        /,
        device: torch.device,
        *,
        frames: Frames = 120,
        steps: FrameSteps = 8,
        edge_steps: ExtraSteps = 0,
        move: Move = "auto",
        border: Border = "reflect",
        carry: bool = True,
        loop: Annotated[int, Ge(0), Means("loop")] = 0,
    ) -> None:
        super().__init__(device, Making(frames, steps, move, border, carry, edge_steps, loop))
        self._aim = aim

    def __call__(
        self,
        image: Image | None = None,
        start: Image | None = None,
        clip: Clip | None = None,
        *,
        rate: StepRate | None = None,
        hold: NonNegative = 0.0,
        resemble: NonNegative = 0.0,
        tint: NonNegative = 0.0,
        mix: Fraction = 1.0,
        **own: Any,
    ) -> Framed:
        """The picture as the next frame begins; the runner takes the steps that follow."""
        return self.framed(self._aim(**own), image, start, clip, Holding(rate, hold, resemble, tint, mix))


camera = node(role="camera", check=_check_loop, joins=check_perceptor, base=Aimed)
"""Marks a function from its own ports and settings to a motion as a camera node."""


@camera
def still() -> Motion:
    """A camera that stands still: for stories and morphs, in which the prompts change."""
    return Still()


@camera
def zoom(
    *,
    scale: Scale = 1.02,
    turn: Degrees = 0.0,
    pan: Point = (0.0, 0.0),
    centre: Point = (0.5, 0.5),
    shear: Point = (0.0, 0.0),
) -> Motion:
    """A camera that zooms, rotates and pans by the same amount every frame.

    `scale` above 1 zooms in, below 1 out. `turn` in degrees, clockwise. `pan`: how far the camera moves right and down,
    as fractions of the picture's shorter side. `centre`: the fixed point of scale, turn and shear, as fractions of
    width and height from the left and top. `shear` in degrees, across and down.

    As in PyTTI, Disco Diffusion and Deforum (2021, 2022), whose angles and translations have the other sign. They
    resample the picture bilinearly or bicubically; here splines keep it sharp, or the canvas itself is moved.
    """
    return Affine(scale=scale, angle=turn, pan=pan, centre=centre, shear=shear)


@camera
def depth(
    depth: Mask | None = None,
    *,
    dolly: Annotated[float, Lt(1)] = 0.02,
    pan: Point = (0.0, 0.0),
    tilt: Degrees = 0.0,
    yaw: Degrees = 0.0,
    roll: Degrees = 0.0,
    fov: Annotated[float, Interval(ge=5, le=150)] = 40.0,
    shape: Literal["plane", "floor", "cylinder"] = "cylinder",
    near: Positive = 1.0,
    far: Positive = 5.0,
) -> Motion:
    """A camera that moves through the picture in 2.5 dimensions, by the same amount every frame.

    Distances are those of a `depth` picture (white is near, at `near`; black far, at `far`), or of a `shape`: a `plane`
    before the camera, a `floor` that leads to a horizon, or a `cylinder` around the line of sight, a tunnel. `dolly`:
    how far the camera moves forward, and `pan` right and down, in units of `near`; `tilt` (up), `yaw` (to the right)
    and `roll` (clockwise) in degrees. `fov`: the field of view over the shorter side, in degrees.

    After Disco Diffusion's and PyTTI's 3D modes (2021), which estimate the depth of every frame with a network.
    """
    return Deep(
        depth=depth, dolly=dolly, pan=pan, tilt=tilt, yaw=yaw, roll=roll, fov=fov, shape=shape, near=near, far=far
    )


def _check_motions(wires: Mapping[str, int], settings: Mapping[str, Any]) -> None:
    """Refuse a position behind the last motion."""
    check_perceptor(wires, settings)
    check_position(settings["position"], wires["motions"], "motion")


@node(role="camera", check=_check_loop, joins=_check_motions, base=Aimed)
def path(motions: list[Motion], *, position: NonNegative) -> Motion:
    """A camera that goes from one motion to the next.

    `motions` are other cameras, which then need no `image`. `position`, counted from 0, is for keyframes: at 1.5 it
    moves half as the second and half as the third; `{0: 0, 60: 0, 80: 1}` changes from the first to the second between
    frames 60 and 80.
    """
    before, part = between(position, len(motions), "motion")
    return Blended(motions[before], motions[before + 1], part) if part else motions[before]


@camera
def follow(motion: Motion) -> Motion:
    """A camera that follows motion seen elsewhere, such as in a film: `motion: $input.motion`.

    With `start: $input`, the paint sticks to the things in the film, and `mix` sets how much of the film's own frame
    is in each start; use little. What was hidden before starts only from the film.

    After "Artistic style transfer for videos" (Ruder et al. 2016), whose optical flow comes from a network; here blocks
    are matched.
    """
    return motion


@node(role="camera", joins=check_perceptor)
class Infinite(Filming):
    """A camera that zooms in without end, and never blurs: all frames are made of pictures at powers of `jump`.

    At each power the last picture is enlarged by `jump`, and the optimiser takes `steps`: use many, since each picture
    stays in view for long. All frames are sampled from these pictures, so that nothing is resampled twice: each picture
    appears in the middle of the one before, its edge hidden over `feather` of its half. `scale` and `turn` (degrees)
    are per frame. To zoom out, reverse the film: `order: reverse`.

    `rate`, `carry`, `move`, `border`, `hold`, `resemble`, `tint` as in `camera.zoom`. Keyframes are over the
    film's frames.
    """

    def __init__(
        self,
        device: torch.device,
        *,
        frames: Frames = 240,
        steps: FrameSteps = 40,
        scale: Annotated[float, Gt(1), Interval(le=2)] = 1.02,
        turn: Degrees = 0.0,
        jump: Annotated[float, Interval(ge=1.1, le=4)] = 1.4,
        centre: Point = (0.5, 0.5),
        feather: Fraction = 0.3,
        move: Move = "picture",
        border: Border = "reflect",
        carry: bool = False,
    ) -> None:
        super().__init__(device, Making(frames, steps, move, border, carry))
        self._scale, self._angle, self._jump, self._centre, self._feather = scale, turn, jump, centre, feather

    def __call__(
        self,
        image: Image,
        clip: Clip | None = None,
        *,
        rate: StepRate | None = None,
        hold: NonNegative = 0.0,
        resemble: NonNegative = 0.0,
        tint: NonNegative = 0.0,
    ) -> Framed:
        """The picture enlarged by `jump`."""
        motion = Affine(scale=self._jump, centre=self._centre)
        return self.framed(motion, image, None, clip, Holding(rate, hold, resemble, tint))

    @classmethod
    def turns(cls, settings: Mapping[str, Any], every: int) -> Turns:
        """One for each power of `jump` that the film passes, and two for what is seen small in the last."""
        last = _power(settings["frames"] - 1, settings["scale"], settings["jump"])
        return Turns(int(last) + 3, settings["steps"])

    @classmethod
    def passed(cls, settings: Mapping[str, Any], turn: int, every: int) -> range:
        """The first frame that is at or beyond the power of the turn, whatever the number of frames before it."""
        frame = min(math.ceil(turn * math.log(settings["jump"]) / math.log(settings["scale"])), settings["frames"] - 1)
        return range(frame, frame + 1)

    def develop(self, picture: Image, turn: int, every: int) -> Iterator[Shown]:
        """The frames between the last two powers before that of the turn."""
        self._kept = [*self._kept[-3:], picture]
        for number, frame in enumerate(range(0, self.making.frames, every)):
            if turn - 2 <= self._power(frame) < turn - 1:
                yield Shown(number, frame, self._composed(frame, turn))

    def _power(self, frame: int) -> float:
        return _power(frame, self._scale, self._jump)

    def _composed(self, frame: int, turn: int) -> Image:
        """A frame from the last pictures, the coarsest first; the newest comes up while it is small."""
        power, composed = self._power(frame), self._kept[0]
        for number, picture in enumerate(self._kept, turn + 1 - len(self._kept)):
            motion = Affine(scale=self._jump ** (power - number), angle=self._angle * frame, centre=self._centre)
            over = motion.inside((picture.shape[-1], picture.shape[-2]), picture.device, self._feather)
            up = min(power - number + 2, 1.0)
            first = number == turn + 1 - len(self._kept)
            part = over * smooth(up)
            layer = motion(picture, self.making.border)
            composed = layer if first else torch.lerp(composed, layer, part)
        return Image(composed)


def _power(frame: int, scale: float, jump: float) -> float:
    """How many times the jump a frame is enlarged by; rounded, so that a whole number is one."""
    return round(frame * math.log(scale) / math.log(jump), 9)
