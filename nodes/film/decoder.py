"""The pictures of a film, decoded one after another by ffmpeg."""

import os
import re
import subprocess
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import IO

import torch
from torch import Tensor

from t2iflow.nodes.core.memo import until_changed
from t2iflow.nodes.core.types import Size, exact
from t2iflow.nodes.film import formats
from t2iflow.nodes.pictures.codec import DamagedError

TIE = 1e-3
"""Seconds by which a picture may be late and still in time: Matroska keeps times in thousandths."""

STREAM = re.compile(r"Video: .*?, (?P<form>[a-z0-9]+)(\((?P<tags>[^)]*)\))?, (?P<w>\d+)x(?P<h>\d+)")
"""How ffmpeg describes the pictures of a film: their form in memory, what it says of colours, and their size."""
PIXEL = re.compile(r"Video: .*\[SAR (\d+):(\d+) ")
"""How it describes the shape of a pixel."""
WIDEST = 16384
"""Pixels that a picture may be stretched to."""
MATRICES = {"bt709", "bt470bg", "smpte170m", "smpte240m", "fcc", "bt2020nc", "bt2020c", "ycgco", "ictcp"}

APART = 12
"""Seconds that pictures which can be read by themselves lie apart at most: x264 has one in 250, others more."""

PATIENCE = 60
"""Seconds to wait for the first picture."""

LONGEST = 2000
"""Bytes of an error message that are read."""


@dataclass(frozen=True)
class About:
    """What a film is; `sound` in seconds, 0 for a silent one."""

    size: Size
    fps: float
    frames: int
    sound: float

    def __str__(self) -> str:
        size = "{} x {}".format(*self.size)
        return f"{size}, {self.fps:g} fps, {self.frames} frames, {'with' if self.sound else 'without'} sound"


def about(file: str) -> About:
    """What a film is, decoding no more than a picture of it; ValueError where there is none in the file."""
    path = Path(file)
    footage = Footage(path)
    height, width, _ = footage.first().shape
    footage.close()
    report, frames, _ = _passed(path, "V")
    fps = re.search(r"Video:.*?([\d.]+)(k?) (?:fps|tbr)", report)
    rate = float(fps[1]) * (1000 if fps[2] else 1) if fps else 0.0
    return About((width, height), rate, frames, sound=_passed(path, "a")[2])


def every_picture(file: str) -> Iterator[Tensor]:
    """The pictures of a film one after another, (h, w, 3) in 0..255; ValueError where there is none."""
    footage = Footage(Path(file))
    levels: Tensor | None = footage.first()
    while levels is not None:
        yield levels
        levels = footage.read()
    footage.close()


@until_changed
def look(path: Path) -> None:
    """Refuse a file that is no film, or of which no picture can be read."""
    footage = Footage(path)
    footage.first()
    footage.close()


class Footage:
    """The pictures of a film, read by ffmpeg one after another."""

    def __init__(self, path: Path, start: float = 0.0, fps: float | None = None) -> None:
        # As PPM, each with its size: that of a film that was held upright is known only when it is turned.
        given = ["-fps_mode", "passthrough", "-c:v", "ppm", "-pix_fmt", "rgb24", "-f", "image2pipe", "-"]
        options = ["-v", "error", "-copyts", "-start_at_zero"]  # by the film's own clock
        # V: pictures that move, not the cover of a song.
        command = [*_reading(path, *options, start=start), "-map", "0:V:0", "-vf"]
        command += [_chosen(start, fps) + _coloured(path) + _squared(path), *given]
        self._path = path
        self._faults = tempfile.TemporaryFile()  # noqa: SIM115 (a pipe that nobody reads would fill)
        # In a session of its own, or Ctrl-C would end it before the run that reads from it.
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._faults, start_new_session=True
        )
        self.close = weakref.finalize(self, _stop, self._process, self._faults)

    def first(self) -> Tensor:
        """The first picture, of which there must be one."""
        watch = Timer(PATIENCE, self._process.kill)
        watch.daemon = True
        watch.start()
        try:
            levels = self.read()
        finally:
            watch.cancel()
        if levels is None:
            fault = self.fault
            self.close()
            if formats.only_sounds(self._path):
                raise formats.OnlySoundError(self._path)
            raise DamagedError(
                f"there is no picture in `{self._path.name}`: it is damaged, or ends before `start`"
                + (f" (ffmpeg: {fault})" if fault else "")
            )
        return levels

    def read(self) -> Tensor | None:
        """The next picture, (h, w, 3) in 0..255; None at the end."""
        pipe = self._process.stdout
        head = [pipe.readline() for _ in range(3)] if pipe else []
        if pipe is None or not head[2]:
            return None
        if head[0] != b"P6\n" or head[2] != b"255\n":
            raise RuntimeError(f"ffmpeg gave no pictures of 8 bits of `{self._path.name}`")
        width, height = map(int, head[1].split())
        levels = bytearray(pipe.read(height * width * 3))
        if len(levels) < height * width * 3:
            return None
        return torch.frombuffer(levels, dtype=torch.uint8).view(height, width, 3)

    @property
    def fault(self) -> str:
        """What ffmpeg had to say at the end, if anything."""
        self._process.wait()
        self._faults.seek(0)
        lines = self._faults.read(LONGEST).decode(errors="replace").strip().splitlines()
        return lines[0] if lines else ""


def _chosen(start: float, fps: float | None) -> str:
    """ffmpeg's filter for the pictures from a time on: all of them, or what is shown at each 1/fps of a second."""
    if fps is None:
        return f"select=gte(t\\,{start - TIE:f})"
    # With times rounded up, a picture is given for the first moment at or after its own, and until the next is due.
    return f"settb=AVTB,setpts=PTS-{start + TIE:f}/TB,fps={exact(fps)}:start_time=0:round=up"


def _coloured(path: Path) -> str:
    """ffmpeg's filter for the colours of a film in high definition that doesn't say what they mean.

    They are those of BT.709, as other players take them; ffmpeg would take all for BT.601.
    """
    said = STREAM.search(formats.described(path))
    if said is None or not said["form"].startswith(("yuv", "nv", "p0")):
        return ""
    tags = re.split("[, ]+", said["tags"] or "")
    matrix = next((tag.partition("/")[0] for tag in tags if "/" in tag or tag in MATRICES), "unknown")
    large = int(said["w"]) >= 1280 or int(said["h"]) > 576
    return ",scale=in_color_matrix=bt709" if large and matrix == "unknown" else ""


def _squared(path: Path) -> str:
    """ffmpeg's filter that makes the pixels of a film square, as those of DV, DVDs and anamorphic lenses are not."""
    shape = PIXEL.search(formats.described(path))
    square = shape is None or shape[1] == shape[2]
    return "" if square else f",scale=clip(round(iw*sar)\\,1\\,{WIDEST}):ih,setsar=1"


def _stop(process: subprocess.Popen[bytes], faults: IO[bytes]) -> None:
    """End a program that may still be writing."""
    process.kill()
    process.communicate()
    faults.close()


def _passed(path: Path, stream: str) -> tuple[str, int, float]:
    """What ffmpeg reports of the file, and how many pictures and seconds a stream has; it is not decoded."""
    command = [*_reading(path, "-hide_banner", "-nostats", "-progress", "pipe:1"), "-map", f"0:{stream}:0"]
    report = subprocess.run([*command, "-c", "copy", "-f", "null", "-"], stdin=subprocess.DEVNULL, capture_output=True)
    amounts = dict(line.split("=", 1) for line in report.stdout.decode().split() if "=" in line)
    frames, length = (amounts.get(name, "") for name in ("frame", "out_time_us"))
    return report.stderr.decode(errors="replace"), int(frames or 0), int(length) / 1e6 if length.isdigit() else 0.0


def _reading(path: Path, *options: str, start: float = 0.0) -> list[str]:
    """The beginning of an ffmpeg command that reads a film, from the last picture before `start` that can be read by
    itself, or one before that."""
    if not os.path.isfile(path):
        raise ValueError(f"there is no file `{path}`")
    format = formats.film(path)
    if format is None and formats.sound(path):
        raise formats.OnlySoundError(path)
    if format is None:
        raise ValueError(f"`{path.name}` is not a film; {formats.FILMS} can be read")
    early = start - APART if format in formats.STREAMED else start
    skip = ["-noaccurate_seek", "-ss", f"{early:f}"] if early > 0 else []
    return formats.reading(path, format, *options, *skip)
