"""Outputs: pictures and films, and the recipe that they carry."""

import csv
import hashlib
import io
import json
import struct
import subprocess
import threading
import zlib
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from t2iflow.nodes import output
from t2iflow.nodes.core.ffmpeg import ffmpeg
from t2iflow.nodes.core.signature import read_spec
from t2iflow.nodes.core.types import Image, Labels
from t2iflow.nodes.pictures import codec, metadata
from tests.nodes.conftest import Heard, RunFolder

RECIPE = 't2iflow: 1\ntitle: Ein Fuchs = 狐; #1 \\ "x"\n\nnodes:\n  a: {use: x.y}\n'
PICTURES, FILMS = ["png", "webp", "jpg", "jpeg", "PNG"], ["mp4", "webm"]


def image(number: int = 1, height: int = 24, width: int = 32, seed: int = 0) -> Image:
    return Image(torch.rand(number, 3, height, width, generator=torch.Generator().manual_seed(seed)))


def film(folder: RunFolder, frames: int, name: str = "film.mp4", **settings: Any) -> Path:
    video = output.Video(folder, Heard(), file=name, **settings)
    for number in range(frames):
        video(image(seed=number))
    video.close()
    return folder.path(name)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(tmp_path)
    made.recipe = RECIPE
    return made


# Pictures


def test_a_picture_is_written_as_it_is(folder: RunFolder) -> None:
    levels = torch.tensor([0.0, 1.0, 0.5, 0.2, -0.3, 1.7]).expand(1, 3, 4, 6)
    path = output.image(Image(levels), folder, Heard())
    with PIL.Image.open(path) as written:
        assert written.size == (6, 4)
        assert [written.getpixel((x, 0)) for x in range(6)] == [(v, v, v) for v in (0, 255, 128, 51, 0, 255)]
    assert path.name == "picture.png"
    assert folder.written == [path]
    assert [each.name for each in path.parent.iterdir()] == ["picture.png"]


def test_a_batch_is_written_as_numbered_files(folder: RunFolder) -> None:
    first = output.image(image(3), folder, Heard(), file="fox.webp")
    assert [path.name for path in folder.written] == ["fox-1.webp", "fox-2.webp", "fox-3.webp"]
    assert first == folder.written[0]


def test_quality_makes_a_jpeg_smaller(folder: RunFolder) -> None:
    fine = output.image(image(), folder, Heard(), file="fine.jpg")
    rough = output.image(image(), folder, Heard(), file="rough.jpg", quality=20)
    assert rough.stat().st_size < fine.stat().st_size / 2


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (output.image, "picture.bmp"),
        (output.image, "picture"),
        (output.image, ".png"),
        (output.image, "../picture.png"),
        (output.image, "film.mp4"),
        (output.Video, "film.avi"),
        (output.Video, "a/film.mp4"),
        (output.Strip, "strip.gif"),
    ],
)
def test_a_file_name_that_means_no_format_or_leads_elsewhere_is_refused(target: Any, name: str) -> None:
    setting = read_spec(target, "output").settings["file"]
    with pytest.raises(ValidationError):
        setting.adapter.validate_python(name)


@pytest.mark.parametrize("suffix", PICTURES)
def test_a_picture_carries_its_recipe(suffix: str, folder: RunFolder) -> None:
    path = output.image(image(), folder, Heard(), file=f"a.{suffix}")
    assert metadata.read_recipe(path) == RECIPE


@pytest.mark.parametrize("suffix", PICTURES)
def test_the_same_picture_gives_the_same_bytes(suffix: str, folder: RunFolder) -> None:
    first, second = (output.image(image(), folder, Heard(), file=f"{name}.{suffix}") for name in "ab")
    assert digest(first) == digest(second)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_a_long_recipe_is_carried_by_every_picture(suffix: str, folder: RunFolder, notes: Heard) -> None:
    folder.recipe = "# 狐\n" + "long " * 20_000
    assert metadata.read_recipe(output.image(image(), folder, notes, file=f"a.{suffix}")) == folder.recipe
    assert not notes.warned


def test_a_recipe_too_long_for_a_jpeg_is_left_out_with_a_warning(folder: RunFolder, notes: Heard) -> None:
    folder.recipe = "# " + bytes(torch.randint(33, 127, (150_000,), dtype=torch.uint8)).decode()
    assert metadata.read_recipe(output.image(image(), folder, notes, file="a.jpg")) is None
    assert "the recipe is too long for `a.jpg` to carry" in notes.warned[0]
    for name in ("a.png", "a.webp"):
        assert metadata.read_recipe(output.image(image(), folder, notes, file=name)) == folder.recipe


def test_a_picture_too_large_for_its_format_is_not_lost(folder: RunFolder, notes: Heard) -> None:
    path = output.image(Image(torch.zeros(1, 3, 2, 16_384)), folder, notes, file="a.webp")
    assert path.name == "a.webp.png"
    assert notes.warned == ["no `.webp` file can be 16384 x 2: the picture is in `a.webp.png`"]
    strip = output.Strip(folder, notes, file="b.webp", columns=4)
    for _ in range(4):
        strip(Image(torch.zeros(1, 3, 2, 5000)))
    strip.close()
    assert [path.name for path in folder.written] == ["a.webp.png", "b.webp.png"]


@pytest.mark.parametrize("name", ["a" * 197 + ".png", "é" * 99 + ".png", "NOW.png", "con.png", "a?.png", "a\n.png"])
def test_names_that_a_run_can_not_write_are_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="file"):
        TypeAdapter(output.PictureName).validate_python(name)


# Strips


def test_a_killed_strip_taken_up_again_ends_with_the_same_bytes(folder: RunFolder) -> None:
    whole = output.Strip(folder, Heard(), file="whole.png")
    for number in range(6):
        whole(image(seed=number))
    whole.close()
    first = output.Strip(folder, Heard(), file="killed.png")
    for number in range(3):
        first(image(seed=number))
    state = first.state_dict()
    first(image(seed=99))  # after the checkpoint, and not again
    first.close()  # interrupted
    second = output.Strip(folder, Heard(), file="killed.png")
    second.load_state_dict(state)
    for number in range(3, 6):
        second(image(seed=number))
    second.close()
    assert digest(folder.path("killed.png")) == digest(folder.path("whole.png"))


def test_the_next_frame_is_made_while_one_is_stored(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    going_on, store = threading.Event(), codec._stored

    def stored(*given: Any) -> str:
        assert going_on.wait(60)
        return store(*given)

    monkeypatch.setattr(codec, "_stored", stored)
    strip = output.Strip(folder, Heard())
    for number in range(3):
        strip(image(seed=number))
    going_on.set()
    strip.close()
    with PIL.Image.open(folder.path("strip.png")) as opened:
        assert opened.size == (96, 24)


def test_frames_before_one_that_the_disk_did_not_take_are_kept(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = codec._stored

    def stored(frame: PIL.Image.Image, path: Path) -> str:
        if path.name == "000003.png":
            raise OSError(28, "No space left on device")
        return store(frame, path)

    monkeypatch.setattr(codec, "_stored", stored)
    strip = output.Strip(folder, Heard())
    for number in range(4):
        strip(image(seed=number))
    with pytest.raises(OSError, match="No space left"):
        strip.state_dict()
    strip.close()
    with PIL.Image.open(folder.path("strip.png")) as opened:
        assert opened.size == (64, 24)


def test_a_strip_without_snapshots_is_not_written(folder: RunFolder) -> None:
    output.Strip(folder, Heard()).close()
    assert folder.written == []


@pytest.mark.parametrize(("name", "rest"), [("strip.png", 0), ("strip.webp", 0), ("strip.jpg", 255)])
def test_a_strip_shows_snapshots_row_by_row_and_nothing_where_there_are_none(
    name: str, rest: int, folder: RunFolder
) -> None:
    strip = output.Strip(folder, Heard(), file=name, columns=2)
    for level in (0.0, 0.4, 1.0):
        strip(Image(torch.full((1, 3, 4, 6), level)))
    strip.close()
    with PIL.Image.open(folder.path(name)) as sheet:
        assert sheet.size == (12, 8)
        seen = [sheet.convert("RGBA").getpixel(place) for place in ((2, 1), (9, 1), (2, 6), (9, 6))]
    levels = [pixel[0] for pixel in seen[:3]]
    assert levels == pytest.approx([0, 102, 255], abs=9)
    assert seen[3][3] == rest
    assert rest == 0 or min(seen[3]) > 245
    assert metadata.read_recipe(folder.path(name)) == RECIPE


# What others' files carry


def _png(*chunks: tuple[bytes, bytes]) -> bytes:
    packed = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def _text(data: bytes, flag: bytes = b"\1") -> tuple[bytes, bytes]:
    return (b"iTXt", b"t2iflow\0" + flag + b"\0\0\0" + data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "neither a picture"),
        (b"t2iflow: 1\n", "neither a picture"),
        (_png(_text(zlib.compress(bytes(50_000_000)))), "too long"),
        (_png(_text(bytes(2_000_000), b"\0")), "too long"),
        (_png(_text(b"no zlib")), "damaged"),
        (_png(_text(b"\xff\xfe", b"\0")), "damaged"),
        (_png(_text(b"x", b"\0"))[:-1] + b"?", "damaged"),
        (b"\0\0\0\x18ftypisom" + bytes(100), "damaged"),
        (b"\xff\xd8\xff\xe1" + bytes(100), "damaged"),
    ],
    ids=["empty", "text", "bomb", "long", "not packed", "not text", "bad check", "bad film", "bad jpeg"],
)
def test_a_file_that_can_carry_no_recipe_is_refused_in_words(data: bytes, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "strange"
    file.write_bytes(data)
    with pytest.raises(ValueError, match=rf"`strange`.*{reason}"):
        metadata.read_recipe(file)


def test_pictures_and_films_by_others_carry_none(tmp_path: Path, folder: RunFolder) -> None:
    exif = PIL.Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + "a holiday".encode("utf-16-le")
    for name in ("a.png", "a.jpg", "a.webp", "a.gif"):
        PIL.Image.new("RGB", (8, 8)).save(tmp_path / name, **({} if name.endswith("gif") else {"exif": exif}))
        assert metadata.read_recipe(tmp_path / name) is None
    command = [ffmpeg(), "-i", str(film(folder, 2)), "-metadata", "comment=a holiday", str(tmp_path / "b.mp4")]
    subprocess.run(command, capture_output=True, check=True)
    assert metadata.read_recipe(tmp_path / "b.mp4") is None


def test_a_picture_cut_short_still_gives_its_recipe(folder: RunFolder) -> None:
    path = output.image(image(), folder, Heard())
    path.write_bytes(path.read_bytes()[:1000])
    assert metadata.read_recipe(path) == RECIPE


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("labels.json", [{"a fox": 0.75, "an owl, 大": 0.25}, {"an owl, 大": 1.0, "a fox": 0.0}]),
        ("labels.csv", [{"a fox": "0.75", "an owl, 大": "0.25"}, {"a fox": "0.0", "an owl, 大": "1.0"}]),
    ],
)
def test_labels_are_written_as_a_table_and_the_likeliest_told(
    name: str, wanted: list[dict[str, object]], folder: RunFolder, notes: Heard
) -> None:
    labels = Labels(("a fox", "an owl, 大"), torch.tensor([[0.75, 0.25], [0.0, 1.0]]))
    text = output.table(labels, folder, notes, file=name).read_text(encoding="utf-8")
    read = json.loads(text) if name.endswith("json") else list(csv.DictReader(io.StringIO(text)))
    assert [list(row.items()) for row in read] == [list(row.items()) for row in wanted]
    assert notes.said == ["picture 1: a fox 75.0 %, an owl, 大 25.0 %", "picture 2: an owl, 大 100.0 %, a fox 0.0 %"]
