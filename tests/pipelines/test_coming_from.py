"""docs/coming-from.md names only nodes and settings that there are, and what moves a picture as it moved there."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from t2iflow.nodes.core.catalog import families, find
from t2iflow.nodes.pictures.motion import Affine
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.text.recipe import read, shipped_recipes
from tests.compiled import compiled

TEXT = (Path(__file__).parents[2] / "docs" / "coming-from.md").read_text(encoding="utf-8")
FAMILIES = "|".join(families())
NODES = sorted(set(re.findall(rf"`((?:{FAMILIES})\.\w+)`", TEXT)))
SETTINGS = sorted(set(re.findall(rf"`((?:{FAMILIES})\.\w+)` `(\w+): ([^`]+)`", TEXT)))


@pytest.mark.parametrize("name", NODES)
def test_a_node_that_is_named_is_there(name: str) -> None:
    assert find(name).name == name


@pytest.mark.parametrize(("node", "setting", "value"), SETTINGS)
def test_a_setting_that_is_named_takes_the_value(node: str, setting: str, value: str) -> None:
    assert setting in find(node).settings
    read = yaml.safe_load(value)
    if not isinstance(read, dict):  # keyframes and prompts, which recipes read
        find(node).settings[setting].adapter.validate_python(read)


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(t2iflow: 1.*?)```", TEXT, re.DOTALL))
@pytest.mark.parametrize("presets", [[], ["classic"], ["lite"]])
def test_a_recipe_that_stands_there_is_right(text: str, presets: list[str], tmp_path: Path) -> None:
    for file in re.findall(r"file: ([\w.]+)", text):
        Image.new("RGB", (32, 32)).save(tmp_path / file)
    plan = compiled(text, tmp_path, presets=presets)
    assert {"photo", "target", "near"}.isdisjoint(plan.idle)


def test_recipes_that_are_named_ship() -> None:
    named = set(re.findall(r"`t2iflow run ([\w-]+) ", TEXT)) | set(re.findall(r"recipe `([\w-]+)`", TEXT))
    assert {"deep-daze", "big-sleep"} <= named
    assert named - {"recipe"} <= shipped_recipes().keys()


def test_strokes_may_become_as_wide_as_clipdraws_whose_widths_are_radii() -> None:
    canvas = compile_recipe(read("clipdraw")).graph.nodes["canvas"].settings
    assert canvas["widest"] * 224 == pytest.approx(2 * 50, rel=0.02)
    assert canvas["width"] * 224 == pytest.approx(2 * 1, rel=0.15)
    assert f"`strokes.canvas` `widest: {canvas['widest']}`" in TEXT


def deforum(zoom: float = 1.0, angle: float = 0.0, right: float = 0.0, down: float = 0.0) -> np.ndarray:
    """From places of the last picture, right and down of its middle in pixels, to those of the next: shifted, then
    turned and scaled by OpenCV's `getRotationMatrix2D`."""
    a, b = zoom * math.cos(math.radians(angle)), zoom * math.sin(math.radians(angle))
    turned = np.array([[a, b, 0], [-b, a, 0], [0, 0, 1]])
    return turned @ [[1, 0, right], [0, 1, down], [0, 0, 1]]


def pytti(zoom: float = 0.0, rotate: float = 0.0, x: float = 0.0, y: float = 0.0) -> np.ndarray:
    """The same by `zoom_2d`, whose grid leads back from the next picture, at 512 pixels."""
    scale, theta = (512 - zoom) / 512, math.radians(rotate)
    a, b = scale * math.cos(theta), scale * math.sin(theta)
    back = np.array([[a, -b, -x], [b, a, y], [0, 0, 1]])
    return np.linalg.inv(back)


def offset(right: float, down: float) -> np.ndarray:
    """The same by Pillow's `ImageChops.offset`."""
    return np.array([[1, 0, right], [0, 1, down], [0, 0, 1]])


def distorted(scale: float, angle: float) -> np.ndarray:
    """The same by ImageMagick's `-distort SRT`, which turns clockwise."""
    a, b = scale * math.cos(math.radians(angle)), scale * math.sin(math.radians(angle))
    return np.array([[a, -b, 0], [b, a, 0], [0, 0, 1]])


THERE = {
    "`-zsx 2`, `-zsy 1` (of 512 pixels)": offset(2, 1),
    "`zoom.sh` (scale 1.01, 1 degree)": distorted(1.01, 1),
    "`animation_mode 2D` with `zoom_x_2d` and `zoom_y_2d` 10 (of 512 pixels)": pytti(zoom=10),
    "`rotate_2d` 1": pytti(rotate=1),
    "`translate_x` 5, `translate_y` 5 (of 512 pixels)": pytti(x=5, y=5),
    '`zoom: "0:(1.02)"`': deforum(zoom=1.02),
    '`angle: "0:(3)"`': deforum(angle=3),
    '`translation_x: "0:(10)"`, `translation_y: "0:(5)"` (of 512 pixels)': deforum(right=10, down=5),
}
"""What moves a picture in a row of the tables."""


@pytest.mark.parametrize("words", THERE)
def test_a_camera_moves_the_picture_as_it_moved_there(words: str) -> None:
    (here,) = re.findall(rf"^\| {re.escape(words)} \| (.*) \|$", TEXT, re.MULTILINE)
    written = dict(re.findall(r"`(scale|turn|pan): ([^`]+)`", here)[::-1])  # of several the first
    settings = {name: yaml.safe_load(re.sub(r'"0:\((.*)\)"', r"\1", value)) for name, value in written.items()}
    settings["angle"] = settings.pop("turn", 0.0)
    motion = Affine(**settings).affine((1.0, 1.0)).numpy()
    back = np.vstack([motion * [1, 1, 256], [0, 0, 1]])
    places = np.array([[100, -50, 1], [-200, 220, 1], [30, 40, 1]]).T
    np.testing.assert_allclose(np.linalg.inv(back) @ places, THERE[words] @ places, atol=0.3)
