"""Names that no file can have, and files that can't be read: told, wherever a person may name a file."""

import os
from collections.abc import Callable
from pathlib import Path

import PIL.Image
import pytest

from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.problems import Problems, RecipeError
from t2iflow.runner.opening import opened
from tests.runner.conftest import COPY

PHOTO = COPY.replace(
    "use: images.noise, size: [24, 24], kind: fractal", "use: images.load, file: {name}, size: [24, 24]"
)
NAMED: dict[str, str] = {
    "extends": "t2iflow: 1\nextends: {name}\n",
    "picture": PHOTO,
    "mask": PHOTO.replace("nodes:", "nodes:\n  where: {use: images.mask, file: {name}}"),
    "song": COPY.replace("rate: 0.05", "rate: {music: {name}, low: 0.1, high: 0.2}"),
    "story": COPY + "  clip: {use: clip.model}\n  story: {use: clip.story, clip: $clip, file: {name}}\n",
    "sound": COPY.replace("every: 2", "every: 2, sound: {name}"),
    "film": COPY.replace("use: images.noise, size: [24, 24], kind: fractal", "use: video.frames, file: {name}"),
    "weights": COPY.replace("use: canvas.pixels, size: [24, 24]", "use: vqgan.canvas, weights: {name}"),
    "perceptor": COPY + "  clip: {use: clip.model, name: ViT-B/32, weights: {name}}\n",
}


def _loop(folder: Path) -> str:
    (folder / "loop").symlink_to("loop")
    return "loop"


def _pipe(folder: Path) -> str:
    os.mkfifo(folder / "pipe")
    return "pipe"


def _below_a_file(folder: Path) -> str:
    (folder / "file").write_text("x")
    return "file/inside"


ODD: dict[str, tuple[Callable[[Path], str], str]] = {
    "a loop of links": (_loop, "points back to itself"),
    "a pipe": (_pipe, "pipe or a device"),
    "a device": (lambda _: "/dev/zero", "pipe or a device"),
    "three hundred letters": (lambda _: "a" * 300, "a name that is too long"),
    "a folder": (lambda _: ".", "folder"),
    "a name below a file": (_below_a_file, "doesn't exist"),
    "a home that nobody has": (lambda _: "~nobody-of-this-name/x", "doesn't exist"),
}


def complaints(recipe: str, *overrides: str) -> str:
    """All that is wrong with a recipe, as far as a person names it."""
    found = Problems()
    try:
        compile_recipe(opened(recipe).read([], overrides, found), found)
    except RecipeError as fault:
        return "\n".join(problem.message for problem in fault.problems)
    return ""


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("what", NAMED)
def test_a_file_that_cannot_be_read_is_told(what: str, odd: str, tmp_path: Path) -> None:
    make, why = ODD[odd]
    mine = tmp_path / "mine.yaml"
    mine.write_text(NAMED[what].replace("{name}", make(tmp_path)), "utf-8")
    told = complaints(str(mine))
    if (what, odd) != ("weights", "a folder"):
        assert why in told or "unknown weights" in told or "there is no recipe" in told


@pytest.mark.parametrize("ending", ["", ".png", ".mp4"])
@pytest.mark.parametrize("odd", ODD)
def test_a_recipe_that_cannot_be_read_is_told(odd: str, ending: str, tmp_path: Path) -> None:
    name = str(tmp_path / ODD[odd][0](tmp_path))
    if ending:
        (tmp_path / f"recipe{ending}").symlink_to(name)
        name = str(tmp_path / f"recipe{ending}")
    assert complaints(name)


@pytest.mark.parametrize("name", ["a\0b", "\udce9.png", "~/\0", "\ud800"])
def test_a_name_that_no_file_can_have_is_told(name: str, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(PHOTO.replace("{name}", "photo.png"), "utf-8")
    assert complaints(name)
    assert complaints(str(mine), f"photo.file={name}")


def test_a_home_folder_is_known_wherever_a_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "base.yaml").write_text(PHOTO.replace("{name}", "~/photo.png"), "utf-8")
    PIL.Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    work = tmp_path / "work"
    work.mkdir()
    (work / "mine.yaml").write_text("t2iflow: 1\nextends: ~/base.yaml\n", "utf-8")
    assert not complaints("~/work/mine.yaml")
    assert not complaints("~/base.yaml", "photo.file=~/photo.png")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", lambda _: (_ for _ in ()).throw(KeyError()))
    assert "doesn't exist" in complaints(str(work / "mine.yaml")) or "no recipe" in complaints(str(work / "mine.yaml"))
    assert complaints("~/work/mine.yaml")


@pytest.mark.parametrize("text", ["\udce9", "\x1b[31m", "a\0b", "\x9b2J", "\uffff"])
def test_a_text_with_signs_that_no_text_has_is_refused(text: str, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    escaped = "".join(f"\\u{ord(sign):04x}" for sign in text)
    mine.write_text(COPY.replace("title: Copy a picture", f'title: "{escaped}"'), "utf-8")
    assert "can't stand in a text" in complaints(str(mine))
    mine.write_text(COPY.replace("params: {", "params: {prompt: fox, "), "utf-8")
    assert "can't stand in a text" in complaints(str(mine), f"prompt={text}")
    assert "can't stand in a text" in complaints(str(mine), f"photo.kind={text}")


def test_a_folder_whose_name_is_not_utf8_is_told(tmp_path: Path) -> None:
    odd = tmp_path / "caf\udce9"
    odd.mkdir()
    PIL.Image.new("RGB", (8, 8)).save(odd / "photo.png")
    (odd / "mine.yaml").write_text(PHOTO.replace("{name}", "photo.png"), "utf-8")
    assert "not UTF-8" in complaints(str(odd / "mine.yaml"))
