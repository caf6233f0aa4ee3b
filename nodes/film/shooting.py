"""What all our cameras have in common: frames in turn, each from the moved last one, and what keeps them steady."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from t2iflow.nodes.core.types import Image, Loss, Means
from t2iflow.nodes.film.closing import Closing
from t2iflow.nodes.film.takes import Moved, Shown, Take, Turns
from t2iflow.nodes.perceptors.interface import Clip, Seen
from t2iflow.nodes.pictures.border import Border
from t2iflow.nodes.pictures.crops import whole
from t2iflow.nodes.pictures.lab import tint as colours_of
from t2iflow.nodes.pictures.motion import Motion, Moves, Still
from t2iflow.nodes.pictures.resampling import exact

Move = Annotated[Literal["auto", "latent", "picture"], Means("moved")]


def check_perceptor(wires: Mapping[str, int], settings: Mapping[str, Any]) -> None:
    """Refuse what needs a perceptor where none is wired."""
    if settings["resemble"] and wires.get("image") and not wires.get("clip"):
        raise ValueError("`resemble` needs a perceptor: wire one to the camera, `clip: $clip`")


class Framed(NamedTuple):
    """The frame, and the motion that led to it from the last."""

    image: Image
    motion: Motion


@dataclass(frozen=True)
class Making:
    """How the frames of a film are made."""

    frames: int
    steps: int
    move: Move
    border: Border
    carry: bool
    edge_steps: int = 0
    loop: int = 0


@dataclass(frozen=True)
class Holding:
    """What the steps of a frame hold on to, and their rate."""

    rate: float | None = None
    hold: float = 0.0
    resemble: float = 0.0
    tint: float = 0.0
    mix: float = 1.0


class Filming:
    """What all our cameras are: films whose frames are each painted from the moved last one."""

    def __init__(self, device: torch.device, making: Making) -> None:
        self._device, self.making = device, making
        self._motion: Motion = Still()
        self._start: Image | None = None
        self._clip: Clip | None = None
        self._holding = Holding()
        self._colours: Tensor | None = None
        """Those of the first frame."""
        self._last: Image | None = None
        self._target: Image | None = None
        self._inside: Tensor | None = None
        """Where the turn's picture comes from inside of the last turn's, by all motions between them."""
        self._between = False
        """Whether the frame before was only passed, on the way to the turn's."""
        self._kept: list[Tensor] = []

    def framed(
        self, motion: Motion, image: Image | None, start: Image | None, clip: Clip | None, holding: Holding
    ) -> Framed:
        """Begin a frame: the picture moved, and all that its steps need."""
        moved: Any = None
        if image is not None:
            check_perceptor({"image": 1, "clip": clip is not None}, {"resemble": holding.resemble})
            self._motion, self._start = motion, start if holding.mix else None
            self._clip, self._holding = clip, holding
            if self._colours is None:
                self._colours = colours_of(image)
            moved = self._moved(image)
            self._last, self._target = image, moved
            inside = motion.inside((image.shape[-1], image.shape[-2]), exact(image.device))
            if self._between and self._inside is not None and bool((self._inside != 1).any()):
                inside = inside * motion(self._inside, "black").clamp(0, 1)
            self._inside, self._between = inside, True
        return Framed(moved, motion)

    def move(self, canvas: object, picture: Image) -> Moved | None:
        """Move the canvas in its own terms where it can be, unless the picture is to be moved."""
        if self._start is None and self._motion.still:
            return None
        itself, known = self._moves(canvas), self._target if picture is self._last else None
        return Moved(self._moved(picture) if known is None else known, itself)

    @torch.no_grad()
    def take(self) -> Take:
        """The steps of a frame, the first of them only where something has newly come into view."""
        self._between = False
        making, held = self.making, self._holding
        pull = fresh = None
        if self._target is not None and self._inside is not None:
            inside = self._inside.to(self._device)
            if held.hold or held.resemble or held.tint:
                pull = partial(self._pull, self._target, inside, self._looked(self._target))
            if bool((self._inside != 1).any()):
                fresh = 1 - inside
        edge = 0 if fresh is None else making.edge_steps
        # Moments would go on changing what is not fresh.
        return Take(making.steps + edge, held.rate, pull, making.carry and not edge, edge, fresh)

    def _moves(self, canvas: object) -> bool:
        """Whether the canvas has moved itself."""
        if self._start is not None or self.making.move == "picture":
            return False
        moves = isinstance(canvas, Moves)
        if isinstance(canvas, Moves) and canvas.move(self._motion, self.making.border):
            return True
        if self.making.move == "latent":
            raise ValueError(f"can't be moved{' so' * moves} in what it is painted from; take `move: auto`")
        return False

    def _moved(self, picture: Image) -> Image:
        """A picture of the last frame as the present one starts with it."""
        moved = self._motion(picture, self.making.border)
        if self._start is not None:
            start = F.interpolate(self._start[:1], moved.shape[-2:], mode="bilinear", antialias=True)
            inside = self._motion.inside((moved.shape[-1], moved.shape[-2]), exact(moved.device))
            moved = torch.lerp(moved, start.to(moved), 1 - (1 - self._holding.mix) * inside.to(moved))
        return Image(moved)

    @classmethod
    def turns(cls, settings: Mapping[str, Any], every: int) -> Turns:
        """One for each frame that is made, and for each that closes the film."""
        frames, over = _closed(settings["frames"], settings["loop"], every)
        return Turns(frames + over, settings["steps"] + settings["edge_steps"])

    @classmethod
    def passed(cls, settings: Mapping[str, Any], turn: int, every: int) -> range:
        """All frames since that of the turn before."""
        return range((turn - 1) * every + 1, turn * every + 1)

    def develop(self, picture: Image, turn: int, every: int) -> Iterator[Shown]:
        """The picture itself; of a film that closes, the first ones wait."""
        frames, over = _closed(self.making.frames, self.making.loop, every)
        if not over:
            yield Shown(turn, turn * every, picture)
            return
        closing = Closing(frames, over)
        if turn < closing.held:
            self._kept.append(picture)
        for number, place, image in closing.shown(picture, turn, self._kept):
            yield Shown(number, place * every, image)

    def _pull(self, target: Image, inside: Tensor, seen: Seen | None, image: Tensor) -> Loss:
        """What keeps the picture near the moved last one; gradients flow to the picture."""
        total, held = image.new_zeros(()), self._holding
        if held.hold:
            error = (image - target).square().mean(1, keepdim=True) * inside
            total = total + held.hold * error.sum() / inside.sum().clamp(min=1)
        if held.tint and self._colours is not None:
            total = total + held.tint * (colours_of(image) - self._colours).square().mean()
        if seen is not None and (now := self._looked(image)) is not None:
            total = total + held.resemble * now.unlike(seen)
        return Loss(total)

    def _looked(self, image: Tensor) -> Seen | None:
        """The picture as the perceptor sees it, if frames must resemble each other."""
        if self._clip is None or not self._holding.resemble:
            return None
        return self._clip.look(whole(image, 1, self._clip.size).pixels)

    def state_dict(self) -> dict[str, Any]:
        """What the present frame is held to, and pictures that wait for the end; all else comes by wires again."""
        return {"target": self._target, "inside": self._inside, "colours": self._colours, "kept": self._kept}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take it back."""
        if state["target"] is not None:
            self._target = state["target"].to(self._device)
            self._inside = state["inside"]
            self._colours = state["colours"].to(self._device)
        self._kept = [kept.to(self._device) for kept in state["kept"]]


def _closed(frames: int, loop: int, every: int) -> tuple[int, int]:
    """How many frames are made of so many, and how many more to close the film, where one in `every` is made."""
    made = math.ceil(frames / every)
    return made, math.ceil(loop / every) if made > 1 else 0
