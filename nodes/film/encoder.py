"""Films: frames made into one file by ffmpeg, as the file's name ends.

The same frames give the same bytes: a fixed number of threads, no names of versions, no dates.
"""

import contextlib
import math
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO, Literal, cast

from t2iflow.nodes.core.ffmpeg import ffmpeg
from t2iflow.nodes.core.types import Size, exact
from t2iflow.nodes.film import sound
from t2iflow.nodes.pictures import metadata
from t2iflow.nodes.pictures.endings import FILMS

Codec = Literal["h264", "h265"]
Order = Literal["forward", "reverse", "boomerang"]

EXACT = "flags=bicubic+accurate_rnd+full_chroma_int+bitexact"
"""How colours are converted: without shortcuts that differ from one processor to another."""
RGB = f"scale={EXACT},format=rgb24"
# What the colours mean is said in the file, or a player would guess it by the picture's size.
TAGS = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
YUV420 = f"scale=out_color_matrix=bt709:out_range=tv:{EXACT},format=yuv420p,{TAGS}"
YUV422 = f"scale=out_color_matrix=bt709:out_range=tv:{EXACT},format=yuv422p10le,{TAGS}"

BETWEEN = (
    f"scale=out_color_matrix=bt709:out_range=pc:{EXACT},format=yuv444p,tpad=stop_mode=clone:stop=2,"  # it ends 2 early
    "minterpolate=fps={rate}:mi_mode=mci:mc_mode=aobmc:me_mode=bilat:mb_size=8:vsbmc=1"
)
MOST_BETWEEN = 60
"""Frames that one may become: each takes as long as many others that are coded."""
MOVABLE = 16
"""Pixels that a side must have for ffmpeg to detect how blocks move."""

ABOUT, PALETTE = "about.txt", "palette.png"
LONGEST = 2000
"""Bytes of an error message that are shown."""

AAC, OPUS = "-c:a aac -b:a 192k", "-c:a libopus -b:a 160k"


@dataclass(frozen=True)
class Format:
    """A kind of film: what it is called, how it is coded, and what it takes."""

    name: str
    pixels: str
    picture: str
    sound: str = ""
    unit: int = 1
    least: int = 1
    most: int = 65535
    fastest: int | None = None
    palette: bool = False
    """Whether its colours are chosen first, or all frames would wait in memory until they are."""
    row: bool = False
    """Whether each frame has a file of its own."""
    headed: bool = False
    """Whether the recipe is put in afterwards, since ffmpeg can't write it."""


FORMATS = {
    "h264": Format(
        "an MP4 film (H.264)",
        YUV420,
        # Units of type 6 hold only the coder's version and options.
        "-c:v libx264 -preset medium -crf {loss} -bsf:v filter_units=remove_types=6 -movflags +faststart",
        AAC,
        unit=2,
        least=2,
        most=16384,
    ),
    "h265": Format(
        "an MP4 film (H.265)",
        YUV420,
        # By the name hvc1, or Apple's players show nothing.
        "-c:v libx265 -preset medium -crf {loss} -x265-params log-level=error:info=0 -tag:v hvc1 -movflags +faststart",
        AAC,
        unit=2,
        least=32,  # less is taken only where the other side is short
    ),
    ".webm": Format("a WebM film (VP9)", YUV420, "-c:v libvpx-vp9 -cpu-used 2 -crf {loss} -b:v 0", OPUS),
    ".mov": Format(
        "a MOV film (ProRes)",
        YUV422,
        # With tags as MP4 has them: QuickTime's own hold no more than 65 thousand letters.
        "-c:v prores_ks -profile:v hq -vendor apl0 -movflags +faststart+use_metadata_tags",
        AAC,
    ),
    ".gif": Format(
        "a GIF",
        RGB,
        "-c:v gif",
        fastest=50,  # shown for less than 2/100 s, a frame is slowed down
        palette=True,
        headed=True,
    ),
    ".apng": Format("an APNG", RGB, "-c:v apng -pred mixed -compression_level 3 -plays 0", headed=True),
    ".png": Format("a row of PNG pictures", RGB, "-c:v png -pred mixed -compression_level 3", row=True, headed=True),
}
"""By the ending of the file's name; MP4 by its codec."""

ENDINGS = (*FILMS, ".png")


@dataclass(frozen=True)
class Film:
    """How frames become a film."""

    file: str
    codec: Codec
    fps: float
    loss: int
    order: Order
    interpolate: float | None
    sound: str | None
    sound_start: float

    @property
    def ending(self) -> str:
        """How the file's name ends, in small letters."""
        return Path(self.file).suffix.lower()

    @property
    def format(self) -> Format:
        """What kind of film it is."""
        return FORMATS[self.codec if self.ending == ".mp4" else self.ending]

    @property
    def rate(self) -> Fraction:
        """Frames that are shown a second."""
        return exact(self.interpolate or self.fps)

    def check(self) -> None:
        """Refuse options that conflict."""
        name, fastest = self.format.name, self.format.fastest
        if self.codec == "h265" and self.ending != ".mp4":
            raise ValueError(f"only an MP4 film can be H.265, and `{self.file}` is {name}")
        if self.sound is not None and not self.format.sound:
            raise ValueError(f"{name} has no sound; take MP4, MOV or WebM, or leave `sound` out")
        if self.interpolate is not None and self.interpolate <= self.fps:
            raise ValueError(f"`interpolate`, the rate after it, must be above `fps`, which is {self.fps:g}")
        if self.interpolate is not None and self.interpolate > MOST_BETWEEN * self.fps:
            most = f"at most {MOST_BETWEEN * self.fps:g} where `fps` is {self.fps:g}"
            raise ValueError(f"`interpolate` makes at most {MOST_BETWEEN} frames of one: {most}")
        if fastest is not None and self.rate > fastest:
            raise ValueError(f"{name} shows at most {fastest} frames a second, not {float(self.rate):g}")

    def fits(self, size: Size) -> None:
        """Refuse a size that can't be coded, with the nearest that can."""
        unit, most = self.format.unit, self.format.most
        least = max(self.format.least, MOVABLE if self.interpolate else 1)
        below = [min(max(side // unit * unit, least), most) for side in size]
        above = [min(max(-(-side // unit) * unit, least), most) for side in size]
        if below != list(size):
            name = f"{self.format.name}, interpolated," if self.interpolate else self.format.name
            rule = f"{'even and ' if unit == 2 else ''}from {least} to {most}"
            near = " or ".join(dict.fromkeys("{} x {}".format(*sides) for sides in (above, below)))
            raise ValueError("{} can't be {} x {}: sides must be {}; take {}".format(name, *size, rule, near))

    def listen(self) -> bool:
        """Whether there is a sound to be heard; ValueError for one that ends before it is to start."""
        if self.sound is None or not sound.hears(path := Path(self.sound)):
            return False
        if not sound.hears(path, self.sound_start):
            raise ValueError(f"`{path.name}` ends before `sound_start`, {self.sound_start:g} s: nothing would be heard")
        return True

    def make(self, frames: Sequence[Path], path: Path, recipe: str, first: int = 0) -> Path:
        """Make the film of these PNGs, whole or not at all; gives its file, or the first of a row of pictures.

        `first`: the number of the first frame, if these are a part; the sound and the pictures' numbers go on from it.
        """
        shown = _ordered(frames, self.order)
        # So many that the last frame is among them, after as many as the frames before become.
        before, count = (math.ceil(number * self.rate / exact(self.fps)) for number in (first, len(shown)))
        numbers = range(before, before + count) if self.format.row else ()
        targets = [path.with_name(path.name % number) for number in numbers] or [path]
        # In a folder of its own: when a killed run is taken up again, that one's ffmpeg may still be writing.
        with tempfile.TemporaryDirectory(prefix="film-", dir=frames[0].parent) as made:
            place = Path(made)
            (place / ABOUT).write_text(metadata.in_film(recipe), encoding="utf-8", newline="\n")
            if self.format.palette:
                self._run(shown, place, ["-filter_complex", f"{self._filter},palettegen", "-update", "1", PALETTE])
            self._run(shown, place, self._coding(count, first))
            for fresh, target in zip(sorted(place.glob("film*")), targets, strict=True):
                if self.format.headed:
                    metadata.put(recipe, fresh)
                os.replace(fresh, target)
        return targets[0]

    @property
    def _filter(self) -> str:
        """From the frames to what is coded."""
        between = f"{BETWEEN.format(rate=self.rate)}," if self.interpolate else ""
        return f"[0:v]{between}{self.format.pixels}"

    def _coding(self, count: int, first: int) -> list[str]:
        """ffmpeg's arguments besides the frames: what else to read, and how to use it."""
        inputs, graph, heard = ["-f", "ffmetadata", "-i", ABOUT], self._filter, ["-an"]
        if self.format.palette:
            inputs, graph = [*inputs, "-i", PALETTE], f"{graph}[frames];[frames][2:v]paletteuse"
        if self.sound is not None:
            start = self.sound_start + (first / exact(self.fps) if self.order == "forward" else 0)
            path = Path(self.sound)
            inputs = [*inputs, *sound.reading(path)[1:]]  # without the program
            cut = sound.cleaned(path) + _cut(float(start), float(count / self.rate))
            heard = ["-map", "2:a:0", "-af", cut, *self.format.sound.split()]
        tags = ["-map_metadata", "1", "-map_metadata:s:a", "-1", "-map_chapters", "-1"]
        # x264 takes 0 for a lossless form that few players know.
        picture = self.format.picture.format(loss=max(self.loss, 1)).split()
        # A fixed number of threads and no names of versions: the same bytes on any load of the machine.
        same = ["-threads", "4", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact"]
        name = f"film{'%08d' if self.format.row else ''}{self.ending}"
        coded = ["-map", "[film]", "-frames:v", str(count), *picture, *heard, *tags, *same, name]
        return [*inputs, "-filter_complex", f"{graph}[film]", *coded]

    def _run(self, frames: Sequence[Path], place: Path, options: Sequence[str]) -> None:
        """Let ffmpeg work in a folder, on frames that are handed to it one after another."""
        reading = ["-v", "error", "-f", "png_pipe", "-framerate", str(exact(self.fps)), "-i", "-"]
        command = [ffmpeg(), *reading, *options]
        with (
            tempfile.TemporaryFile() as faults,  # a pipe that nobody reads would fill
            # In a session of its own, or Ctrl-C would end it together with the run that waits for it.
            subprocess.Popen(command, cwd=place, stdin=subprocess.PIPE, stderr=faults, start_new_session=True) as coder,
        ):
            try:
                with contextlib.suppress(BrokenPipeError), cast("IO[bytes]", coder.stdin) as pipe:
                    for frame in frames:
                        pipe.write(frame.read_bytes())
                coder.wait()
            except BaseException:
                coder.kill()
                raise
            faults.seek(0)
            fault = faults.read(LONGEST).decode(errors="replace").strip() or f"it ended with {coder.returncode}"
        if coder.returncode:
            raise RuntimeError(f"ffmpeg could not make {self.file}: {fault}")


def _ordered(frames: Sequence[Path], order: Order) -> Sequence[Path]:
    """The frames as they are shown; back and forth, the ends are not shown twice."""
    return {"forward": frames, "reverse": frames[::-1], "boomerang": [*frames, *frames[-2:0:-1]]}[order]


def _cut(start: float, length: float) -> str:
    """ffmpeg's filter for `length` seconds of a sound, in stereo; by decoding, since an MP3 can't be sought in
    exactly."""
    end = f"atrim=start={start:f}:end={start + length:f},asetpts=PTS-STARTPTS"
    return f"{end},aresample=48000,aformat=channel_layouts=stereo"
