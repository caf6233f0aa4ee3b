"""Pictures between files and tensors: reading strangers' files with care, writing ours the same way every time."""

import math
import os
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
    fresh = path.with_name(f".{path.name}")
    if path.suffix.lower() == ".png":
        picture.save(fresh, "PNG", pnginfo=metadata.in_png(recipe))
    elif path.suffix.lower() == ".webp":
        picture.save(fresh, "WEBP", quality=quality, method=4, exif=metadata.in_exif(recipe))
    else:
        picture.save(fresh, "JPEG", quality=quality, subsampling=0, exif=metadata.in_exif(recipe))
    os.replace(fresh, path)


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


class Frames:
    """Pictures that wait in the run folder, without loss, for a sink to make one file of them.

    They survive a killed run: `count` is all that a checkpoint must keep, and frames beyond it are overwritten.
    """

    def __init__(self, folder: Folder, name: str) -> None:
        self.count = 0
        self._folder = folder.path(f".frames/{name}")
        self._size: tuple[int, int] | None = None

    def add(self, frame: PIL.Image.Image) -> None:
        """Store a picture, which must be of the same size as the others."""
        self._check(frame)
        self._folder.mkdir(parents=True, exist_ok=True)
        # What PNG's filters leave has no repetitions worth a search but runs: a third faster so, and no larger.
        frame.save(self._path(self.count), "PNG", compress_level=1, compress_type=zlib.Z_RLE)
        self.count += 1

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
