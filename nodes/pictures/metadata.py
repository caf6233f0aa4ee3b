"""The recipe that a picture or film carries, so that it can be made again.

In PNG and APNG it is a compressed iTXt chunk `t2iflow`; in JPEG and WebP the EXIF user comment; in MP4, MOV, WebM and
GIF the comment; in SVG the metadata. What is read may come from a stranger: no more than `MOST` bytes of
text are taken in.
"""

import html
import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path
from typing import BinaryIO

import PIL.Image
from PIL.PngImagePlugin import PngInfo, putchunk

from t2iflow.nodes.core.ffmpeg import ffmpeg
from t2iflow.nodes.core.whole import whole
from t2iflow.nodes.pictures import endings
from t2iflow.nodes.pictures.opening import opened

KEY = "t2iflow"
MARK = "# t2iflow recipe\n"
"""Distinguishes our comment from others', and is a comment in YAML."""
MOST = 1_000_000
"""Bytes of a recipe."""

FORMATS = {".mp4": "mov", ".mov": "mov", ".webm": "matroska", ".gif": "gif"}
"""Which of ffmpeg's formats it reads the recipe from."""

USER_COMMENT, EXIF_FOLDER = 0x9286, 0x8769
ENCODING, PACKED = b"UNICODE\0", b"\0\0\0\0\0\0\0\0t2iflow\0"
"""How comments begin: that of a text, and that of a compressed one, whose encoding EXIF calls undefined."""
MOST_IN_JPEG = 65_000
SVG_START, SVG_END = f'<metadata id="{KEY}">', "</metadata>"


def in_png(recipe: str) -> PngInfo:
    """The recipe as Pillow writes it into a PNG."""
    chunks = PngInfo()
    chunks.add_itxt(KEY, recipe, zip=True)
    return chunks


def in_exif(recipe: str, most: int = 2 * MOST) -> bytes:
    """The recipe as EXIF of at most `most` bytes: as text, or where that is too long, compressed; otherwise nothing."""
    exif = PIL.Image.Exif()
    comments = (ENCODING + (MARK + recipe).encode("utf-16-le"), PACKED + zlib.compress(recipe.encode(), 9))
    fitting = [comment for comment in comments if len(comment) < most]
    if not fitting:
        return b""
    exif.get_ifd(EXIF_FOLDER)[USER_COMMENT] = fitting[0]
    return exif.tobytes()


def in_jpeg(recipe: str) -> bytes:
    """The recipe as the EXIF of a JPEG, which holds 65 thousand bytes; empty for one that is longer even compressed."""
    return in_exif(recipe, MOST_IN_JPEG)


def in_film(recipe: str) -> str:
    """The recipe as a metadata file for ffmpeg."""
    return ";FFMETADATA1\ncomment=" + re.sub(r"([=;#\\\n])", r"\\\1", MARK + recipe) + "\n"


def in_svg(recipe: str) -> str:
    """The recipe as an element of an SVG."""
    return f"{SVG_START}{html.escape(recipe, quote=False)}{SVG_END}"


def put(recipe: str, path: Path) -> None:
    """Put the recipe behind the header of a PNG, APNG or GIF."""
    with whole(path) as fresh, path.open("rb") as old, fresh.open("wb") as new:
        head = old.read(13)
        new.write(head)
        if head.startswith(b"GIF8"):
            colours = old.read(3 << (head[10] & 7) + 1 if head[10] & 0x80 else 0)
            new.write(colours + _gif_comment(recipe))
        else:
            new.write(old.read(20))  # to the end of the first chunk, which is as long in every PNG
            putchunk(new, *in_png(recipe).chunks[0][:2])
        shutil.copyfileobj(old, new)


def _gif_comment(recipe: str) -> bytes:
    """The recipe as a comment of a GIF: blocks of at most 255 bytes, each behind its length."""
    text = (MARK + recipe).encode()
    parts = [text[start : start + 255] for start in range(0, len(text), 255)]
    return b"\x21\xfe" + b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def read_recipe(path: Path) -> str | None:
    """The recipe in a file; None if it carries none, ValueError if it is no picture or film, or damaged."""
    with path.open("rb") as file:
        ending = endings.known(file.read(endings.NEEDED))
        if ending == ".png":
            return _from_png(file, path.name)
    if ending in (".jpg", ".webp"):
        return _from_exif(path)
    if ending == endings.DRAWN:
        return _from_svg(path)
    if ending in FORMATS:
        return _from_film(path, FORMATS[ending])
    raise ValueError(
        f"`{path.name}` is neither a picture (PNG, JPEG, WebP, SVG) nor a film (MP4, MOV, WebM, GIF, APNG)"
    )


def _from_png(file: BinaryIO, name: str) -> str | None:
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IEND":
            break
        if kind != b"iTXt":
            file.seek(length + 4, 1)
            continue
        if length > MOST:
            raise ValueError(f"`{name}` carries a text that is too long to be a recipe")
        data, check = file.read(length), file.read(4)
        if check != struct.pack(">I", zlib.crc32(kind + data)):
            raise ValueError(f"`{name}` is damaged")
        if data.startswith(KEY.encode() + b"\0"):
            return _text(data, name)
    return None


def _text(data: bytes, name: str) -> str:
    """The text of an iTXt chunk: key, 0, whether compressed, how, language, 0, translated key, 0, text."""
    flag, rest = data[len(KEY) + 1 : len(KEY) + 2], data[len(KEY) + 3 :]
    text = rest.split(b"\0", 2)[-1]
    return _decoded(_unpacked(text, name) if flag == b"\1" else text, "utf-8", name)


def _unpacked(packed: bytes, name: str) -> bytes:
    """What was compressed, if it is no longer than a recipe may be."""
    try:
        unpack = zlib.decompressobj()
        text = unpack.decompress(packed, MOST)
    except zlib.error as fault:
        raise ValueError(f"the recipe in `{name}` is damaged: {fault}") from fault
    if unpack.unconsumed_tail:
        raise ValueError(f"`{name}` carries a text that is too long to be a recipe")
    return text


def _from_exif(path: Path) -> str | None:
    try:
        with opened(path) as picture:
            comment = picture.getexif().get_ifd(EXIF_FOLDER).get(USER_COMMENT)
    except Exception as fault:  # whatever Pillow makes of untrusted bytes
        raise ValueError(f"`{path.name}` is damaged: {fault}") from fault
    if not isinstance(comment, bytes) or len(comment) > 3 * MOST:
        return None
    if comment.startswith(PACKED):
        return _decoded(_unpacked(comment.removeprefix(PACKED), path.name), "utf-8", path.name)
    if not comment.startswith(ENCODING):
        return None
    return _ours(_decoded(comment[len(ENCODING) :], "utf-16-le", path.name))


def _from_film(path: Path, format: str) -> str | None:
    # Naming the format keeps ffmpeg from taking the file for a playlist that names other files.
    command = [ffmpeg(), "-v", "error", "-protocol_whitelist", "file,pipe", "-f", format, "-i", f"file:{path}"]
    try:
        tags = subprocess.run([*command, "-f", "ffmetadata", "-"], capture_output=True, timeout=60, check=True).stdout
    except subprocess.SubprocessError as fault:
        raise ValueError(f"`{path.name}` is damaged, or isn't a readable film") from fault
    found = re.search(rb"^comment=((?:[^\\\n]|\\.|\\\n)*)", tags[:MOST], re.MULTILINE | re.IGNORECASE)
    if found is None:
        return None
    return _ours(re.sub(r"\\([=;#\\\n])", r"\1", _decoded(found[1], "utf-8", path.name)))


def _from_svg(path: Path) -> str | None:
    """What lies between our marks, in a file that begins with them as we write it."""
    with path.open("rb") as file:
        text = _decoded(file.read(2 * MOST), "utf-8", path.name) if path.stat().st_size <= 2 * MOST else ""
    _, found, rest = text.partition(SVG_START)
    recipe, ended, _ = rest.partition(SVG_END)
    if not (found and ended):
        return None
    return html.unescape(recipe)


def _decoded(data: bytes, encoding: str, name: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as fault:
        raise ValueError(f"the recipe in `{name}` is damaged: {fault}") from fault


def _ours(comment: str) -> str | None:
    return comment[len(MARK) :] if comment.startswith(MARK) else None
