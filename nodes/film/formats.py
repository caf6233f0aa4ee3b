"""File formats of films and sounds: detected from a file's first bytes, and read by ffmpeg as that format only.

Naming the format keeps ffmpeg from reading an untrusted file as a playlist that names other files.
"""

import re
import subprocess
from pathlib import Path

from t2iflow.nodes.core.ffmpeg import ffmpeg
from t2iflow.nodes.core.memo import until_changed
from t2iflow.nodes.pictures import decoder

FILMING = {
    "mov": ("MP4, MOV", rb"....(ftyp|moov|mdat|wide)"),  # QuickTime of old begins with any of them
    "matroska": ("MKV, WebM", rb"\x1a\x45\xdf\xa3"),
    "ogg": ("OGV", rb"OggS"),
    "avi": ("AVI", rb"RIFF....AVI "),
    "gif": ("GIF", rb"GIF8[79]a"),
    "apng": ("APNG", rb"\x89PNG\r\n\x1a\n.{25}(.*)acTL"),
    "mpegts": ("TS", rb"(.{4})?\x47.{187}(.{4})?\x47"),
    "mpeg": ("MPEG", rb"\x00\x00\x01\xba"),
    "flv": ("FLV", rb"FLV\x01"),
    "asf": ("WMV", rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
}
"""What films are kept in, by ffmpeg's name: what people call it, and how files of it begin. OGG may be sound alone."""
STREAMED = ("mpegts", "mpeg")
"""Those in which ffmpeg finds a time, but not the last picture before it that can be read by itself."""
SOUNDING = {
    "wav": ("WAV", rb"(RIFF|RIFX|RF64|BW64)....WAVE"),
    "w64": ("W64", rb"riff\x2e\x91\xcf\x11"),
    "aiff": ("AIFF", rb"FORM....AIF[FC]"),
    "caf": ("CAF", rb"caff\0\x01"),
    "au": ("AU", rb"\.snd"),
    # Without a tag before it, sound begins with a frame: 12 bits set, the version, and a layer, which is 0 for AAC.
    "mp3": ("MP3", rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff]"),
    "aac": ("AAC", rb"\xff[\xf0\xf1\xf8\xf9]"),
    "flac": ("FLAC", rb"fLaC"),
    "wv": ("WavPack", rb"wvpk"),
}
"""What only sounds are kept in, likewise."""

FILMS = " or ".join(", ".join(name for name, _ in FILMING.values()).rsplit(", ", 1))
SOUNDS = f"{', '.join(name for name, _ in SOUNDING.values())} or OGG, or a film"

LONGEST = 1_100_000
"""Bytes of a beginning that are looked at: in an APNG a recipe may come before what says that it moves."""
PATIENCE = 600
"""Seconds to wait for ffmpeg."""


class OnlySoundError(ValueError):
    """A film is needed, and this is none, whatever it is converted to."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"`{path.name}` has no pictures, only sound; a film with pictures is needed: {FILMS}")


def film(path: Path) -> str | None:
    """ffmpeg's name for the format of a film; None if it isn't one."""
    format = sound(path)
    return None if format in SOUNDING else format


def sound(path: Path) -> str | None:
    """ffmpeg's name for the format of a sound, or of a film that may have one; None if it is neither."""
    head = _head(path)
    known = {**FILMING, **SOUNDING}.items()
    found = (format for format, (_, begins) in known if re.match(begins, head, re.DOTALL))
    # Behind a tag, what begins as nothing else is an MP3, which finds its first frame by itself.
    return next(found, "mp3" if _tag(path) else None)


def reading(path: Path, format: str, *options: str) -> list[str]:
    """The beginning of an ffmpeg command that reads the file; `options` are for reading it, such as where to start."""
    start = [ffmpeg(), "-nostdin", "-protocol_whitelist", "file,pipe", *options]
    url = f"file:{path}"
    if skipped := _tag(path):
        url, start[3] = f"subfile,,start,{skipped},end,0,,:{url}", "subfile,file,pipe"
    return [*start, "-max_pixels", str(decoder.MOST), "-f", format, "-i", url]


@until_changed
def described(path: Path) -> str:
    """What ffmpeg says of a film or sound and its streams."""
    return run(reading(path, sound(path) or "", "-hide_banner")).stderr.decode(errors="replace")


def only_sounds(path: Path) -> bool:
    """Whether a film has sound but no pictures that move, at most the cover of a song."""
    streams = re.findall(r"^ *Stream #.*? (Audio|Video): (?!.*\(attached pic\))", described(path), re.MULTILINE)
    return {*streams} == {"Audio"}


def run(command: list[str]) -> subprocess.CompletedProcess[bytes]:
    """Run ffmpeg to its end; ValueError where it takes too long."""
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise ValueError(f"{command[command.index('-i') + 1]} takes more than {PATIENCE} s to read") from None


def _head(path: Path) -> bytes:
    """How the file begins, behind any ID3 tags."""
    with path.open("rb") as file:
        file.seek(_tag(path))
        head = file.read(512)
        return head + file.read(LONGEST) if head.startswith(b"\x89PNG") else head


def _tag(path: Path) -> int:
    """The bytes that ID3 tags take at the beginning of a file, of whatever format it is."""
    whole = 0
    with path.open("rb") as file:
        while (head := file.read(10)).startswith(b"ID3") and len(head) == 10:
            size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
            whole += size + (20 if head[5] & 0x10 else 10)  # the bit of a footer
            file.seek(whole)
    return whole
