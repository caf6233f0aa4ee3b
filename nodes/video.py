"""Films as input, frame by frame."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from t2iflow.nodes.core.ambient import Notes, Tick
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.texts import counted
from t2iflow.nodes.core.types import FilmPath, Image, NonNegative, Rate, Size
from t2iflow.nodes.film.decoder import Footage
from t2iflow.nodes.images import resize
from t2iflow.nodes.pictures.flow import Flow
from t2iflow.nodes.pictures.motion import Motion, Still
from t2iflow.nodes.pictures.resizing import Fit


class Film(NamedTuple):
    """The picture, and how its content has moved since the previous one."""

    image: Image
    motion: Motion


@node
class Frames:
    """The pictures of a film: the next one at every frame of a camera, or the first without a camera.

    Gives the picture, and its `motion`: how its content has moved since the previous picture; see `camera.follow`.

    `file`: MP4, MOV, MKV, WebM, OGV, AVI, GIF, APNG, TS, MPEG, FLV or WMV, of any depth of colour. Without `fps` every
    frame is used, whatever the film's own rate; with it, what the film shows every 1/`fps` seconds. `start`: seconds to
    skip. After the end, the last picture stays. `size` and `fit` as in `images.resize`; without a size the film's own,
    turned upright as the phone recorded, and with square pixels.

    Colours are read as the film declares; otherwise as BT.709 in high definition, and as BT.601 below. High dynamic
    range is not tone-mapped.

    The film is read forwards, and only two pictures are kept in memory.
    """

    def __init__(
        self,
        device: torch.device,
        notes: Notes,
        *,
        file: FilmPath,
        size: Size | None = None,
        fps: Rate | None = None,
        start: NonNegative = 0.0,
        fit: Fit = "fill",
    ) -> None:
        self._device, self._notes = device, notes
        self._path, self._size, self._fps, self._start, self._fit = Path(file), size, fps, start, fit
        self._ended, self._number = False, 0
        # A film that can't be read is better known before the first step than in the midst of a run.
        self._now = self._before = self._begun()

    def __call__(self, tick: Tick) -> Film:
        """The picture of the present frame."""
        if tick.frame < self._number:
            self._footage.close()
            self._now, self._number = self._begun(), 0
        while self._number < tick.frame and (levels := self._footage.read()) is not None:
            self._before, self._now = self._now, self._picture(levels)
            self._number += 1
        over = self._number < tick.frame
        if over and not self._ended:
            self._end()
        return Film(self._now(), Still() if over or not self._number else Flow(self._before(), self._now()))

    def close(self) -> None:
        """Stop reading."""
        self._footage.close()

    def _begun(self) -> Callable[[], Image]:
        """The first picture, of a film that is read from its start."""
        self._footage = Footage(self._path, self._start, self._fps)
        return self._picture(self._footage.first())

    def _picture(self, levels: Tensor) -> Callable[[], Image]:
        """What makes a picture of the film's levels, once it is needed, and only once."""
        return cache(partial(_pictured, levels, self._device, self._size, self._fit))

    def _end(self) -> None:
        """Say that there are no more pictures, once."""
        self._ended = True
        name, count, fault = self._path.name, self._number + 1, self._footage.fault
        pictures = counted(count, "picture")
        if fault:
            self._notes.warn(f"`{name}` is damaged: only {pictures} can be read, and the last stays ({fault})")
        else:
            self._notes.say(f"`{name}` ends after {pictures}; the last stays")


def _pictured(levels: Tensor, device: torch.device, size: Size | None, fit: Fit) -> Image:
    """A picture of levels (h, w, 3) in 0..255."""
    image = Image(levels.to(device).permute(2, 0, 1)[None].float() / 255)
    return image if size is None else resize(image, size=size, fit=fit)
