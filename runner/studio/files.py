"""Files of runs, as the studio serves them: pictures, films, sounds and tables, nothing that a browser would run."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath
from subprocess import DEVNULL, SubprocessError, run

from starlette.responses import FileResponse, Response

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.ffmpeg import ffmpeg
from t2iflow.nodes.core.missing import MissingPackageError
from t2iflow.nodes.core.run_files import LOG, LOSSES, RECIPE
from t2iflow.nodes.pictures.endings import IMAGES, VIDEOS
from t2iflow.pipelines.text.origin import INPUTS
from t2iflow.runner.folder.watching import LIVE
from t2iflow.runner.studio.home import UNSOUND, Home
from t2iflow.runner.studio.refused import Refused


@dataclass(frozen=True)
class Kind:
    """What a file of some ending is, and as what a browser takes it."""

    kind: str
    media: str


KINDS: Mapping[str, Kind] = {
    **{ending: Kind("picture", media) for ending, media in IMAGES.items()},
    **{ending: Kind("film", media) for ending, media in VIDEOS.items()},
    ".wav": Kind("sound", "audio/wav"),
    ".mp3": Kind("sound", "audio/mpeg"),
    ".ogg": Kind("sound", "audio/ogg"),
    ".csv": Kind("table", "text/plain; charset=utf-8"),
    ".jsonl": Kind("table", "text/plain; charset=utf-8"),
    ".json": Kind("table", "text/plain; charset=utf-8"),
    ".yaml": Kind("recipe", "text/plain; charset=utf-8"),
}
TABLES = (LOSSES, LOG, RECIPE)
"""What every run has besides what it wrote."""
SIDES = range(16, 1025)
"""Pixels of the longer side of a small copy."""
MOST_PIXELS = 100_000_000
"""Pixels of a picture of which a small copy is made."""
PATIENCE = 30.0
"""Seconds in which the first picture of a film is decoded."""
QUALITY = 85
"""Of a small copy, as WebP has it."""


def file_of(home: Home, address: str) -> Path:
    """The file of a run or a sweep at an address; Refused where there is none that is served, or a link leads to it
    from elsewhere."""
    name, _, file = address.rpartition("/")
    if name.endswith(f"/{INPUTS}"):
        name, file = name.removesuffix(f"/{INPUTS}"), f"{INPUTS}/{file}"
    folder = home.folder(name)
    path = folder / file
    hidden = PurePath(file).name.startswith(".") and file != LIVE
    if hidden or UNSOUND.search(file) or path.suffix.lower() not in KINDS or paths.no_file(path):
        raise Refused(404, f"there is no file `{file}` in `{name}`")
    if not paths.real(path).is_relative_to(paths.real(folder)):
        raise Refused(404, f"there is no file `{file}` in `{name}`")
    return path


def served(path: Path, lasting: bool) -> Response:
    """A file as an answer, in parts if that is asked for; one whose address is another when it changes is `lasting`."""
    return FileResponse(path, media_type=KINDS[path.suffix.lower()].media, headers={"cache-control": _keeping(lasting)})


def small(path: Path, side: int, lasting: bool) -> Response:
    """A small copy of a picture, or of the first one of a film; Refused where it is none."""
    try:
        data = _small(str(path), path.stat().st_mtime_ns, side)
    except (OSError, ValueError, SyntaxError, SubprocessError, MissingPackageError) as fault:  # as Pillow raises, too
        raise Refused(404, f"`{path.name}` can't be read as a picture: {fault}") from fault
    return Response(data, media_type="image/webp", headers={"cache-control": _keeping(lasting)})


def _keeping(lasting: bool) -> str:
    return "private, max-age=31536000, immutable" if lasting else "no-cache"


@lru_cache(maxsize=256)
def _small(path: str, stamp: int, side: int) -> bytes:
    import PIL.Image  # here, because a studio in which nobody looks needs none

    from t2iflow.nodes.pictures.opening import opened

    is_film = PurePath(path).suffix.lower() in VIDEOS
    with PIL.Image.open(io.BytesIO(_first(path)), formats=["PPM"]) if is_film else opened(Path(path)) as found:
        if found.width * found.height > MOST_PIXELS:
            raise ValueError("it is too large")
        found.draft("RGB", (side, side))
        shown = found.convert("RGBA" if "A" in found.getbands() or found.info.get("transparency") else "RGB")
    shown.thumbnail((side, side), PIL.Image.Resampling.BOX)
    data = io.BytesIO()
    shown.save(data, "WEBP", quality=QUALITY, method=0)
    return data.getvalue()


def _first(film: str) -> bytes:
    """The first picture of a film, as a PPM."""
    how = ["-v", "error", "-i", film, "-frames:v", "1", "-f", "image2pipe", "-c:v", "ppm", "-"]
    return run([ffmpeg(), *how], stdin=DEVNULL, capture_output=True, timeout=PATIENCE, check=True).stdout
