"""How the names of pictures, films and bundles end, as what a browser takes them, and how they begin. Reads without
torch."""

import re
from pathlib import Path

from t2iflow.nodes.core import paths

PICTURES = {".png": "image/png", ".webp": "image/webp", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
VIDEOS = {".mp4": "video/mp4", ".webm": "video/webm", ".mov": "video/quicktime"}
"""Films that ffmpeg decodes and a browser plays; few play the ProRes of a MOV."""
MOVING = {".gif": "image/gif", ".apng": "image/apng"}
"""Films that Pillow decodes and a browser shows as it does pictures."""
FILMS = {**VIDEOS, **MOVING}
IMAGES = {**PICTURES, **MOVING}
CARRIERS = {**IMAGES, **VIDEOS}
"""All of them, each of which may carry a recipe."""
DRAWN = ".svg"
"""The ending of drawings, which are neither, and may carry one too."""
ZIP = ".zip"
"""The ending of bundles."""

BEGINNINGS = {
    ".png": rb"\x89PNG\r\n\x1a\n",
    ".gif": rb"GIF8[79]a",
    ".jpg": rb"\xff\xd8\xff",
    ".webp": rb"RIFF.{4}WEBP",
    DRAWN: rb"(\xef\xbb\xbf)?<(svg|\?xml)",
    ".mov": rb".{4}ftypqt",
    ".mp4": rb".{4}ftyp",
    ".webm": rb"\x1a\x45\xdf\xa3",
    ZIP: rb"PK\x03\x04",
}
NEEDED = 12
"""Bytes by which a file is known."""


def proper(path: Path) -> str:
    """How the name of a picture, film or bundle should end, by how the file begins; of any other file, how its name
    ends."""
    return known(paths.read_start(path, NEEDED)) or path.suffix.lower()


def known(head: bytes) -> str | None:
    """The ending of a file that begins so, an APNG being a PNG; None for any other kind."""
    return next((ending for ending, begin in BEGINNINGS.items() if re.match(begin, head, re.DOTALL)), None)
