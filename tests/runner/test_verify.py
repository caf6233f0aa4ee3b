"""Made again and compared."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import PIL.Image
import pytest
import torch

from t2iflow.nodes.core.ffmpeg import ffmpeg
from t2iflow.nodes.pictures import metadata
from t2iflow.nodes.pictures.metadata import read_recipe
from tests.runner.conftest import COPY, Command


@pytest.fixture
def made(command: Command) -> Path:
    """The folder of a finished run, with a picture and a film."""
    folder = command("run", COPY).folder
    assert folder
    return folder


@pytest.fixture
def altered(made: Path) -> Callable[..., Path]:
    """A copy of the run's picture whose pixels, or what it says of how it was made, are otherwise."""

    def alter(shift: int = 0, size: tuple[int, int] = (24, 24), **said: str) -> Path:
        recipe = read_recipe(made / "picture.png") or ""
        for old, new in said.items():
            recipe = recipe.replace(f"{old} ", f"{old} {new} was-", 1)
        picture = PIL.Image.open(made / "picture.png").resize(size).point(lambda level: min(level + shift, 255))
        path = made.parent.parent / "theirs.png"
        picture.save(path, pnginfo=metadata.in_png(recipe))
        return path

    return alter


def test_a_picture_a_film_and_a_whole_run_are_the_same(made: Path, command: Command) -> None:
    for name in ("picture.png", "film.mp4"):
        told = command("verify", str(made / name))
        assert told.code == 0, told.err
        assert told.out == f"{name}: the same, byte for byte\n"
    told = command("verify", str(made))
    assert told.out == "picture.png: the same, byte for byte\nfilm.mp4: the same, byte for byte\n"
    assert told.code == 0
    assert told.err.startswith("mine: running")
    assert len(list(made.parent.iterdir())) == 1  # nothing is left behind


@pytest.mark.parametrize("name", ["picture", "picture.jfif", "picture.png.download"])
@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_a_picture_is_one_whatever_it_is_called(kind: str, name: str, command: Command, tmp_path: Path) -> None:
    folder = command(
        "run", COPY.replace("output.image, image: $fit", f"output.image, image: $fit, file: a.{kind}")
    ).folder
    assert folder
    (folder / f"a.{kind}").rename(tmp_path / name)
    assert command("check", name).out == f"{name}: no mistakes (6 nodes)\n"
    assert command("new", name, "theirs.yaml").code == 0
    assert command("verify", name).out == f"{name}: the same, byte for byte\n"


@pytest.mark.parametrize("name", ["picture", "picture.jfif", "picture.png.download", "picture.jpg"])
def test_how_far_a_picture_is_and_that_it_is_damaged_is_known_whatever_it_is_called(
    name: str, altered: Callable[..., Path], command: Command
) -> None:
    there = altered(shift=3).rename(name)
    assert f"{name}: differs, by " in command("verify", name).out
    assert f"{name}: differs, by " in command("diff", name, str(next(Path("runs").glob("*/picture.png")))).out
    there.write_bytes(there.read_bytes()[:-40])
    assert command("verify", name).out.startswith(f"{name}: it is damaged: ")


def test_a_picture_carries_what_it_was_made_with(made: Path) -> None:
    for name in ("picture.png", "film.mp4"):
        first, second, *_ = (read_recipe(made / name) or "").splitlines()
        assert first.startswith("# made with: t2iflow ")
        assert [part.split()[0] for part in first.split("; ")[1:]] == ["torch", "threads", "device"]
        assert second == "t2iflow: 1"


def test_what_is_made_again_is_computed_with_as_many_threads(made: Path, command: Command) -> None:
    assert command("bundle", str(made), "mine.zip").code == 0
    now = torch.get_num_threads()
    torch.set_num_threads(now + 1)
    try:
        for target in (made, made / "picture.png", made / "film.mp4", Path("mine.zip")):
            told = command("verify", str(target))
            assert "the same, byte for byte" in told.out
            assert f"computing with {now} thread" in told.err
        for target in ("mine.zip", str(made / "picture.png")):
            assert f"computing with {now} thread" in command("run", target).err
            assert "computing with" not in command("run", target, "--seed", "3").err
    finally:
        torch.set_num_threads(now)


def test_only_the_pixels_count(altered: Callable[..., Path], command: Command) -> None:
    told = command("verify", str(altered(torch="1.0")))
    assert told.out == "theirs.png: every pixel is the same; the files differ in their other content\n"
    assert told.code == 0


def test_how_far_it_is_and_why_is_told(altered: Callable[..., Path], command: Command) -> None:
    told = command("verify", str(altered(shift=3, torch="1.0", threads="64")))
    assert told.code == 1
    far, torch, threads = told.out.splitlines()
    assert far.startswith("theirs.png: differs, by ")
    assert far.endswith(" of 255 levels on average and 3 at most")
    assert torch.startswith("torch: 1.0 ")
    assert torch.endswith(" here")
    assert threads.startswith("threads: 64 ")
    told = command("verify", str(altered(shift=3)))
    assert told.out.splitlines()[1].startswith("no reason is recorded")
    told = command("verify", str(altered(size=(12, 16))))
    assert told.out.startswith("theirs.png: it is 12 x 16 pixels, and 24 x 24 when made now\n")


def test_the_lock_of_a_run_tells_why(made: Path, command: Command) -> None:
    PIL.Image.new("RGB", (24, 24)).save(
        made / "picture.png", pnginfo=metadata.in_png(read_recipe(made / "picture.png") or "")
    )
    lock = made / "lock.yaml"
    said = (
        lock.read_text("utf-8").replace("  pillow: ", "  pillow: 0.1 # ").replace("precision: ", "precision: half # ")
    )
    lock.write_text(said, "utf-8")
    told = command("verify", str(made))
    assert told.code == 1
    picture, film, precision, pillow = told.out.splitlines()
    assert precision.startswith("precision: half there, ")
    assert film == "film.mp4: the same, byte for byte"
    assert picture.startswith("picture.png: differs, by ")
    assert pillow.startswith("pillow: 0.1 there, ")
    (made / "film.mp4").unlink()
    assert "film.mp4: it is missing, and its recipe writes it" in command("verify", str(made)).out


def test_a_picture_that_is_cut_short_is_named_before_it_is_made_again(made: Path, command: Command) -> None:
    whole = (made / "picture.png").read_bytes()
    Path("cut.png").write_bytes(whole[: len(whole) * 9 // 10])
    told = command("verify", "cut.png")
    assert (told.code, told.out.partition(": image")[0]) == (1, "cut.png: it is damaged")
    assert "running" not in told.err


def test_films_are_compared_picture_by_picture(made: Path, command: Command) -> None:
    other, shorter = (command("run", COPY, "--set", said).folder for said in ("fit.rate=0.06", "steps=4"))
    assert other
    assert shorter
    Path("about").write_text(metadata.in_film(read_recipe(made / "film.mp4") or ""), encoding="utf-8")
    for folder, words in ((other, "differs from picture "), (shorter, "it has 3 pictures, and more when made now")):
        inputs = ["-v", "error", "-y", "-i", str(folder / "film.mp4"), "-i", "about"]
        subprocess.run([ffmpeg(), *inputs, "-map_metadata", "1", "-c", "copy", "theirs.mp4"], check=True)
        told = command("verify", "theirs.mp4")
        assert told.code == 1
        assert told.out.startswith(f"theirs.mp4: {words}")


def test_pictures_that_move_are_compared_too(command: Command) -> None:
    moving = ["--set", "film.file=film.apng"]
    folder, shorter = command("run", COPY, *moving).folder, command("run", COPY, *moving, "--set", "steps=4").folder
    assert folder
    assert shorter
    assert command("verify", str(folder / "film.apng")).code == 0
    metadata.put(read_recipe(folder / "film.apng") or "", shorter / "film.apng")
    assert "and more when made now" in command("verify", str(shorter / "film.apng")).out


@pytest.mark.parametrize("target", ["nowhere.png", "mine.yaml", ".", "bare.png"])
def test_what_can_not_be_verified_is_refused(target: str, command: Command) -> None:
    Path("mine.yaml").write_text(COPY, encoding="utf-8")
    PIL.Image.new("RGB", (8, 8)).save("bare.png")
    told = command("verify", target)
    assert told.code in (2, 3)
    assert "error" in told.err


def test_progress_can_be_read_as_json(made: Path, command: Command) -> None:
    told = command("verify", str(made / "picture.png"), "--json")
    assert json.loads(told.out.splitlines()[-1])["how"] == "finished"
    assert "byte for byte" in told.err
