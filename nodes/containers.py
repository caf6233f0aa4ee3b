"""What films and sounds are kept in: told from how a file begins, and read by ffmpeg as that alone.

Naming the format keeps ffmpeg from taking a stranger's file for a playlist that names other files.
"""

from pathlib import Path

from t2iflow.nodes import metadata

FILMS = "MP4, MOV, MKV, WebM, AVI or GIF"
SOUNDS = "WAV, MP3, FLAC or OGG, or a film"


def film(path: Path) -> str | None:
    """ffmpeg's name for the format of a film; None if the file begins as none does."""
    head = _head(path)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):  # QuickTime of old begins with any of them
        return "mov"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    return "avi" if head[:4] == b"RIFF" and head[8:12] == b"AVI " else None


def sound(path: Path) -> str | None:
    """ffmpeg's name for the format of a sound, or of a film that may have one; None if the file begins as none does."""
    head = _head(path)
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    if head.startswith(b"fLaC"):
        return "flac"
    if head.startswith(b"OggS"):
        return "ogg"
    # Without a tag before it, an MP3 begins with a frame: 11 bits set, then a version and a layer that is not 0.
    if head.startswith(b"ID3") or (head[:1] == b"\xff" and head[1] & 0xE0 == 0xE0 and head[1] & 0x06):
        return "mp3"
    return film(path)


def reading(path: Path, format: str, *options: str) -> list[str]:
    """The beginning of an ffmpeg command that reads the file; `options` are for reading it, such as where to start."""
    start = [metadata.ffmpeg(), "-nostdin", "-protocol_whitelist", "file,pipe", *options]
    return [*start, "-f", format, "-i", f"file:{path}"]


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(12).ljust(12, b"\0")
