"""docs/coming-from.md names only nodes and settings that there are."""

import re
from pathlib import Path

import pytest
import yaml
from PIL import Image

from t2iflow.nodes.core.catalog import families, find
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.text.recipe import read_text, shipped_recipes

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
    plan = compile_recipe(read_text(text, "mine.yaml", tmp_path, presets=presets))
    assert {"photo", "target", "near"}.isdisjoint(plan.idle)


def test_recipes_that_are_named_ship() -> None:
    named = set(re.findall(r"`t2iflow run ([\w-]+) ", TEXT)) | set(re.findall(r"recipe `([\w-]+)`", TEXT))
    assert {"deep-daze", "big-sleep"} <= named
    assert named - {"recipe"} <= shipped_recipes().keys()
