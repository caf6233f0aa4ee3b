"""The pages that are written by hand name all that there is."""

import runpy
from pathlib import Path

import pytest
import typer

from t2iflow.nodes.core.catalog import every_node
from t2iflow.nodes.pictures.metadata import read_recipe
from t2iflow.pipelines.text.recipe import read, shipped_recipes
from t2iflow.runner.cli import weights

DOCS = Path(__file__).parents[1] / "docs"
GALLERY = runpy.run_path(str(DOCS / "gallery.py"))


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


@pytest.mark.parametrize("name", [name for name in shipped_recipes() if "lite" in read(name).presets])
def test_a_recipe_with_a_preset_lite_is_in_the_gallery_under_its_picture(name: str) -> None:
    assert f"**{name}**" in page("gallery.md"), f"add **{name}** to docs/gallery.md"
    if GALLERY["shown"](name):
        shown = f"](pictures/{name}.webp)<br>[**{name}**](../examples/{name}.yaml)"
        picture = DOCS / "pictures" / f"{name}.webp"
        assert picture.is_file(), f"make its picture: `python docs/gallery.py {name}`"
        assert read_recipe(picture), f"its picture carries no recipe: make it by `python docs/gallery.py {name}`"
        assert shown in page("gallery.md"), f"put its picture over its name in docs/gallery.md: ![...{shown}"
