"""What all cameras are: a film of an optimiser's picture, frame by frame."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from t2iflow.nodes.core.easing import smooth
from t2iflow.nodes.core.types import Image, Loss
from t2iflow.nodes.perceptors.interface import Clip, Seen
from t2iflow.nodes.pictures.crops import whole
from t2iflow.nodes.pictures.motion import Motion, Still
from t2iflow.nodes.pictures.resampling import Border

Move = Literal["auto", "latent", "picture"]
BEGINNINGS = 24
"""With how many frames a film that closes may begin; it takes the one where that is seen least."""


def sees(wires: Mapping[str, int], settings: Mapping[str, Any]) -> None:
    """Refuse what needs a perceptor where none is wired."""
    if settings["resemble"] and wires.get("image") and not wires.get("clip"):
        raise ValueError("`resemble` must know who sees: wire a perceptor to the camera, `clip: $clip`")


class Framed(NamedTuple):
    """The frame, and the motion that led to it from the last."""

    image: Image
    motion: Motion


class Camera:
    """What all cameras are: frames in turn, each from the moved last one, and what keeps them steady.

    The runner asks at each turn of the region for `passed` and calls the camera for those frames; takes `steps` with
    the canvases moved, at `rate` if there is one, the picture held by `pull`; and shows what `develop` gives. A run
    resumed amid these steps calls it for the last of those frames again, and then gives it back what it remembered.
    """

    def __init__(
        self,
        device: torch.device,
        frames: int,
        steps: int,
        *,
        edge_steps: int = 0,
        move: Move = "auto",
        border: Border = "reflect",
        carry: bool = True,
        loop: int = 0,
    ) -> None:
        self.frames, self.steps, self.edge_steps = frames, steps, edge_steps
        self.exact, self.latent, self.carry = move == "auto", move != "picture", carry
        self.rate: float | None = None
        self.fresh: Tensor | None = None  # where something has newly come in, (1, 1, h, w) in 0..1
        self.shown = 0
        self._device, self.border, self._loop = device, border, loop
        self._motion: Motion = Still()
        self._start: Image | None = None
        self._clip: Clip | None = None
        self._mix = 1.0
        self._hold = self._resemble = 0.0
        self._target: Tensor | None = None
        self._inside: Tensor | None = None
        self._seen: Seen | None = None
        self._kept: list[Tensor] = []

    def framed(
        self,
        motion: Motion,
        image: Image | None,
        start: Image | None = None,
        clip: Clip | None = None,
        *,
        rate: float | None = None,
        hold: float = 0.0,
        resemble: float = 0.0,
        mix: float = 1.0,
    ) -> Framed:
        """Begin a frame: the picture moved, and all that its steps need."""
        moved: Any = None
        if image is not None:
            sees({"image": 1, "clip": clip is not None}, {"resemble": resemble})
            self._motion, self._start, self._mix = motion, start, mix
            self.rate, self._hold, self._resemble, self._clip = rate, hold, resemble, clip
            moved = self.moved(image)
            self._target, self._seen = moved, None
            self._note(motion.inside((image.shape[-1], image.shape[-2]), image.device))
        return Framed(moved, motion)

    @property
    def restarts(self) -> bool:
        """Whether the present frame starts from a picture that is not only the moved last one."""
        return self._start is not None and self._mix > 0

    @property
    def moves(self) -> bool:
        """Whether the present frame starts from anything but the last one as it is."""
        return self.restarts or not self._motion.still

    def moved(self, picture: Image) -> Image:
        """A picture of the last frame as the present one starts with it."""
        moved = self._motion(picture, self.border)
        if self._start is not None and self._mix:
            start = F.interpolate(self._start[:1], moved.shape[-2:], mode="bilinear", antialias=True)
            moved = torch.lerp(moved, start.to(moved), self._mix)
        return Image(moved)

    def _note(self, inside: Tensor | None) -> None:
        """Note what came from inside of the last picture, and so what has newly come in, if anything has."""
        self._inside = inside
        self.fresh = None if inside is None or bool((inside == 1).all()) else 1 - inside

    def turns(self, every: int) -> int:
        """How often the region is repeated, if one in `every` frames is made."""
        return self._shots(self.frames, every) + self._shots(self._loop, every)

    def frame(self, turn: int, every: int) -> int:
        """The frame that is made at a turn."""
        return turn * every

    def passed(self, turn: int, every: int) -> range:
        """The frames whose motions lead from the last turn to this one."""
        return range(self.frame(turn - 1, every) + 1, self.frame(turn, every) + 1)

    def develop(self, picture: Image, turn: int, every: int) -> Iterator[tuple[int, Image]]:
        """What is shown when a turn's picture is there: frames with their numbers, maybe none, maybe several."""
        frames, over = self._shots(self.frames, every), self._shots(self._loop, every)
        for one, shown in self._looped(picture, turn, frames, over) if over else [(turn, picture)]:
            yield self.frame(one, every), shown

    def _looped(self, picture: Image, turn: int, frames: int, over: int) -> Iterator[tuple[int, Image]]:
        """The first pictures wait: `over` of them to be dissolved into, the others because they hold the beginning."""
        held = min(over + BEGINNINGS, frames)
        if turn < held:
            self._kept.append(picture)
        if turn < held - 1:
            return
        first = over + self._calmest(over)
        waiting = [(one, Image(self._kept[one])) for one in range(over, held)]
        if turn == held - 1:
            yield from waiting[first - over :]
        elif turn < frames:
            yield turn, picture
        else:
            part = (turn - frames + 1) / (over + 1)
            yield turn - frames, Image(torch.lerp(picture, self._kept[turn - frames], smooth(part)))
        if turn == frames + over - 1:
            yield from waiting[: first - over]

    def pull(self, image: Tensor) -> Loss | None:
        """What keeps the picture near the moved last one, if anything does; gradients flow to the picture."""
        if self._target is None or self._inside is None or not (self._hold or self._resemble):
            return None
        total = image.new_zeros(())
        if self._hold:
            error = (image - self._target).square().mean(1, keepdim=True) * self._inside
            total = total + self._hold * error.sum() / self._inside.sum().clamp(min=1)
        if self._resemble and self._clip is not None:
            if self._seen is None:
                with torch.no_grad():
                    self._seen = self._looked(self._target, self._clip)
            total = total + self._resemble * self._looked(image, self._clip).unlike(self._seen)
        return Loss(total)

    def state_dict(self) -> dict[str, Any]:
        """What the present frame is held to, and pictures that wait for the end; all else comes by wires again."""
        return {"target": self._target, "inside": self._inside, "kept": self._kept, "shown": self.shown}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take it back."""
        self._target, inside = (
            kept if kept is None else kept.to(self._device) for kept in (state["target"], state["inside"])
        )
        self._note(inside)
        self._kept, self.shown = [kept.to(self._device) for kept in state["kept"]], state["shown"]

    @staticmethod
    def _shots(frames: int, every: int) -> int:
        return math.ceil(frames / every)

    @staticmethod
    def _looked(image: Tensor, clip: Clip) -> Seen:
        return clip.look(whole(image, 1, clip.size).pixels)

    def _calmest(self, over: int) -> int:
        """Which of the pictures that wait, after those to be dissolved into, differs least from the one before it."""
        pairs = zip(self._kept[over:], self._kept[over - 1 :], strict=False)
        return int(torch.stack([(after - before).square().mean() for after, before in pairs]).argmin())
