"""Pictures of our own opened where they are needed, however large.

What comes from elsewhere is decoded by a program of its own (codec.read). Here are files of runs.
Pillow by itself warns of more than 89 megapixels and refuses twice as many, fewer than a strip of snapshots may have.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import PIL.Image
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import jpeg_factory
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from t2iflow.nodes.pictures import endings

LARGEST = 300_000_000
"""Pixels that one picture may have: a whole one of the largest size, or many side by side."""
KINDS: Mapping[str, Callable[..., ImageFile]] = {
    ".png": PngImageFile,
    ".jpg": jpeg_factory,
    ".webp": WebPImageFile,
    ".gif": GifImageFile,
}


@contextmanager
def opened(path: Path) -> Iterator[PIL.Image.Image]:
    """A picture as Pillow opens it; OSError or ValueError where there is none. A damaged one may also raise SyntaxError
    when its pixels are asked for."""
    with path.open("rb") as file:
        kind = KINDS.get(endings.known(file.read(endings.NEEDED)) or "")
        file.seek(0)
        if kind is None:
            raise ValueError("it isn't a PNG, JPEG, WebP or GIF picture")
        try:
            picture = kind(file, str(path))
        except SyntaxError as fault:
            raise ValueError(f"it is damaged: {fault}") from fault
        if picture.width * picture.height > LARGEST:
            raise ValueError(f"more than {LARGEST // 10**6} megapixels are not read")
        with picture:
            yield picture


def loaded(path: Path) -> PIL.Image.Image:
    """The same with all that it carries, its file closed again."""
    with opened(path) as picture:
        return picture.copy()
