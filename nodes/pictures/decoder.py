"""The decoder: a program of its own that decodes an untrusted picture.

    python -I decoder.py FILE SIDE FOLDER...

It is separate from the run because a file can keep a decoder busy for hours, fill the memory, or crash it: here that
ends only this program. It prints `MODE WIDTH HEIGHT` and a newline, then the pixels row by row: L, LA, RGB or RGBA of 8
bits a channel, or F, grey as floats in 0..1. A file that isn't read ends it with the reason and one of the
codes `REFUSED`, `DAMAGED` and `TOO_LARGE`.

A picture is shrunk, by a whole factor and in bands, as long as its sides stay twice as long as SIDE (0: never). FOLDERs
are where packages are, too, such as those of one user, which `-I` hides.
"""

import io
import math
import struct
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import IO

sys.path += sys.argv[3:] if __name__ == "__main__" else []

import PIL.Image
from PIL.Image import Image, Transpose

FORMATS = ("PNG", "JPEG", "WebP", "GIF", "BMP", "TIFF", "AVIF", "ICO", "PPM")
TARGA = (".tga", ".icb", ".vda", ".vst")
"""Targa has no signature: only these names are taken for it."""

MOST = 100_000_000
"""Pixels that a picture may have; more is refused before it is decoded."""
LARGEST = 800_000_000
"""Bytes that a file may have: those pixels in 16 bits a channel, with some to spare."""
SECONDS, MEMORY = 30, 3 << 30
"""What decoding may take, where the system keeps to it."""
REFUSED, DAMAGED, TOO_LARGE = 9, 10, 11
BAND = 256
"""Rows that are worked on at once."""

KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf")
"""Chunks of a PNG that pixels are made of, and how it was held. Texts and profiles of any length are passed over."""

ORIENTATION = 0x0112
TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
"""How a picture is put upright, by what its EXIF says."""

BITS, PHOTOMETRIC, WHITE_IS_ZERO = 258, 262, 0
"""Tags of a TIFF, and what the second may say."""


class RefusedError(Exception):
    """Why a picture is not read."""

    code = REFUSED


class TooLargeError(RefusedError):
    """The same of one that would be read if it were smaller."""

    code = TOO_LARGE


def decode(path: Path, side: int) -> Image:
    """The picture in a file, upright; the first of several. RefusedError, or whatever Pillow raises."""
    if path.stat().st_size > LARGEST:
        raise TooLargeError(f"has {path.stat().st_size / 1e6:.0f} MB; more than {LARGEST // 10**6} MB are not read")
    with path.open("rb") as file, PIL.Image.open(_bare(file), formats=_formats(path)) as opened:
        width, height = opened.size
        if width * height > MOST:
            raise TooLargeError(
                f"says that it is {width} x {height}; more than {MOST // 10**6} megapixels are not read"
            )
        wanted = 2 * side
        if side and opened.format in ("JPEG", "MPO"):
            opened.draft(opened.mode, (wanted, wanted))
        opened.load()
        factor = max(1, min(opened.size) // wanted) if side else 1
        turn = TURNS.get(_orientation(opened))
        picture = _plain(opened) if factor == 1 else _shrunk(opened, factor)
    return picture if turn is None else picture.transpose(turn)


def _formats(path: Path) -> tuple[str, ...]:
    PIL.Image.init()
    known = (*FORMATS, "TGA") if path.suffix.lower() in TARGA else FORMATS
    if "AVIF" not in PIL.Image.OPEN and path.open("rb").read(12)[4:] in (b"ftypavif", b"ftypavis"):
        raise RefusedError("is AVIF, which needs Pillow 11.3 or later: pip install -U pillow")
    return tuple(name.upper() for name in known if name.upper() in PIL.Image.OPEN)


def _bare(file: io.BufferedReader) -> IO[bytes]:
    """The file; of a PNG no more than the chunks that are kept."""
    if file.peek(8)[:8] != b"\x89PNG\r\n\x1a\n":
        return file
    parts = [file.read(8)]
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind in KEPT:
            parts += [head, file.read(length + 4)]
        else:
            file.seek(length + 4, io.SEEK_CUR)
        if kind == b"IEND":
            break
    return io.BytesIO(b"".join(parts))


def _orientation(opened: Image) -> int:
    with suppress(Exception):  # EXIF that can't be read says nothing
        return int(opened.getexif().get(ORIENTATION, 1))
    return 1


def _shrunk(opened: Image, factor: int) -> Image:
    """The picture shrunk in bands, so that no more than one of them is there in another form."""
    width, height = opened.size
    rows = factor * math.ceil(BAND / factor)
    whole: Image | None = None
    for top in range(0, height, rows):
        band = opened.crop((0, top, width, min(top + rows, height)))
        small = _plain(band, opened).reduce(factor)
        if whole is None:
            whole = PIL.Image.new(small.mode, (small.width, math.ceil(height / factor)))
        whole.paste(small, (0, top // factor))
    assert whole is not None
    return whole


def _plain(picture: Image, opened: Image | None = None) -> Image:
    """A picture, or a band of an opened one, in one of the modes that are given on."""
    opened = opened or picture
    if picture.mode.startswith(("I", "F")):
        return _deep(picture, opened)
    if picture.has_transparency_data:
        return picture if picture.mode in ("LA", "RGBA") else picture.convert("LA" if picture.mode == "La" else "RGBA")
    if picture.mode == "LAB":
        raise RefusedError("has its colours in CIELAB; save it in RGB")
    return picture.convert("L" if picture.mode in ("1", "L") else "RGB")


def _deep(picture: Image, opened: Image) -> Image:
    """Grey of more than 8 bits: as whole numbers of 16 bits, or of what a TIFF says, or as floats in 0..1."""
    import numpy as np  # which takes longer to import than most pictures to decode

    levels = np.asarray(picture, dtype=np.float32)
    if picture.mode == "F":
        low, high = float(levels.min()), float(levels.max())
        if not (low >= -0.01 and high <= 1.01):  # false of what is not a number, too
            rule = "not from 0 to 1: spread them, as `magick` does with `-auto-level`"
            raise RefusedError(f"has floats from {low:g} to {high:g}, {rule}")
        return PIL.Image.fromarray(levels.clip(0, 1))
    tags = getattr(opened, "tag_v2", {})
    if picture.mode == "I" and tags:
        raise RefusedError("has whole numbers of 32 bits, or below 0; save it with 16 bits")
    deepest = 2 ** int(tags.get(BITS, (16,))[0]) - 1
    grey = PIL.Image.fromarray((levels / deepest).clip(0, 1))
    if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        grey = PIL.Image.fromarray(1 - np.asarray(grey))
    if isinstance(key := opened.info.get("transparency"), int):  # one grey is transparent
        alpha = PIL.Image.fromarray(np.where(levels == key, 0, 255).astype(np.uint8))
        return PIL.Image.merge("LA", (grey.point(lambda level: level * 255 + 0.5).convert("L"), alpha))
    return grey


def _limit() -> None:
    try:
        import resource
    except ImportError:  # a system without them
        return
    for what, amount in ((resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_AS, MEMORY)):
        hard = resource.getrlimit(what)[1]
        with suppress(OSError, ValueError):
            resource.setrlimit(what, (amount if hard == resource.RLIM_INFINITY else min(amount, hard), hard))


def main(file: str, side: str) -> int:
    """Print the pixels of the picture in a file, or why there are none."""
    _limit()
    warnings.simplefilter("ignore")  # the limit of pixels is our own
    PIL.Image.MAX_IMAGE_PIXELS = MOST
    try:
        picture = decode(Path(file), int(side))
        sys.stdout.buffer.write(f"{picture.mode} {picture.width} {picture.height}\n".encode())
        for top in range(0, picture.height, BAND):
            band = picture.crop((0, top, picture.width, min(top + BAND, picture.height)))
            sys.stdout.buffer.write(band.tobytes())
    except RefusedError as fault:
        code, reason = fault.code, str(fault)
    except PIL.UnidentifiedImageError:
        code, reason = REFUSED, f"is not a picture of a kind that can be read: {', '.join(FORMATS)} or TGA"
    except PIL.Image.DecompressionBombError:
        code = TOO_LARGE
        reason = f"says that it is far larger than the {MOST // 10**6} megapixels that are read at most"
    except MemoryError:
        code, reason = TOO_LARGE, "needs more memory than a picture may use"
    except Exception as fault:  # whatever Pillow makes of untrusted bytes
        code, reason = DAMAGED, f"is damaged or cut short: {str(fault) or type(fault).__name__}"
    else:
        return 0
    sys.stdout.buffer.write(reason.encode(errors="replace"))
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
