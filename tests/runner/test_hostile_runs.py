"""Recipes that mean harm, or meet a hostile machine: a clear error, the right code, nothing written elsewhere."""

import struct
import zlib
from pathlib import Path

import pytest

from tests.runner.conftest import COPY, Command

PHOTO = "images.noise, size: [24, 24], kind: fractal"
BOMB = "params:\n  a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"  {name}: &{name} [{', '.join([f'*{old}'] * 9)}]\n" for old, name in zip("abcdefgh", "bcdefghi", strict=True)
)

HOSTILE = {
    "a tag that would run a program": COPY.replace(
        "title: Copy", "title: !!python/object/apply:os.system ['touch pwned']"
    ),
    "an alias bomb": COPY.replace("params: {steps: 6}\n", BOMB),
    "nesting without end": COPY.replace("title: Copy a picture", "title: " + "{a: " * 5000 + "1" + "}" * 5000),
    "an import path": COPY.replace("images.noise", "os.system"),
    "an import path within ours": COPY.replace("images.noise", "images.torch.load"),
    "an output elsewhere": COPY.replace("output.image, image", "output.image, file: ../pwned.png, image"),
    "an absolute output": COPY.replace("output.image, image", "output.image, file: ELSEWHERE/pwned.png, image"),
    "a folder as a picture": COPY.replace(PHOTO, "images.load, file: ."),
    "a picture that is none": COPY.replace(PHOTO, "images.load, file: mine.yaml"),
    "a picture with a header of a thousand megapixels": COPY.replace(PHOTO, "images.load, file: huge.png"),
    "a size beyond all memory": COPY.replace("size: [24, 24]}", "size: [99999, 99999]}"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_recipe_ends_with_an_error_and_writes_nothing_outside(
    name: str, command: Command, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (tmp_path / "huge.png").write_bytes(huge_png())
    told = command("run", HOSTILE[name].replace("ELSEWHERE", str(elsewhere)))
    assert told.code in (1, 3)
    assert "error" in told.err
    assert "Traceback" not in told.err
    assert {path.name for path in tmp_path.iterdir()} <= {"mine.yaml", "huge.png", "runs"}
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize(
    ("out", "why"),
    [
        ("a file", "it is a file"),
        ("a file/runs", "or beneath one"),
        ("/proc/runs", "nothing can be made there; choose another"),
    ],
)
def test_a_folder_that_can_not_be_written_to_is_told(command: Command, tmp_path: Path, out: str, why: str) -> None:
    (tmp_path / "a file").write_text("in the way")
    told = command("run", COPY, "--out", str(tmp_path / out))
    assert told.code == 1
    assert "can't make a run folder" in told.err
    assert why in told.err


def huge_png() -> bytes:
    """A few bytes that announce 32000 x 32000 pixels."""
    header = struct.pack(">IIBBBBB", 32000, 32000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    packed = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)
