"""Films as input, frame by frame."""

from pathlib import Path

import torch

from t2iflow.nodes.core.ambient import Notes, Tick
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.types import FilmPath, Image, NonNegative, Rate, Size
from t2iflow.nodes.film.decoder import Reel
from t2iflow.nodes.images import Fit, resize


@node
class Frames:
    """The pictures of a film: the next one at every frame of a camera, or the first without a camera.

    `file`: MP4, MOV, MKV, WebM, OGV, AVI, GIF, APNG, TS, MPEG, FLV or WMV, of any depth of colour. Without `fps` every
    frame is used, whatever the film's own rate; with it, what the film shows every 1/`fps` seconds. `start`: seconds to
    skip. After the end, the last picture stays. `size` and `fit` as in `images.resize`; without a size the film's own,
    turned upright as the phone recorded, and with square pixels.

    Colours are read as the film declares; otherwise as BT.709 in high definition, and as BT.601 below. High dynamic
    range is not tone-mapped.

    The film is read forwards, and only one picture is kept in memory.
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
        self._ended = False
        self._number = 0
        self._image: Image | None = None
        self._begin()  # a film that can't be read is better known before the first step than in the midst of a run

    def __call__(self, tick: Tick) -> Image:
        """The picture of the present frame."""
        if tick.frame < self._number:
            self._reel.close()
            self._begin()
        while self._number < tick.frame and (levels := self._reel.read()) is not None:
            self._levels, self._image = levels, None
            self._number += 1
        if self._number < tick.frame and not self._ended:
            self._end()
        if self._image is None:
            image = Image(self._levels.to(self._device).permute(2, 0, 1)[None].float() / 255)
            self._image = image if self._size is None else resize(image, size=self._size, fit=self._fit)
        return self._image

    def close(self) -> None:
        """Stop reading."""
        self._reel.close()

    def _begin(self) -> None:
        self._reel = Reel(self._path, self._start, self._fps)
        self._levels, self._image = self._reel.first(), None
        self._number = 0

    def _end(self) -> None:
        """Say that there are no more pictures, once."""
        self._ended = True
        name, count, fault = self._path.name, self._number + 1, self._reel.fault
        if fault:
            self._notes.warn(f"`{name}` is damaged: only {count} pictures can be read, and the last stays ({fault})")
        else:
            self._notes.say(f"`{name}` ends after {count} pictures; the last stays")
