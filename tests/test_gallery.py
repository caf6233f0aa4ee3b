"""The gallery shows what every recipe makes without a download."""

from pathlib import Path

import pytest

from t2iflow.pipelines.text.recipe import read, shipped_recipes

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("name", [name for name in shipped_recipes() if "lite" in read(name).presets])
def test_a_recipe_with_a_preset_lite_is_in_the_gallery_under_its_picture(name: str) -> None:
    page = (DOCS / "gallery.md").read_text("utf-8")
    assert f"**{name}**" in page
    if name != "clip-classify":  # which makes labels
        assert f"](pictures/{name}.webp)<br>**{name}**" in page
        assert (DOCS / "pictures" / f"{name}.webp").is_file()
