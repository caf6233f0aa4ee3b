"""Outputs: what a run leaves in its folder.

Each file carries the recipe that made it, and no time or machine's name: the same pictures give the same bytes.
"""

import csv
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Interval
from pydantic import AfterValidator

from t2iflow.nodes import metadata, pictures
from t2iflow.nodes.ambient import Folder, Notes
from t2iflow.nodes.node import node
from t2iflow.nodes.types import Count, File, FileName, Image, Labels, Size

Quality = Annotated[int, Interval(ge=1, le=100)]
Loss = Annotated[int, Interval(ge=0, le=51)]


def _ending(*allowed: str) -> AfterValidator:
    """Refuse file names that end otherwise."""

    def check(name: str) -> str:
        if not name.lower().endswith(allowed) or name.lower() in allowed:
            raise ValueError(f"`{name}` must end in {', '.join(allowed[:-1])} or {allowed[-1]}")
        return name

    return AfterValidator(check)


PictureName = Annotated[FileName, _ending(".png", ".webp", ".jpg", ".jpeg")]
TableName = Annotated[FileName, _ending(".json", ".csv")]
FilmName = Annotated[FileName, _ending(".mp4", ".webm", ".gif")]


@node(role="sink")
def image(image: Image, folder: Folder, *, file: PictureName = "picture.png", quality: Quality = 95) -> File:
    """Write the picture as PNG, WebP or JPEG, as the file's name ends.

    `quality` is that of WebP and JPEG. Of a batch, each picture goes into a file of its own: `picture-1.png`,
    `picture-2.png`, ...; given on is the first.
    """
    path = Path(file)
    names = [file] if len(image) == 1 else [f"{path.stem}-{n + 1}{path.suffix}" for n in range(len(image))]
    for name, one in zip(names, image, strict=True):
        pictures.write(pictures.from_tensor(one), folder.path(name), folder.recipe, quality)
        folder.wrote(folder.path(name))
    return File(folder.path(names[0]))


@node(role="sink")
def table(labels: Labels, folder: Folder, notes: Notes, *, file: TableName = "labels.json") -> File:
    """Write what pictures are taken for as JSON or CSV, and tell the likeliest.

    One row a picture: how likely each label is, 0 to 1, the likeliest first in JSON, in the recipe's order in CSV.
    """
    rows = [dict(zip(labels.names, map(float, row), strict=True)) for row in labels.likely.float().cpu()]
    path = folder.path(file)
    if file.lower().endswith(".json"):
        ranked = [dict(sorted(row.items(), key=lambda item: -item[1])) for row in rows]
        path.write_text(json.dumps(ranked, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    else:
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, labels.names)
            writer.writeheader()
            writer.writerows(rows)
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
        self._frames = pictures.Frames(folder, file)

    def state_dict(self) -> dict[str, Any]:
        """How many pictures there are; they themselves lie in the run folder."""
        return {"frames": self._frames.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on after the same picture."""
        self._frames.count = state["frames"]


def _even(size: Size, settings: Mapping[str, Any]) -> None:
    """Refuse sizes that H.264 can't take."""
    width, height = size
    if settings["file"].lower().endswith(".mp4") and (width % 2 or height % 2):
        near = f"{width + width % 2} x {height + height % 2} or {width - width % 2} x {height - height % 2}"
        raise ValueError(f"an MP4 film can't be {width} x {height}: sides must be even; take {near}")


@node(role="sink", fits=_even)
class Video(_Gathered):
    """Gather frames and make a film of them: MP4 (H.264), WebM (VP9) or GIF, as the file's name ends.

    `fps`: frames a second. `loss`: what the coder may lose, from 0 (next to nothing) over 17 (nothing that is seen) to
    51; a GIF ignores it. A batch makes one frame, its pictures side by side. H.264 needs even sizes.
    """

    def __init__(self, folder: Folder, *, file: FilmName = "film.mp4", fps: Count = 30, loss: Loss = 17) -> None:
        metadata.ffmpeg()  # that it is missing is better known now than at the end
        super().__init__(folder, file)
        self._fps = fps
        self._loss = loss

    def __call__(self, image: Image) -> None:
        """Add a frame."""
        frame = pictures.frame(image)
        _even(frame.size, {"file": self._file})
        self._frames.add(frame)

    def close(self) -> None:
        """Make the film."""
        if self._frames.count:
            path = self._folder.path(self._file)
            _encode(self._frames, path, self._folder.recipe, self._fps, self._loss)
            self._folder.wrote(path)


@node(role="sink")
class Strip(_Gathered):
    """Gather snapshots and put them side by side in one picture, `columns` in a row, to show how it came about."""

    def __init__(
        self, folder: Folder, *, file: PictureName = "strip.png", columns: Count = 6, quality: Quality = 95
    ) -> None:
        super().__init__(folder, file)
        self._columns = columns
        self._quality = quality

    def __call__(self, image: Image) -> None:
        """Add a snapshot."""
        self._frames.add(pictures.frame(image))

    def close(self) -> None:
        """Write the picture."""
        if self._frames.count:
            path = self._folder.path(self._file)
            whole = pictures.sheet(self._frames.read(), self._columns)
            pictures.write(whole, path, self._folder.recipe, self._quality)
            self._folder.wrote(path)


def _encode(frames: pictures.Frames, path: Path, recipe: str, fps: int, loss: int) -> None:
    """Make a film of the frames, whole or not at all."""
    place = frames.pattern.parent
    fresh = place / f"film{path.suffix.lower()}"
    (place / "about.txt").write_text(metadata.in_film(recipe), encoding="utf-8", newline="\n")
    # A fixed number of threads and no names of versions: the same bytes on any load of the machine.
    options = {
        ".mp4": f"-c:v libx264 -threads 4 -preset medium -crf {loss} -pix_fmt yuv420p -movflags +faststart",
        ".webm": f"-c:v libvpx-vp9 -threads 4 -cpu-used 2 -crf {loss} -b:v 0 -pix_fmt yuv420p",
        ".gif": "-lavfi split[a][b];[a]palettegen[palette];[b][palette]paletteuse",
    }[fresh.suffix]
    command = [metadata.ffmpeg(), "-v", "error", "-y", "-framerate", str(fps), "-start_number", "1"]
    command += ["-i", frames.pattern.name, "-f", "ffmetadata", "-i", "about.txt", "-map_metadata", "1"]
    command += ["-frames:v", str(frames.count), *options.split(" "), "-fflags", "+bitexact", "-flags:v", "+bitexact"]
    # From within the folder, whose own name could hold a % that ffmpeg would take for a number's place.
    # In a session of its own, or Ctrl-C would end it together with the run that waits for it.
    told = subprocess.run(
        [*command, fresh.name], cwd=place, stdin=subprocess.DEVNULL, capture_output=True, start_new_session=True
    )
    if told.returncode:
        raise RuntimeError(f"ffmpeg could not make {path.name}: {told.stderr.decode(errors='replace').strip()}")
    os.replace(fresh, path)
