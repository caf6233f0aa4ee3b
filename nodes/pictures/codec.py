"""Pictures between files and tensors: reading untrusted files with care, writing ours deterministically."""

import hashlib
import io
import math
import os
import subprocess
import sys
import zlib
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import cast

import numpy
import PIL.Image
import torch
from torch import Tensor

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.ambient import Folder
from t2iflow.nodes.core.memo import until_changed
from t2iflow.nodes.core.run_files import WAITING
from t2iflow.nodes.core.types import Image, Size
from t2iflow.nodes.core.whole import sync, whole
from t2iflow.nodes.pictures import decoder, metadata
from t2iflow.nodes.pictures.opening import LARGEST as LARGEST
from t2iflow.nodes.pictures.opening import loaded

BACKLOG = 8
"""Frames that may be on their way there."""
DIGITS = 32
"""Of the digest of a frame."""

SIDES = {".webp": 16_383, ".jpg": 65_500, ".jpeg": 65_500}
"""Pixels that a side may have in formats that end before pictures do."""
PATIENCE = 120
"""Seconds to wait for a picture to be decoded, on however busy a machine."""
BAND = 512
"""Rows that are made a tensor at once."""


class DamagedError(ValueError):
    """A picture, film or sound that no program can read whole."""


class TooLargeError(ValueError):
    """A picture that would be read if it were smaller."""


REFUSALS = {decoder.REFUSED: ValueError, decoder.DAMAGED: DamagedError, decoder.TOO_LARGE: TooLargeError}


def read(file: str, size: Size | None = None) -> PIL.Image.Image:
    """An untrusted picture, upright: L, LA, RGB or RGBA of 8 bits a channel, or F for finer grey, in 0..1.

    With a `size` in mind, a far larger picture is shrunk while it is read. ValueError for anything else than a picture.
    """
    path = paths.given(file)
    if why := paths.no_content(path):
        raise ValueError(f"the file `{file}` {why}")
    packages = {str(Path(package).parents[1]) for package in (PIL.__file__, numpy.__file__)}
    command = [sys.executable, "-I", decoder.__file__, str(path.absolute()), str(max(size or (0,))), *packages]
    try:
        # In a session of its own, or Ctrl-C would end it with a message of its own.
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, start_new_session=True
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"`{path.name}` takes too long to decode") from None
    if done.returncode in REFUSALS:
        raise REFUSALS[done.returncode](f"`{path.name}` {done.stdout.decode()}")
    if done.returncode:
        fault = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        why = f": {fault}" if fault else ""
        raise ValueError(f"`{path.name}` takes too long or too much memory to decode, or is damaged{why}")
    head = done.stdout.index(b"\n") + 1
    mode, width, height = done.stdout[:head].decode().split()
    levels = cast("bytes", memoryview(done.stdout)[head:])  # not copied: they may be many
    return PIL.Image.frombuffer(mode, (int(width), int(height)), levels, "raw", mode, 0, 1)


@until_changed
def look(path: Path) -> None:
    """Refuse a file that is no picture, or a damaged one."""
    read(str(path), (1, 1))


def over(picture: PIL.Image.Image, backdrop: str) -> PIL.Image.Image:
    """The picture in RGB, with transparency laid over a colour; finer grey as it is."""
    if not picture.has_transparency_data:
        return picture if picture.mode == "F" else picture.convert("RGB")
    ground = PIL.Image.new("RGBA", picture.size, backdrop)
    return PIL.Image.alpha_composite(ground, picture.convert("RGBA")).convert("RGB")


def to_tensor(picture: PIL.Image.Image) -> Tensor:
    """(1, channels, h, w) in 0..1."""
    width, height = picture.size
    whole = torch.empty(1, len(picture.getbands()), height, width)
    for top in range(0, height, BAND):  # a large picture would be there several times over
        band = picture.crop((0, top, width, min(top + BAND, height)))
        kind = torch.float32 if band.mode == "F" else torch.uint8
        levels = torch.frombuffer(bytearray(band.tobytes()), dtype=kind).view(band.height, width, -1)
        whole[0, :, top : top + BAND] = levels.permute(2, 0, 1)
    return whole if picture.mode == "F" else whole.div_(255)


def from_tensor(image: Tensor) -> PIL.Image.Image:
    """One picture (3, h, w), rounded to 8 bits and clamped to 0..1."""
    levels = (image.detach().float().clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().contiguous()
    return PIL.Image.frombytes("RGB", (levels.shape[1], levels.shape[0]), levels.numpy().tobytes())


def check_size(size: Size, file: str) -> None:
    """Refuse a picture that is larger than its file can be, by the suffix, or than any is made."""
    (width, height), most = size, SIDES.get(Path(file).suffix.lower())
    if most and max(size) > most:
        raise ValueError(
            f"`{file}` can't be {width} x {height}: such files hold at most {most} pixels per side, a PNG more"
        )
    if width * height > LARGEST:
        raise ValueError(f"`{file}` would be {width} x {height}, more than {LARGEST // 10**6} megapixels")


def write(picture: PIL.Image.Image, path: Path, recipe: str, quality: int = 95) -> Path:
    """Write a picture that carries its recipe, whole or not at all; the suffix says the format.

    Gives the file: a picture too large for its format is not lost, but becomes a PNG.
    """
    if max(picture.size) > SIDES.get(path.suffix.lower(), math.inf):
        path = path.with_name(f"{path.name}.png")
    with whole(path) as fresh:
        if path.suffix.lower() == ".png":
            picture.save(fresh, "PNG", pnginfo=metadata.in_png(recipe))
        elif path.suffix.lower() == ".webp":
            picture.save(fresh, "WEBP", quality=quality, method=4, exif=metadata.in_exif(recipe))
        else:
            whitened, exif = over(picture, "white"), metadata.in_jpeg(recipe)
            whitened.save(fresh, "JPEG", quality=quality, subsampling=0, exif=exif)
    return path


def sheet(
    pictures: Iterable[PIL.Image.Image], size: Size, count: int, columns: int, clear: bool = False
) -> PIL.Image.Image:
    """Pictures of one size side by side, row by row; the rest of the last row is black, or transparent if `clear`."""
    (width, height), columns = size, min(columns, count)
    mode = "RGBA" if clear and count % columns else "RGB"
    whole = PIL.Image.new(mode, (columns * width, math.ceil(count / columns) * height))
    for number, picture in enumerate(pictures):
        whole.paste(picture, (number % columns * width, number // columns * height))
    return whole


def frame(image: Image) -> PIL.Image.Image:
    """A batch as one picture, side by side, about as many columns as rows."""
    shown = [from_tensor(one) for one in image]
    return sheet(shown, shown[0].size, len(shown), math.ceil(math.sqrt(len(shown)))) if len(shown) > 1 else shown[0]


class LostFrameError(ValueError):
    """A frame that waits in the run folder is gone, or not as it was written."""


class Frames:
    """Pictures that wait in the run folder, without loss, for a sink to make one file of them.

    They survive a killed run: their digests are all that a checkpoint must keep, and frames beyond them are
    overwritten. A thread stores them, while the next is made.
    """

    def __init__(self, folder: Folder, name: str) -> None:
        self._digests: list[str] = []
        self._name, self._folder = name, folder.path(f"{WAITING}/{name}")
        self._size: tuple[int, int] | None = None
        self._unsynced: list[Path] = []
        self._storing: deque[Future[str]] = deque()
        self._thread = ThreadPoolExecutor(1)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._digests) + len(self._storing)

    def add(self, frame: PIL.Image.Image) -> None:
        """Store a picture, which must be of the same size as the others; what kept an earlier one from being stored is
        raised now."""
        self._settle(BACKLOG - 1)
        self._check(frame)
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(self.count)
        self._unsynced.append(path)
        self._storing.append(self._thread.submit(_stored, frame, path))

    def remember(self) -> str:
        """The digests in one text, once all frames are safe from a power cut."""
        self._settle()
        for path in self._unsynced:
            sync(path)
        if self._unsynced:
            sync(self._folder)
        self._unsynced.clear()
        return "".join(self._digests)

    def _settle(self, left: int = 0) -> None:
        """Wait until no more frames are still to be stored; where one can't be, those before it are all."""
        while len(self._storing) > left:
            try:
                self._digests.append(self._storing[0].result())
                self._storing.popleft()
            except OSError:
                wait(self._storing)
                self._storing.clear()
                self._unsynced.clear()
                raise

    def recall(self, digests: str) -> None:
        """Go on after these frames; LostFrameError where one of them is not as it was."""
        found = [digests[start : start + DIGITS] for start in range(0, len(digests), DIGITS)]
        for number, digest in enumerate(found):
            path = self._path(number)
            if path.is_symlink() or not os.path.isfile(path):
                raise LostFrameError(f"frame {number + 1} of `{self._name}` is missing: there is no file {path.name}")
            if _digest(path.read_bytes()) != digest:
                raise LostFrameError(f"frame {number + 1} of `{self._name}` is damaged: {path.name} has changed")
        self._digests = found

    def sheet(self, columns: int) -> PIL.Image.Image:
        """The pictures side by side on nothing; of more than one picture can hold, every second, third, ..."""
        paths = self.paths
        width, height = loaded(paths[0]).size
        shown = paths[:: math.ceil(self.count * width * height / LARGEST)]
        return sheet((loaded(path) for path in shown), (width, height), len(shown), columns, clear=True)

    @property
    def paths(self) -> list[Path]:
        """The pictures' files, in order."""
        self._settle()
        return [self._path(number) for number in range(self.count)]

    def _check(self, frame: PIL.Image.Image) -> None:
        if self._size is None:
            self._size = loaded(self._path(0)).size if self._digests else frame.size
        if frame.size != self._size:
            had, has = ("{} x {}".format(*size) for size in (self._size, frame.size))
            raise ValueError(f"frame {self.count + 1} is {has}, but those before it are {had}")

    def _path(self, number: int) -> Path:
        return self._folder / f"{number + 1:06d}.png"


def _stored(frame: PIL.Image.Image, path: Path) -> str:
    """Store a frame; gives its digest."""
    packed = io.BytesIO()
    # What PNG's filters leave has no repetitions worth a search but runs: a third faster so, and no larger.
    frame.save(packed, "PNG", compress_level=1, compress_type=zlib.Z_RLE)
    path.unlink(missing_ok=True)  # somebody's link there would be written through
    path.write_bytes(packed.getbuffer())
    return _digest(packed.getbuffer())


def _digest(packed: bytes | memoryview) -> str:
    return hashlib.blake2b(packed, digest_size=DIGITS // 2).hexdigest()
