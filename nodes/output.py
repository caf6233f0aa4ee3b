"""What a run leaves in its folder.

Each file carries the recipe that made it, and no time or machine's name: the same pictures give the same bytes.
"""

import csv
import io
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import PIL.Image
from annotated_types import Interval
from pydantic import AfterValidator

from t2iflow.nodes.core.ambient import WHOLE, Folder, Notes, Part
from t2iflow.nodes.core.ffmpeg import ffmpeg
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.types import Count, File, FileName, Image, Labels, Means, NonNegative, Rate, Size, SoundPath
from t2iflow.nodes.core.whole import write
from t2iflow.nodes.film import encoder
from t2iflow.nodes.pictures import codec, metadata
from t2iflow.nodes.pictures.endings import DRAWN, PICTURES
from t2iflow.nodes.pictures.strokes import Strokes, as_svg

Quality = Annotated[int, Interval(ge=1, le=100)]
Loss = Annotated[int, Interval(ge=0, le=51)]


def _ending(*allowed: str) -> AfterValidator:
    """Refuse file names that end otherwise."""

    def check(name: str) -> str:
        if not name.lower().endswith(allowed) or name.lower() in allowed:
            *others, last = allowed
            endings = f"{', '.join(others)} or {last}" if others else last
            raise ValueError(f"`{name}` must end in {endings}")
        return name

    return AfterValidator(check)


def _numbered(name: str) -> str:
    """Refuse a row of pictures without a place for the number."""
    if name.lower().endswith(".png") and not re.fullmatch(r"[^%]*%0[1-9]d[^%]*", name):
        raise ValueError(f"`{name}` needs one place for the number of each frame, such as in `film-%04d.png`")
    return name


PictureName = Annotated[FileName, _ending(*PICTURES)]
VectorName = Annotated[FileName, _ending(DRAWN)]
TableName = Annotated[FileName, _ending(".json", ".csv")]
FilmName = Annotated[FileName, _ending(*encoder.ENDINGS), AfterValidator(_numbered)]


def _write(picture: PIL.Image.Image, name: str, quality: int, folder: Folder, notes: Notes) -> Path:
    """Write a picture, and warn of what its file can't hold."""
    path = codec.write(picture, folder.path(name), folder.recipe, quality)
    if path.name != name:
        size = "{} x {}".format(*picture.size)
        notes.warn(f"no `{Path(name).suffix}` file can be {size}: the picture is in `{path.name}`")
    elif path.suffix.lower() in (".jpg", ".jpeg") and not metadata.in_jpeg(folder.recipe):
        notes.warn(f"the recipe is too long for `{name}` to carry; it is in `recipe.yaml`, and a PNG would carry it")
    folder.wrote(path)
    return path


@node(role="sink", fits=lambda size, count, settings: codec.check_size(size, settings["file"]))
def image(
    image: Image,
    folder: Folder,
    notes: Notes,
    *,
    file: Annotated[PictureName, Means("numbered")] = "picture.png",
    quality: Quality = 95,
) -> File:
    """Write the picture as PNG, WebP or JPEG, according to the file's ending.

    `quality` is for WebP and JPEG. Each picture of a batch gets its own file: `picture-1.png`, `picture-2.png`, ...;
    the output is the first.
    """
    path = Path(file)
    names = [file] if len(image) == 1 else [f"{path.stem}-{n + 1}{path.suffix}" for n in range(len(image))]
    written = [
        _write(codec.from_tensor(one), name, quality, folder, notes) for name, one in zip(names, image, strict=True)
    ]
    return File(written[0])


@node(role="sink")
def table(labels: Labels, folder: Folder, notes: Notes, *, file: TableName = "labels.json") -> File:
    """Write how pictures are classified as JSON or CSV, and report the likeliest.

    One row per picture: the probability of each label, the likeliest first in JSON, in the recipe's order in CSV.
    """
    rows = [dict(zip(labels.names, map(float, row), strict=True)) for row in labels.likely.float().cpu()]
    path = folder.path(file)
    if file.lower().endswith(".json"):
        ranked = [dict(sorted(row.items(), key=lambda item: -item[1])) for row in rows]
        text = json.dumps(ranked, indent=1, ensure_ascii=False) + "\n"
    else:
        stream = io.StringIO(newline="")
        writer = csv.DictWriter(stream, labels.names)
        writer.writeheader()
        writer.writerows(rows)
        text = stream.getvalue()
    write(path, text)
    for number, row in enumerate(rows, 1):
        first = sorted(row.items(), key=lambda item: -item[1])[:3]
        which = f"picture {number}: " if len(rows) > 1 else ""
        notes.say(which + ", ".join(f"{name} {100 * likely:.1f} %" for name, likely in first))
    folder.wrote(path)
    return File(path)


class _Gathered:
    """A sink that makes one file of many pictures when it is closed, and can be taken up again after a kill."""

    def __init__(self, folder: Folder, file: str) -> None:
        self._folder = folder
        self._file = file
        self._frames = codec.Frames(folder, file)

    def state_dict(self) -> dict[str, Any]:
        """Which pictures there are; they themselves lie in the run folder."""
        return {"frames": self._frames.remember()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue after the same picture."""
        self._frames.recall(state["frames"])


def _check(film: encoder.Film) -> None:
    film.check()
    if film.sound and os.path.isfile(film.sound):  # a picture's recipe may have come without it
        film.listen()


@node(
    role="sink",
    check=lambda settings: _check(encoder.Film(**settings)),
    fits=lambda size, count, settings: encoder.Film(**settings).fits(size),
)
class Video(_Gathered):
    """Collect frames and make a film of them, according to the file's ending.

    MP4 (H.264, or H.265 with `codec: h265`), WebM (VP9), MOV (ProRes 422 HQ, for editing), GIF, APNG (lossless), or a
    sequence of pictures, numbered from 0 where the name says: `film-%04d.png`. H.264 and H.265 need even sides, and
    H.265 at least 32 pixels; a GIF shows at most 50 frames a second. The pictures of a batch are shown side by side.

    `fps`: frames per second, as a number or as 30000/1001; 23.976, 29.97 and 59.94 mean 24000/1001 and so on. `loss`:
    how much the codec may lose, from 0 (almost nothing) through 17 (nothing visible) to 51; it is the CRF of H.264,
    H.265 and VP9, and the others ignore it.

    `order`: `reverse` shows the last frame first, so that a zoom in becomes a zoom out; `boomerang` plays forward and
    back, showing the ends once, which makes a loop; neither takes values that follow music, which would run against the
    song. `interpolate`: a higher frame rate, reached by motion-compensated
    frames in between (ffmpeg's minterpolate, for sides of at least 16 pixels); the original frames stay, and so does
    the film's duration.

    `sound`: a sound or a film's sound, from `sound_start` seconds on, until it or the film ends; in MP4 and MOV as AAC,
    in WebM as Opus, in stereo. If that film has no sound, this one is silent too.
    """

    def __init__(
        self,
        folder: Folder,
        notes: Notes,
        part: Part = WHOLE,
        *,
        file: FilmName = "film.mp4",
        codec: encoder.Codec = "h264",
        fps: Annotated[Rate, Means("rate")] = 30,
        loss: Loss = 17,
        order: Annotated[encoder.Order, Means("order")] = "forward",
        interpolate: Annotated[Rate, Means("between")] | None = None,
        sound: SoundPath | None = None,
        sound_start: NonNegative = 0.0,
    ) -> None:
        super().__init__(folder, file)
        self._part = part
        film = encoder.Film(file, codec, fps, loss, order, interpolate, sound, sound_start)
        ffmpeg()  # that it is missing, or a sound, is better known now than at the end
        film.check()
        heard = film.listen()
        if sound is not None and not heard:
            notes.say(f"`{Path(sound).name}` has no sound, so `{file}` has none either")
        self._film = film if heard else replace(film, sound=None)

    def __call__(self, image: Image) -> None:
        """Add a frame."""
        frame = codec.frame(image)
        self._film.fits(frame.size)
        self._frames.add(frame)

    def close(self) -> None:
        """Make the film from those of the requested frames that exist."""
        first, last = self._part.first, self._part.last
        frames = self._frames.paths[first : None if last is None else last + 1]
        if frames:
            path = self._folder.path(self._file)
            self._folder.wrote(self._film.make(frames, path, self._folder.recipe, first))


@node(role="sink")
class Vector:
    """Write a drawing as SVG, for vector graphics programs and plotters: `strokes: $canvas.strokes` of a
    `strokes.canvas`.

    It has the strokes of the finished picture, as paths in the order in which they are painted.
    """

    def __init__(self, folder: Folder, *, file: VectorName = "drawing.svg") -> None:
        self._folder, self._file = folder, file
        self._strokes: Strokes | None = None

    def __call__(self, strokes: Strokes) -> None:
        """Take the strokes as they are now."""
        self._strokes = strokes.kept()

    def close(self) -> None:
        """Write the last ones."""
        if self._strokes is not None:
            path = self._folder.path(self._file)
            write(path, as_svg(self._strokes, self._folder.recipe))
            self._folder.wrote(path)

    def state_dict(self) -> dict[str, Any]:
        """The last strokes."""
        return {} if self._strokes is None else dict(vars(self._strokes))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take them back."""
        self._strokes = Strokes(**{**state, "size": tuple(state["size"])}) if state else None


def _check_strip(size: Size, count: int | None, settings: Mapping[str, Any]) -> None:
    """Refuse a strip that no file could hold; of how many snapshots it is, where that is known."""
    columns = settings["columns"] if count is None else min(count, settings["columns"])
    rows = 1 if count is None else math.ceil(count / columns)
    codec.check_size((size[0] * columns, size[1] * rows), settings["file"])


@node(role="sink", fits=_check_strip)
class Strip(_Gathered):
    """Collect snapshots and put them side by side in one picture, `columns` in a row, to show how it developed."""

    def __init__(
        self,
        folder: Folder,
        notes: Notes,
        *,
        file: Annotated[PictureName, Means("strip")] = "strip.png",
        columns: Count = 6,
        quality: Quality = 95,
    ) -> None:
        super().__init__(folder, file)
        self._notes = notes
        self._columns = columns
        self._quality = quality

    def __call__(self, image: Image) -> None:
        """Add a snapshot."""
        self._frames.add(codec.frame(image))

    def close(self) -> None:
        """Write the picture."""
        if self._frames.count:
            _write(self._frames.sheet(self._columns), self._file, self._quality, self._folder, self._notes)
