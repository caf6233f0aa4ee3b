"""Every recipe that ships runs to its picture through the command line: small, and for two steps."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from t2iflow.nodes.perceptors.missing import MissingPackageError
from t2iflow.nodes.perceptors.sources import package
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.recipe import read, shipped_recipes
from tests.nodes import checkpoints
from tests.runner.conftest import Command


def smaller(name: str, presets: list[str]) -> list[str]:
    """Arguments that make a recipe quick."""
    graph = compile_recipe(read(name, presets=presets), []).graph
    changes = {}
    for node in graph.nodes.values():
        if node.spec.role == "optimizer":
            changes[f"{node.name}.steps"] = "2"
        if node.spec.role == "canvas":
            changes[f"{node.name}.size"] = "[64, 64]"
        if node.spec.name.startswith("cutouts."):
            changes[f"{node.name}.size"] = "64"
    return [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_runs_without_a_download(name: str, command: Command) -> None:
    preset = ["lite"] if "lite" in read(name).presets else []
    flags = [word for one in preset for word in ("--preset", one)]
    told = command("run", name, *flags, *smaller(name, preset))
    assert told.code == 0, told.err
    assert told.folder
    with Image.open(told.folder / "picture.png") as picture:
        assert picture.size == (64, 64)


def test_deep_daze_runs_unchanged_on_a_clip_from_a_local_file(command: Command, tmp_path: Path) -> None:
    try:
        package()
    except MissingPackageError as fault:
        pytest.skip(str(fault))
    torch.save(checkpoints.vit(side=32), tmp_path / "vit.pt")
    changes = [f"clip.name={tmp_path / 'vit.pt'}", "steps=2", "size=[64, 64]", "canvas.layers=3", "cuts.size=32"]
    told = command("run", "deep-daze", *[word for change in changes for word in ("--set", change)])
    assert told.code == 0, told.err


def test_new_copies_a_recipe_that_runs_and_never_writes_over_a_file(command: Command, tmp_path: Path) -> None:
    assert command("new", "hello", "mine.yaml").code == 0
    assert command("check", "mine.yaml").code == 0
    again = command("new", "hello", "mine.yaml")
    assert again.code == 1
    assert "exists" in again.err


def test_unknown_names_are_answered_with_near_ones(command: Command) -> None:
    assert "did you mean `hello`" in command("new", "helo").err
    assert "did you mean `hello`" in command("run", "helo").err
    assert "did you mean `cutouts.square`" in command("nodes", "cutouts.sqare").err
    assert command("show", "hello", "--stage", "plann").code == 2
    assert command("run", "hello", "--device", "gpu").code == 2
