"""The picture that a cell made, small: as sheets and pages show it."""

import contextlib
import io
import os
from pathlib import Path

import PIL.Image

from t2iflow.nodes.core.run_files import NOW
from t2iflow.nodes.core.whole import share
from t2iflow.nodes.film.decoder import every_picture
from t2iflow.nodes.pictures import opening
from t2iflow.nodes.pictures.codec import over
from t2iflow.nodes.pictures.endings import FILMS, VIDEOS
from t2iflow.runner.folder.outputs import foremost, stills, wrote
from t2iflow.runner.folder.places import RUNS

FOLDER, SIDE, QUALITY = ".small", 256, 90
"""Where small pictures are kept in the folder of a sweep, pixels of their longer side, and the quality of WebP."""


def picture(run: Path, strips: frozenset[str]) -> Path | None:
    """The picture that a run is known by, but for `strips` of it on its way; where there is none its last film."""
    files = wrote(run)
    films = [path for path in files if path.suffix.lower() in FILMS]
    return foremost(stills(files, strips)) or next(reversed(films), None)


def opened(path: Path) -> PIL.Image.Image:
    """A picture, or the first of a film; OSError or ValueError where that can't be read."""
    if path.suffix.lower() in VIDEOS:
        return PIL.Image.fromarray(next(iter(every_picture(str(path)))).numpy())
    with opening.opened(path) as found:
        return over(found, "#ffffff").convert("RGB")


def so_far(sweep: Path, cell: str) -> Path | None:
    """The small picture of a cell, or while it runs the picture as it is now; None before there is one."""
    places = (sweep / FOLDER / f"{cell}.webp", sweep / RUNS / cell / NOW)
    return next((path for path in places if os.path.isfile(path)), None)


def thumbnail(sweep: Path, cell: str, source: Path) -> Path:
    """The file of a cell's small picture, which is made if need be."""
    small = sweep / FOLDER / f"{cell}.webp"
    with contextlib.suppress(OSError):
        if small.stat().st_mtime_ns >= source.stat().st_mtime_ns:
            return small
    shown = opened(source)
    shown.thumbnail((SIDE, SIDE), PIL.Image.Resampling.LANCZOS)
    small.parent.mkdir(exist_ok=True)
    data = io.BytesIO()
    shown.save(data, "WEBP", quality=QUALITY)
    share(small, data.getvalue())
    return small
