"""Recipes that packages offer, without their code being imported."""

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from typer.testing import CliRunner

import t2iflow
from t2iflow.nodes.core import offered
from t2iflow.pipelines.problems import RecipeError
from t2iflow.pipelines.text import packs
from t2iflow.pipelines.text.recipe import read
from t2iflow.runner.cli.main import app

RED = """t2iflow: 1
title: A red fox
nodes:
  photo: {use: images.noise, size: [8, 8], kind: fractal}
  still: {use: output.image, image: $photo}
"""

Offer = Callable[..., Path]


@pytest.fixture
def offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Offer]:
    """Install packages of recipes for one test, whose code must not be imported."""
    points: list[EntryPoint] = []
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setattr(offered, "entry_points", lambda group: [one for one in points if one.group == group])
    monkeypatch.chdir(tmp_path)
    packs._packs.cache_clear()

    def install(pack: str, value: str, **recipes: str) -> Path:
        folder = tmp_path.joinpath("site", *value.split("."))
        folder.mkdir(parents=True)
        (tmp_path / "site" / value.partition(".")[0] / "__init__.py").write_text("1 / 0", encoding="utf-8")
        for name, text in recipes.items():
            (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        points.append(EntryPoint(pack, value, packs.GROUP))
        return folder

    yield install
    packs._packs.cache_clear()


def said(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def test_a_recipe_without_about_leaves_no_line_empty(offer: Offer) -> None:
    offer("foxes", "fox_package.recipes", red=RED)
    listed = said("recipes")
    assert "foxes/red" in listed
    assert all(line.strip() for line in listed.splitlines())


def test_the_recipes_of_a_package_run_by_name_without_its_code(offer: Offer) -> None:
    offer("foxes", "fox_package.recipes", red=RED)
    said("run", "foxes/red")
    assert "A red fox" in said("recipes")
    assert said("recipes", "foxes/red") == RED
    said("new", "foxes/red")
    assert Path("red.yaml").read_text(encoding="utf-8") == RED
    assert t2iflow.recipes()["foxes/red"].title == "A red fox"
    assert t2iflow.check("foxes/red")
    assert "did you mean `foxes/red`?" in str(t2iflow.check("foxes/rd"))
    assert not {"fox_package", "fox_package.recipes"} & sys.modules.keys()


def test_a_pack_reads_and_extends_only_what_is_its_own_or_bundled(offer: Offer, tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text(RED, encoding="utf-8")
    story = "{use: clip.story, clip: $clip, file: ../../../secret.yaml}"
    offer(
        "foxes",
        "fox_package",
        red=RED,
        near="t2iflow: 1\nextends: red.yaml\n",
        named="t2iflow: 1\nextends: foxes/red\n",
        bundled="t2iflow: 1\nextends: hello\n",
        other="t2iflow: 1\nextends: owls/grey\n",
        outside="t2iflow: 1\nextends: ../../secret.yaml\n",
        reading=f"{RED}  clip: {{use: clip.model, name: lite}}\n  words: {story}\n",
        large=RED.replace("[8, 8]", "[16384, 16384]"),
    )
    offer("owls", "owl_package", grey=RED)
    for name in ("near", "named", "bundled"):
        assert t2iflow.check(f"foxes/{name}"), name
    said("new", "foxes/near", "copied.yaml")
    assert t2iflow.check("copied.yaml")
    for name in ("other", "outside", "reading", "large"):
        found = t2iflow.check(f"foxes/{name}")
        assert [problem.code for problem in found.problems] == ["T2I503"], name
    assert "or make it your own: `t2iflow new foxes/large mine.yaml`" in str(t2iflow.check("foxes/large"))
    Path("mine.yaml").write_text("t2iflow: 1\nextends: owls/grey\n", encoding="utf-8")
    assert t2iflow.check("mine.yaml")
    Path("mine.yaml").write_text("t2iflow: 1\nextends: foxes/large\n", encoding="utf-8")
    assert not t2iflow.check("mine.yaml")


def test_a_pack_that_cannot_be_used_harms_no_other(offer: Offer) -> None:
    offer("foxes", "fox_package", red=RED, broken="t2iflow: 1\nnodes: [\n")
    offer("owls", "owl_package", grey=RED)
    offer("owls", "other_package", grey=RED)
    offer("lost", "lost_package.recipes").rmdir()
    result = CliRunner().invoke(app, ["recipes"])
    assert result.exit_code == 0
    assert "A red fox" in result.stdout
    assert "`t2iflow check foxes/broken`" in result.stdout
    assert "the pack `owls` is ignored, since several packages" in result.stderr
    for name in ("owls/grey", "lost/red", "foxes/../red", "foxes/blue"):
        with pytest.raises(RecipeError, match="T2I107"):
            read(name)
