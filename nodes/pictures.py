"""Pictures between files and tensors: reading strangers' files with care, writing ours the same way every time."""

import hashlib
import io
import math
import warnings
import zlib
from pathlib import Path

import PIL.Image
import PIL.ImageOps
import torch
from torch import Tensor

from t2iflow.nodes import metadata, paths
from t2iflow.nodes.ambient import Folder
from t2iflow.nodes.types import Image
from t2iflow.nodes.whole import sync, whole

DIGITS = 32
"""Of the digest of a frame."""

FORMATS = ("PNG", "JPEG", "WEBP")
MOST = 100_000_000
"""Pixels that a picture may have; more is refused before it is decoded."""


def looks_like_picture(path: Path) -> bool:
    """Whether a file begins as a PNG, JPEG or WebP does."""
    with path.open("rb") as file:
        head = file.read(12)
    return head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) or (head[:4] == b"RIFF" and head[8:] == b"WEBP")


def read(file: str) -> PIL.Image.Image:
    """A picture as Pillow has it, upright, in 8 bits a channel; ValueError for whatever is none."""
    path = paths.given(file)
    if why := paths.no_content(path):
        raise ValueError(f"the file `{file}` {why}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)  # the limit here is our own
            with PIL.Image.open(path, formats=FORMATS) as opened:
                _check(opened, path)
                opened.load()
                upright = PIL.ImageOps.exif_transpose(opened)
                return upright if upright is not opened else opened.copy()
    except PIL.UnidentifiedImageError:
        raise ValueError(f"`{file}` is not a picture; PNG, JPEG and WebP can be read") from None
    except _Refused as fault:
        raise ValueError(f"`{file}` {fault}") from None
    except PIL.Image.DecompressionBombError:
        raise ValueError(f"`{file}` says that it has more than {MOST // 10**6} megapixels; it was not read") from None
    except (OSError, ValueError, SyntaxError, EOFError, ArithmeticError, LookupError) as fault:  # all are Pillow's
        raise ValueError(f"`{file}` is damaged or cut short: {fault}") from fault


class _Refused(Exception):
    """Why a picture is not read."""


def _check(opened: PIL.Image.Image, path: Path) -> None:
    width, height = opened.size
    if width * height > MOST:
        raise _Refused(f"says that it is {width} x {height}; more than {MOST // 10**6} megapixels are not read")
    with path.open("rb") as file:
        head = file.read(25)
    if opened.mode.startswith(("I", "F")) or (opened.format == "PNG" and head[24] == 16):
        raise _Refused("has more than 8 bits a channel; save it with 8")


def over(picture: PIL.Image.Image, backdrop: str) -> PIL.Image.Image:
    """The picture in red-green-blue, what is transparent in it laid over a colour."""
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    ground = PIL.Image.new("RGBA", picture.size, backdrop)
    return PIL.Image.alpha_composite(ground, picture.convert("RGBA")).convert("RGB")


def to_tensor(picture: PIL.Image.Image) -> Tensor:
    """(1, channels, h, w) in 0..1."""
    levels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    return (levels.view(picture.height, picture.width, -1).permute(2, 0, 1)[None].float() / 255).contiguous()


def from_tensor(image: Tensor) -> PIL.Image.Image:
    """One picture (3, h, w), rounded to 8 bits; what lies outside of 0..1 is cut off."""
    levels = (image.detach().float().clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().contiguous()
    return PIL.Image.frombytes("RGB", (levels.shape[1], levels.shape[0]), levels.numpy().tobytes())


def write(picture: PIL.Image.Image, path: Path, recipe: str, quality: int = 95) -> None:
    """Write a picture that carries its recipe, whole or not at all; the suffix says the format."""
    with whole(path) as fresh:
        if path.suffix.lower() == ".png":
            picture.save(fresh, "PNG", pnginfo=metadata.in_png(recipe))
        elif path.suffix.lower() == ".webp":
            picture.save(fresh, "WEBP", quality=quality, method=4, exif=metadata.in_exif(recipe))
        else:
            picture.save(fresh, "JPEG", quality=quality, subsampling=0, exif=metadata.in_exif(recipe))


def sheet(pictures: list[PIL.Image.Image], columns: int) -> PIL.Image.Image:
    """Pictures of one size side by side, row by row."""
    width, height = pictures[0].size
    columns = min(columns, len(pictures))
    whole = PIL.Image.new("RGB", (columns * width, math.ceil(len(pictures) / columns) * height))
    for number, picture in enumerate(pictures):
        whole.paste(picture, (number % columns * width, number // columns * height))
    return whole


def frame(image: Image) -> PIL.Image.Image:
    """A batch as one picture, side by side, about as many columns as rows."""
    shown = [from_tensor(one) for one in image]
    return sheet(shown, math.ceil(math.sqrt(len(image)))) if len(shown) > 1 else shown[0]


class LostFrameError(ValueError):
    """A frame that waits in the run folder is gone, or not as it was written."""


class Frames:
    """Pictures that wait in the run folder, without loss, for a sink to make one file of them.

    They survive a killed run: their digests are all that a checkpoint must keep, and frames beyond them are
    overwritten.
    """

    def __init__(self, folder: Folder, name: str) -> None:
        self.digests: list[str] = []
        self._name, self._folder = name, folder.path(f".frames/{name}")
        self._size: tuple[int, int] | None = None
        self._unsynced: list[Path] = []

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.digests)

    def add(self, frame: PIL.Image.Image) -> None:
        """Store a picture, which must be of the same size as the others."""
        self._check(frame)
        self._folder.mkdir(parents=True, exist_ok=True)
        packed = io.BytesIO()
        # What PNG's filters leave has no repetitions worth a search but runs: a third faster so, and no larger.
        frame.save(packed, "PNG", compress_level=1, compress_type=zlib.Z_RLE)
        path = self._path(self.count)
        path.unlink(missing_ok=True)  # somebody's link there would be written through
        path.write_bytes(packed.getbuffer())
        self._unsynced.append(path)
        self.digests.append(_digest(packed.getbuffer()))

    def remember(self) -> str:
        """The digests in one text, once all frames are safe from a power cut."""
        for path in self._unsynced:
            sync(path)
        if self._unsynced:
            sync(self._folder)
        self._unsynced.clear()
        return "".join(self.digests)

    def recall(self, digests: str) -> None:
        """Go on after these frames; LostFrameError where one of them is not as it was."""
        found = [digests[start : start + DIGITS] for start in range(0, len(digests), DIGITS)]
        for number, digest in enumerate(found):
            path = self._path(number)
            if path.is_symlink() or not path.is_file():
                raise LostFrameError(f"frame {number + 1} of `{self._name}` is missing: there is no file {path.name}")
            if _digest(path.read_bytes()) != digest:
                raise LostFrameError(f"frame {number + 1} of `{self._name}` is damaged: {path.name} has changed")
        self.digests = found

    def read(self) -> list[PIL.Image.Image]:
        """The pictures, in order."""
        return [read(str(path)) for path in self.paths]

    @property
    def paths(self) -> list[Path]:
        """The pictures' files, in order."""
        return [self._path(number) for number in range(self.count)]

    def _check(self, frame: PIL.Image.Image) -> None:
        if self._size is None:
            self._size = read(str(self._path(0))).size if self.count else frame.size
        if frame.size != self._size:
            had, has = ("{} x {}".format(*size) for size in (self._size, frame.size))
            raise ValueError(f"frame {self.count + 1} is {has}, but those before it are {had}")

    def _path(self, number: int) -> Path:
        return self._folder / f"{number + 1:06d}.png"


def _digest(packed: bytes | memoryview) -> str:
    return hashlib.blake2b(packed, digest_size=DIGITS // 2).hexdigest()
