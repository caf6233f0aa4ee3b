"""A picture's file may stand where a picture is wanted, in place of a node that reads it."""

from pathlib import Path

import PIL.Image
import pytest

from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.problems import Problems, RecipeError
from t2iflow.pipelines.show.resolved import resolved
from t2iflow.pipelines.text.recipe import read
from tests.runner.conftest import Command

RECIPE = """
t2iflow: 1
params: {photo: photo.png}
nodes:
  canvas: {use: canvas.pixels, size: [16, 16], init: $photo}
  like:   {use: losses.reference, image: $canvas, reference: other.png}
  fit:    {use: optimizers.adam, image: $canvas, loss: $like, steps: 2}
  mixed:  {use: images.blend, image: $fit, over: other.png, mask: mask.png}
  still:  {use: output.image, image: $mixed}
"""

BEGUN = """
t2iflow: 1
nodes:
  canvas: {use: canvas.pixels, size: [16, 16], init: photo.png}
  calm:   {use: losses.total_variation, image: $canvas}
  fit:    {use: optimizers.adam, image: $canvas, loss: $calm, steps: 1, rate: 1e-9}
  still:  {use: output.image, image: $fit}
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, colour in {"photo.png": "red", "other.png": "blue", "mask.png": "grey"}.items():
        PIL.Image.new("RGB", (16, 16), colour).save(tmp_path / name)
    (tmp_path / "mine.yaml").write_text(RECIPE, "utf-8")
    return tmp_path


def test_a_picture_of_files_on_ports_is_made_and_made_again(files: Path, command: Command) -> None:
    first = command("run", RECIPE)
    assert first.folder is not None
    again = command("run", str(first.folder / "recipe.yaml"))
    other = command("run", str(first.folder / "recipe.yaml"), "--set", "photo=other.png")
    assert again.folder is not None
    assert other.folder is not None
    pictures = [(one / "picture.png").read_bytes() for one in (first.folder, again.folder, other.folder)]
    assert pictures[0] == pictures[1]
    assert pictures[0] != pictures[2]


@pytest.mark.parametrize("canvas", ["pixels", "fourier", "pyramid"])
@pytest.mark.parametrize("shape", [(48, 16), (16, 48), (96, 64), (16, 16)])
def test_a_canvas_begins_with_the_middle_of_a_photo_of_another_shape(
    shape: tuple[int, int], canvas: str, tmp_path: Path, command: Command
) -> None:
    photo, side = PIL.Image.new("RGB", shape), min(shape) // 2
    photo.paste("white", [(length - side) // 2 + end for end in (0, side) for length in shape])
    photo.save(tmp_path / "photo.png")
    told = command("run", BEGUN.replace("canvas.pixels", f"canvas.{canvas}"))
    assert told.folder is not None, told.err
    with PIL.Image.open(told.folder / "picture.png") as picture:
        bright = picture.convert("L").point(lambda level: 255 * (level > 128))
    assert bright.size == (16, 16)
    assert bright.getbbox() == (4, 4, 12, 12)


def test_a_file_on_a_port_is_a_node_of_its_own(files: Path) -> None:
    plan = compile_recipe(read(files / "mine.yaml"))
    readers = {name: node.spec.name for name, node in plan.graph.nodes.items() if "." in name}
    load = "images.load"
    assert readers == {"canvas.init": load, "like.reference": load, "mixed.over": load, "mixed.mask": "images.mask"}
    assert set(plan.graph.files) == {str(files / name) for name in ("photo.png", "other.png", "mask.png")}
    assert "init: $photo" in resolved(plan.graph, plan.graph.files)
    assert "over: inputs/other.png" in resolved(plan.graph, plan.graph.files)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("mixed.over=nowhere.png", "the file `nowhere.png` doesn't exist"),
        ("mixed.over=canvas", "did you mean `$canvas`?"),
        ("mixed.over=canvass", "did you mean `$canvas`?"),
        ("mixed.over=an endless meadow", "or the name of a picture's file, such as `photo.jpg`"),
        ("like.image=like", "did you mean `$like`?"),
        ("mixed.over=mine.yaml", "is not a picture"),
        ("init=photo.png", "`--set canvas.init=value`"),
        ("photos=other.png", "params: photo, seed"),
        ("canvass.init=other.png", "nodes: canvas, like"),
    ],
)
def test_what_is_no_file_is_told_what_to_write(
    files: Path, change: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files)
    found = Problems()
    with pytest.raises(RecipeError) as caught:
        compile_recipe(read("mine.yaml", overrides=[change], problems=found), found)
    assert words in str(caught.value)
