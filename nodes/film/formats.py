"""What films and sounds are kept in: known by how a file begins, and read by ffmpeg as that alone.

Naming the format keeps ffmpeg from taking a stranger's file for a playlist that names other files.
"""

import re
import subprocess
from pathlib import Path

from t2iflow.nodes.core.memo import until_changed
from t2iflow.nodes.pictures import decoder, metadata

FILMS = "MP4, MOV, MKV, WebM, OGV, AVI, GIF, APNG, TS, MPEG, FLV or WMV"
SOUNDS = "WAV, W64, AIFF, CAF, AU, MP3, AAC, FLAC, WavPack or OGG, or a film"

BEGINNINGS = {
    "gif": rb"GIF8[79]a",
    "avi": rb"RIFF....AVI ",
    "mov": rb"....(ftyp|moov|mdat|wide)",  # QuickTime of old begins with any of them
    "matroska": rb"\x1a\x45\xdf\xa3",
    "asf": rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
    "flv": rb"FLV\x01",
    "mpeg": rb"\x00\x00\x01\xba",
    "mpegts": rb"(.{4})?\x47.{187}(.{4})?\x47",
    "apng": rb"\x89PNG\r\n\x1a\n.{25}(.*)acTL",
    "wav": rb"(RIFF|RIFX|RF64|BW64)....WAVE",
    "aiff": rb"FORM....AIF[FC]",
    "w64": rb"riff\x2e\x91\xcf\x11",
    "caf": rb"caff\0\x01",
    "au": rb"\.snd",
    "wv": rb"wvpk",
    "flac": rb"fLaC",
    "ogg": rb"OggS",
    # Without a tag before it, sound begins with a frame: 12 bits set, the version, and a layer, which is 0 for AAC.
    "aac": rb"\xff[\xf0\xf1\xf8\xf9]",
    "mp3": rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff]",
}
"""How files of each format begin, by ffmpeg's name for it."""
HEARD = ("wav", "aiff", "w64", "caf", "au", "wv", "flac", "aac", "mp3")

LONGEST = 1_100_000
"""Bytes of a beginning that are looked at: in an APNG a recipe may come before what says that it moves."""
PATIENCE = 600
"""Seconds to wait for ffmpeg."""


def film(path: Path) -> str | None:
    """ffmpeg's name for the format of a film; None if the file begins as none does."""
    format = _format(path)
    return None if format in HEARD else format


def sound(path: Path) -> str | None:
    """ffmpeg's name for the format of a sound, or of a film that may have one; None if the file begins as none does."""
    return _format(path)


def reading(path: Path, format: str, *options: str) -> list[str]:
    """The beginning of an ffmpeg command that reads the file; `options` are for reading it, such as where to start."""
    start = [metadata.ffmpeg(), "-nostdin", "-protocol_whitelist", "file,pipe", *options]
    url = f"file:{path}"
    if skipped := _tag(path):
        url, start[3] = f"subfile,,start,{skipped},end,0,,:{url}", "subfile,file,pipe"
    return [*start, "-max_pixels", str(decoder.MOST), "-f", format, "-i", url]


@until_changed
def described(path: Path, format: str) -> str:
    """What ffmpeg says of the file and its streams."""
    command = reading(path, format, "-hide_banner")
    return run(command).stderr.decode(errors="replace")


def run(command: list[str]) -> subprocess.CompletedProcess[bytes]:
    """Let ffmpeg end by itself; ValueError where it doesn't."""
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise ValueError(f"{command[command.index('-i') + 1]} takes more than {PATIENCE} s to read") from None


def _format(path: Path) -> str | None:
    head = _head(path)
    found = (format for format, begins in BEGINNINGS.items() if re.match(begins, head, re.DOTALL))
    # Behind a tag, what begins as nothing else is an MP3, which finds its first frame by itself.
    return next(found, "mp3" if _tag(path) else None)


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
