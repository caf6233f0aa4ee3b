"""Damaged files: cut, flipped, swapped and wrongly named, `check` reads each or refuses it with its name and a way out.

More of them: `python -m tests.pipelines.test_damaged_files 3000 7` (how many, and the seed).
"""

import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import PIL.Image

from t2iflow.nodes.core.ffmpeg import ffmpeg
from t2iflow.pipelines.problems import RecipeError
from t2iflow.pipelines.text.origin import HERE
from tests.compiled import compiled

PICTURES = ("png", "jpg", "webp", "gif", "bmp", "tif", "ppm", "tga", "ico")
FILMS = ("mp4", "webm", "avi", "mkv", "ts")
SOUNDS = ("wav", "mp3", "flac", "ogg", "aiff", "aac")
READERS = {
    "picture": "images.load, file: {}",
    "mask": "images.mask, file: {}",
    "film": "video.frames, file: {}",
    "sound": "output.video, image: $noise, sound: {}",
}

WAYS = (" = convert it: `", " = shrink it: `", "no conversion fixes it", "is empty", "only sound; a film")


def whole_files(folder: Path) -> list[Path]:
    """A sound file of each kind."""
    picture = PIL.Image.effect_noise((24, 16), 60).convert("RGB")
    for suffix in PICTURES:
        picture.save(folder / f"a.{suffix}")
    source = ["-f", "lavfi", "-i", "testsrc=s=32x24:r=12:d=0.5", "-f", "lavfi", "-i", "sine=440:d=0.5"]
    for suffix in (*FILMS, *SOUNDS):
        inputs = source if suffix in FILMS else source[4:]
        subprocess.run([ffmpeg(), "-v", "error", *inputs, str(folder / f"a.{suffix}")], check=True)
    return sorted(folder.iterdir())


def damaged(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """The file with some damage."""
    most = chance.choice((64, len(data)))
    at = chance.randrange(max(1, min(most, len(data))))
    kind = chance.randrange(6)
    if kind == 0:
        return data[:at]
    if kind == 1:
        flipped = bytearray(data)
        for _ in range(chance.choice((1, 8, 60))):
            flipped[chance.randrange(min(most, len(data)))] ^= 1 << chance.randrange(8)
        return bytes(flipped)
    if kind == 2:
        return other[:at] + data[at:]
    if kind == 3:
        return data[:at] + chance.choice((b"\xff", b"\0")) * chance.randrange(1, 9) + data[at + 8 :]
    if kind == 4:
        return data[:at] + chance.randbytes(chance.randrange(200)) + data[at:]
    return data


def cases(folder: Path, count: int, seed: int) -> Iterator[tuple[str, Path]]:
    """Damaged files, each with what it is read as."""
    chance = random.Random(seed)
    files = [(path.suffix, path.read_bytes()) for path in whole_files(folder)]
    for number in range(count):
        (suffix, data), (another, other) = chance.choice(files), chance.choice(files)
        path = folder / f"file{number}{chance.choice((suffix, suffix, another, '.png', ''))}"
        path.write_bytes(damaged(data, other, chance))
        like = "film" if suffix[1:] in FILMS else "sound" if suffix[1:] in SOUNDS else "picture"
        yield chance.choice((like, like, *READERS)), path


def refused(kind: str, path: Path) -> str:
    """What `check` says of a recipe that reads the file; nothing where it takes it."""
    reader = READERS[kind].format(path)
    recipe = f"t2iflow: 1\nnodes:\n  noise: {{use: images.noise, size: [16, 16]}}\n  file: {{use: {reader}}}\n"
    recipe += "  still: {use: output.image, image: $noise}\n"
    try:
        compiled(recipe, HERE)
    except RecipeError as fault:
        return str(fault)
    return ""


def check(kind: str, path: Path) -> bool:
    """Whether the file was taken; that it was refused with its name and a way out is asserted."""
    said = refused(kind, path)
    if said:
        assert said.count("error T2I") == 1, said
        assert "T2I502" in said, said
        assert f"{path.name}`" in said, said
        assert any(way in said for way in WAYS), said
    return not said


def test_damaged_files_are_read_or_refused_with_what_to_do(tmp_path: Path) -> None:
    taken = [check(kind, path) for kind, path in cases(tmp_path, 50, 17)]
    assert 5 < sum(taken) < 45


def test_a_picture_that_no_conversion_would_mend_is_told_what_does(tmp_path: Path) -> None:
    whole, large = tmp_path / "whole.png", tmp_path / "large.png"
    PIL.Image.effect_noise((64, 64), 60).save(whole)
    PIL.Image.new("1", (10_001, 10_000)).save(large)
    cut = tmp_path / "cut.png"
    cut.write_bytes(whole.read_bytes()[:2000])
    assert "is damaged or cut short" in refused("picture", cut)
    assert "no conversion fixes it: copy, download or export it again" in refused("picture", cut)
    assert "more than 100 megapixels are not read" in refused("mask", large)
    assert "shrink it: `magick large.png -resize 8192x8192 large-new.png`" in refused("mask", large)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        results = [check(kind, path) for kind, path in cases(Path(place), int(sys.argv[1]), int(sys.argv[2]))]
    sys.stdout.write(f"{sum(results)} of {len(results)} taken\n")
