"""The pages that are written by hand name all that there is, and what they say to do can be done."""

import re
import runpy
import shlex
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
import typer
from typer.testing import CliRunner

from t2iflow.nodes.core.catalog import every_node
from t2iflow.nodes.pictures.metadata import read_recipe
from t2iflow.pipelines.text.recipe import shipped_recipes
from t2iflow.runner.cli import weights
from t2iflow.runner.cli.main import app
from t2iflow.runner.events import Event
from t2iflow.runner.exits import MEANINGS
from tests import needs

DOCS = Path(__file__).parents[1] / "docs"
GALLERY = runpy.run_path(str(DOCS / "gallery.py"))
README = (DOCS.parent / "README.md").read_text("utf-8")
LINES = [shlex.split(line, comments=True) for line in re.findall(r"^    t2iflow (.*)", README, re.MULTILINE)]
"""Its commands."""


def page(name: str) -> str:
    """The text of a page."""
    return (DOCS / name).read_text("utf-8")


@pytest.mark.parametrize("name", vars(typer.main.get_command(weights.app))["commands"])
def test_every_command_on_weights_is_on_their_page(name: str) -> None:
    assert f"t2iflow weights {name}" in page("weights.md"), f"add `t2iflow weights {name}` to docs/weights.md"


@pytest.mark.parametrize("name", [spec.name for spec in every_node() if spec.role == "camera"])
def test_every_camera_is_in_the_guide(name: str) -> None:
    assert f"`{name}`" in page("recipes.md"), f"add `{name}` to the list of cameras in docs/recipes.md"


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_recipe_is_among_the_systems(name: str) -> None:
    assert f"`{name}`" in page("systems.md"), f"add `{name}` to docs/systems.md"


@pytest.mark.parametrize("name", [name for name in shipped_recipes() if "lite" in needs.recipe(name).presets])
def test_a_recipe_with_a_preset_lite_is_in_the_gallery_under_its_picture(name: str) -> None:
    assert f"**{name}**" in page("gallery.md"), f"add **{name}** to docs/gallery.md"
    if GALLERY["shown"](name):
        shown = f"](pictures/{name}.webp)<br>[**{name}**](../examples/{name}.yaml)"
        picture = DOCS / "pictures" / f"{name}.webp"
        assert picture.is_file(), f"make its picture: `python docs/gallery.py {name}`"
        assert read_recipe(picture), f"its picture carries no recipe: make it by `python docs/gallery.py {name}`"
        assert shown in page("gallery.md"), f"put its picture over its name in docs/gallery.md: ![...{shown}"


@pytest.mark.parametrize("verb", sorted({verb for verb, *_ in LINES}))
def test_a_command_of_the_readme_exists(verb: str) -> None:
    assert verb in vars(typer.main.get_command(app))["commands"]


@pytest.mark.parametrize("line", [line for line in LINES if line[1:2] and line[1] in shipped_recipes()], ids=" ".join)
def test_what_the_readme_says_of_a_recipe_is_understood(
    line: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = {"run": ["plan", *line[1:]], "sweep": [*line, "--plan"]}.get(line[0], line)
    told = CliRunner().invoke(app, words)
    assert told.exit_code == 0, told.output


@pytest.mark.parametrize("recipe", re.findall(r"```yaml\n(t2iflow: 1.*?)```", README, re.DOTALL))
def test_a_recipe_of_the_readme_is_right(recipe: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(recipe, "utf-8")
    told = CliRunner().invoke(app, ["check", str(tmp_path / "mine.yaml")])
    assert told.exit_code == 0, told.output


def rows(head: str) -> dict[str, str]:
    """The rows of a table in docs/recipes.md, by their first cell."""
    table = page("recipes.md").partition(f"\n{head}\n")[2].partition("\n\n")[0]
    return {row.split(" | ")[0].strip("| `"): row for row in table.splitlines()[1:]}


def test_every_event_is_in_the_guide_with_its_keys() -> None:
    table, kinds = rows("| type | keys |"), {kind.__name__.lower(): kind for kind in get_args(Event)}
    assert list(table) == list(kinds)
    for name, kind in kinds.items():
        for key in {field.name for field in fields(kind)} - {"at", "image"}:
            assert f"`{key}`" in table[name], f"say what `{key}` of `{name}` is in docs/recipes.md"


def test_every_exit_code_is_in_the_guide_with_its_meaning() -> None:
    table = {int(code): row for cell, row in rows("| exit code | means |").items() for code in cell.split(", ")}
    assert list(table) == list(MEANINGS)
    for code, meaning in MEANINGS.items():
        assert meaning in re.sub(r"\[(.*?)\]\(.*?\)", r"\1", table[code])
