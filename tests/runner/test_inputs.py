"""What a run was made from: copied beside it, named by its params, and missing where a picture travels alone."""

import json
import os
import shutil
from pathlib import Path

import PIL.Image
import pytest

from t2iflow.nodes.core import paths
from t2iflow.nodes.pictures.metadata import read_recipe
from tests.runner.conftest import Command

PHOTO = """
t2iflow: 1
title: Copy a photo
params: {photo: pictures/photo.png, folder: pictures, steps: 3}
nodes:
  photo:  {use: images.load, file: $photo, size: [8, 8]}
  second: {use: images.load, file: "${folder}/second.png", size: [8, 8]}
  both:   {use: images.blend, image: $photo, over: $second, amount: 0.5}
  canvas: {use: canvas.pixels, size: [8, 8]}
  same:   {use: losses.reference, image: $canvas, reference: $both}
  fit:    {use: optimizers.adam, image: $canvas, loss: $same, rate: 0.2, steps: $steps}
  still:  {use: output.image, image: $fit}
"""
PHOTO = PHOTO.replace("  photo:  {use", "  loaded: {use").replace("image: $photo,", "image: $loaded,")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where photos are."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, colour in {"photo": "red", "second": "blue", "other": "lime"}.items():
        PIL.Image.new("RGB", (8, 8), colour).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def made(pictures: Path, command: Command) -> Path:
    """The folder of a run from two photos."""
    told = command("run", PHOTO)
    assert told.code == 0, told.err
    assert told.folder
    return told.folder


@pytest.fixture
def alone(made: Path, tmp_path: Path) -> str:
    """A friend's picture without what it was made from."""
    (tmp_path / "Downloads").mkdir()
    return str(shutil.copy(made / "picture.png", tmp_path / "Downloads" / "theirs.png"))


def test_a_param_names_the_copy_and_takes_another_file(made: Path, pictures: Path, command: Command) -> None:
    recipe = (made / "recipe.yaml").read_text("utf-8")
    assert "  photo: inputs/photo.png\n" in recipe
    assert "    file: $photo\n" in recipe
    assert "    file: inputs/second.png\n" in recipe
    assert "folder" not in recipe  # which leads nowhere any more
    for carrier in ("recipe.yaml", "picture.png"):
        other = command("run", str(made / carrier), "--set", "photo=pictures/other.png")
        assert other.folder
        assert (other.folder / "inputs" / "other.png").read_bytes() == (pictures / "other.png").read_bytes()
        assert (other.folder / "picture.png").read_bytes() != (made / "picture.png").read_bytes()
    assert command("run", str(made / "recipe.yaml"), "--set", "folder=elsewhere").code == 3


def test_a_run_made_again_is_the_same_to_the_byte(made: Path, command: Command) -> None:
    for carrier in ("recipe.yaml", "picture.png"):
        again = command("run", str(made / carrier))
        assert again.folder
        for name in ("recipe.yaml", "picture.png", "inputs/photo.png"):
            assert (again.folder / name).read_bytes() == (made / name).read_bytes()


def test_a_param_that_is_also_a_word_keeps_saying_it(pictures: Path, command: Command) -> None:
    told = command("run", PHOTO.replace("output.image", 'output.image, file: "${photo}"'), "--set", "photo=photo.png")
    assert told.code == 3
    shutil.copy(pictures / "photo.png", "photo.png")
    told = command("run", PHOTO.replace("output.image", 'output.image, file: "${photo}"'), "--set", "photo=photo.png")
    assert told.folder, told.err
    recipe = (told.folder / "recipe.yaml").read_text("utf-8")
    assert "  photo: photo.png\n" in recipe
    assert "    file: inputs/photo.png\n" in recipe


def test_files_of_one_name_are_told_apart(pictures: Path, command: Command) -> None:
    (pictures / "more").mkdir()
    shutil.copy(pictures / "other.png", pictures / "more" / "PHOTO.png")
    told = command("run", PHOTO.replace("${folder}/second", "${folder}/more/PHOTO"))
    assert told.folder, told.err
    assert {path.name for path in (told.folder / "inputs").iterdir()} == {"photo.png", "PHOTO-2.png"}


@pytest.mark.parametrize("name", [".photo.png", "a:b.png", "a\\b.png", 'a"b.png', "...", "a\nb.png", "photo"])
def test_whatever_a_file_is_called_what_is_made_from_it_can_be_made_again(
    name: str, pictures: Path, command: Command
) -> None:
    if not (os.name == "posix" or paths.is_sound(name)):
        pytest.skip("this system has no such names")
    shutil.copy(pictures / "photo.png", pictures / name)
    told = command("run", PHOTO.replace("photo: pictures/photo.png", f"photo: {json.dumps(f'pictures/{name}')}"))
    assert told.folder, told.err
    assert "the same" in command("verify", str(told.folder / "picture.png")).out
    assert command("bundle", str(told.folder), "mine.zip").code == 0
    assert "the same" in command("verify", "mine.zip").out


@pytest.mark.parametrize("verb", ["check", "plan", "show", "graph"])
def test_a_picture_without_its_inputs_can_be_looked_at(verb: str, alone: str, command: Command) -> None:
    told = command(verb, alone)
    assert told.code == 0, told.err
    if verb == "check":
        assert "`photo.png` is missing: give it with `--set photo=PATH`" in told.out
    if verb == "plan":
        assert "photo.png: give it with `--set photo=PATH`" in told.out
        assert "second.png: give it with `--set second.file=PATH`" in told.out


def test_a_run_says_which_inputs_are_missing_and_takes_others(alone: str, pictures: Path, command: Command) -> None:
    told = command("run", alone)
    assert told.code == 3
    assert told.folder is None
    assert "the picture `photo.png`, from which this was made, is missing" in told.err
    assert "give it, or another: `--set photo=PATH`" in told.err
    assert "`--set second.file=PATH`" in told.err
    give = ["--set", f"photo={pictures / 'photo.png'}", "--set", f"second.file={pictures / 'second.png'}"]
    assert command("run", alone, *give).code == 0
    shutil.copytree(pictures, Path(alone).parent / "inputs")
    assert command("run", alone).code == 0


def test_a_picture_becomes_a_recipe_of_ones_own(alone: str, pictures: Path, command: Command) -> None:
    told = command("new", alone, "own.yaml")
    assert told.code == 0, told.err
    assert "photo.png, from which the picture was made, is missing: give it with `--set photo=PATH`" in told.out
    assert command("check", "own.yaml").code == 3
    shutil.copytree(pictures, "inputs")
    assert command("run", "own.yaml").code == 0
    assert command("new", alone).code == 0
    assert Path("theirs.yaml").is_file()
    assert command("new", alone).code == 1
    PIL.Image.new("RGB", (8, 8)).save("bare.png")
    assert "it carries no recipe" in command("new", "bare.png").err


def test_a_picture_s_recipe_reads_only_its_inputs(alone: str, tmp_path: Path, command: Command) -> None:
    from t2iflow.nodes.pictures import metadata

    folder = Path(alone).parent
    shutil.copytree(tmp_path / "pictures", folder / "inputs")
    PIL.Image.new("RGB", (8, 8)).save(folder / "private.png")
    recipe = read_recipe(Path(alone)) or ""
    for wanted in ("private.png", "/etc/passwd", "inputs/../private.png"):
        told = recipe.replace("inputs/second.png", wanted)
        PIL.Image.new("RGB", (8, 8)).save(folder / "evil.png", pnginfo=metadata.in_png(told))
        refused = command("run", str(folder / "evil.png"))
        assert refused.code == 3
        assert "T2I503 this recipe is foreign, so it may not read" in refused.err
        assert "t2iflow new PICTURE mine.yaml" in refused.err


def test_nothing_that_is_given_away_says_where_the_maker_s_files_were(
    pictures: Path, command: Command, tmp_path: Path
) -> None:
    whole = {f"photo={pictures / 'photo.png'}", f"folder={pictures}", "still.file=picture.jpg"}
    told = command("run", PHOTO, *(word for said in whole for word in ("--set", said)))
    assert told.folder, told.err
    assert str(tmp_path) not in (read_recipe(told.folder / "picture.jpg") or "")
    for path in (path for path in told.folder.iterdir() if path.is_file()):
        assert str(tmp_path).encode() not in path.read_bytes(), path.name
    events = [json.loads(line) for line in (told.folder / "events.jsonl").read_text("utf-8").splitlines()]
    assert events[0]["params"]["photo"] == "inputs/photo.png"
