"""What is told about nodes comes from their signatures, and the pages made of it are up to date."""

import re
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

from t2iflow.nodes.core.catalog import every_node
from t2iflow.pipelines.codes import CODES
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.problems import RecipeError
from t2iflow.pipelines.show import node_pages
from t2iflow.pipelines.text.recipe import Recipe, read_text

DOCS = Path(__file__).parents[2] / "docs"
PAGES = runpy.run_path(str(DOCS / "make.py"))["pages"]


@pytest.mark.parametrize("page", PAGES())
def test_pages_made_from_the_code_are_up_to_date(page: str) -> None:
    stored = (DOCS / page).read_text(encoding="utf-8")
    current = stored == PAGES()[page]
    assert current, f"docs/{page} is not what the code says now: run `make docs`"


def test_the_page_of_errors_has_every_code() -> None:
    assert set(re.findall(r"^\| (T2I\d+) ", PAGES()["errors.md"], re.MULTILINE)) == set(CODES)


def test_the_listing_has_every_node_with_its_first_sentence() -> None:
    told = " ".join(node_pages.listing().split())
    for spec in every_node():
        assert f"{spec.name} {' '.join(spec.about.split())}" in told


def test_a_family_is_told_with_the_whole_first_paragraph_of_its_module(plugin: Callable[..., None]) -> None:
    head = "Greys: each is one, e.g. of 0.5."
    node = "@node\ndef grey(image: Image) -> Image:\n    return image\n"
    imports = "from t2iflow.nodes.core.node import node\nfrom t2iflow.nodes.core.types import Image\n"
    plugin(f'"""{head}\n\nNot told in a list."""\n{imports}{node}')
    assert f"mine: {head}\n" in node_pages.listing()


def test_a_node_is_told_with_its_ports_settings_and_outputs() -> None:
    told = node_pages.about("cutouts.square")
    assert re.search(r"^  image +Image$", told, re.MULTILINE)
    assert re.search(r"^  count +a whole number from 1 to 1000000 +default 32, may be keyframed$", told, re.MULTILINE)
    assert re.search(r"^outputs:\n  .*Crops$", told, re.MULTILINE)
    assert "Squares of random size" in told


def test_what_is_read_once_can_not_be_keyframed() -> None:
    told = node_pages.about("canvas.pixels")
    assert re.search(r"^  init +Image +may be left out, read once$", told, re.MULTILINE)
    assert re.search(r"^  size .* default \[224, 224\]$", told, re.MULTILINE)
    assert re.search(r"^  file +a text +required$", node_pages.about("images.load"), re.MULTILINE)


def test_several_outputs_are_told_by_name() -> None:
    assert re.search(r"^  images +Image\n  scores +Scores$", node_pages.about("clip.rank"), re.MULTILINE)


def test_a_family_is_told_by_its_nodes() -> None:
    told = node_pages.about("cutouts")
    assert "cutouts.square" in told
    assert "canvas.pixels" not in told


@pytest.mark.parametrize(
    ("name", "near"), [("cutouts.sqare", "cutouts.square"), ("square", "cutouts.square"), ("cutout", "cutouts")]
)
def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(name: str, near: str) -> None:
    with pytest.raises(LookupError, match=f"did you mean `{near}`"):
        node_pages.about(name)


def test_a_broken_package_is_named(plugin: Callable[[str], None]) -> None:
    plugin("import a_module_that_is_not_there")
    assert re.search("^mine: broken: .*a_module_that_is_not_there", node_pages.listing(), re.MULTILINE)
    with pytest.raises(LookupError, match="a_module_that_is_not_there"):
        node_pages.about("mine.tint")


def test_the_page_of_nodes_leaves_other_packages_out(plugin: Callable[[str], None]) -> None:
    before = node_pages.markdown()
    plugin(_block("python", "def tint"))
    assert "mine.tint" in node_pages.listing()
    assert node_pages.markdown() == before


def test_the_recipe_of_the_guide_and_its_preset_compile() -> None:
    text = _block("yaml", "t2iflow: 1") + _block("yaml", "presets:")
    for presets in ([], ["quick"]):
        recipe = read_text(text, "guide.yaml", Path(), presets=presets)
        compile_recipe(recipe)
    assert recipe.params["side"].value == 128


def test_the_node_of_the_guide_is_one(plugin: Callable[[str], None]) -> None:
    plugin(_block("python", "def tint"))
    assert re.search(r"^  red +a number from 0 to 1 +default 0.5", node_pages.about("mine.tint"), re.MULTILINE)


def _block(language: str, with_text: str) -> str:
    """The block of the guide in this language with this text in it."""
    blocks = re.findall(rf"```{language}\n(.*?)```", (DOCS / "recipes.md").read_text(encoding="utf-8"), re.DOTALL)
    return next(block for block in blocks if with_text in block)


def test_a_file_that_is_read_can_not_be_keyframed(made: Callable[..., Recipe]) -> None:
    recipe = made(
        "nodes:\n  photo: {use: images.load, file: {0: a.png, 9: b.png}}\n  still: {use: output.image, image: $photo}"
    )
    with pytest.raises(RecipeError, match="T2I206"):
        compile_recipe(recipe)
