"""Every recipe that needs no weights of generators runs through the command line: small, and for two steps.

Those that do are in `test_systems.py`.
"""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from t2iflow.nodes.core.missing import MissingPackageError
from t2iflow.nodes.perceptors.clip.sources import package
from t2iflow.pipelines.text.recipe import shipped_recipes
from tests import needs
from tests.nodes import checkpoints
from tests.runner.conftest import Command

DECIDED = {"big-sleep": 128, "big-sleep-simple": 128, "dalle-mini": 96, "dalle-pytorch": 96}
"""Sides of pictures whose weights decide them."""


def smaller(name: str, preset: str | None) -> list[str]:
    """Arguments that make a recipe quick."""
    changes, nodes = {}, needs.plan(name, preset).graph.nodes.values()
    passes = max(node.settings.get("accumulate", 1) for node in nodes)  # all of which need a crop
    for node in nodes:
        if node.spec.role == "optimizer":
            changes[f"{node.name}.steps"] = "2"
        if node.spec.role == "camera":
            changes |= {f"{node.name}.frames": "6", f"{node.name}.steps": "1"}
            if node.settings.get("loop"):
                changes[f"{node.name}.loop"] = "2"
        if node.spec.role == "canvas" and "size" in node.spec.settings:
            changes[f"{node.name}.size"] = "[64, 64]"
        if node.spec.name == "output.strip":
            changes[f"{node.name}.every"] = "1"
        if node.spec.name.startswith("cutouts."):
            changes |= {f"{node.name}.size": "64", f"{node.name}.count": str(max(2, passes))}
        if node.spec.name == "siren.canvas":
            changes |= {f"{node.name}.layers": "3", f"{node.name}.width": "16"}
        if node.spec.name == "strokes.canvas":
            changes |= {f"{node.name}.count": "12", f"{node.name}.start_steps": "1"}
        if node.spec.name in ("dalle.mini", "dalle.pytorch"):
            changes["count" if "count" in needs.recipe(name, preset).params else f"{node.name}.count"] = "2"
    return [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]


def lite(name: str) -> str | None:
    """The preset under which a recipe needs no download, unless it needs none anyway."""
    return "lite" if "lite" in needs.recipe(name).presets else None


@pytest.mark.parametrize("name", [name for name in shipped_recipes() if not needs.weights(name, lite(name))])
def test_a_shipped_recipe_runs_without_a_download(name: str, command: Command) -> None:
    preset = lite(name)
    flags = ["--preset", preset] if preset else []
    told = command("run", name, *flags, *smaller(name, preset))
    assert told.code == 0, told.err
    assert told.folder
    if name == "clip-classify":
        (likely,) = json.loads((told.folder / "labels.json").read_text("utf-8"))
        assert next(iter(likely)) == "a red fox"
    elif (told.folder / "strip.png").exists():
        with Image.open(told.folder / "strip.png") as sheet:
            assert sheet.size == (6 * 64, 64)
        assert (told.folder / "film.mp4").stat().st_size
    else:
        with Image.open(told.folder / "picture.png") as picture:
            side = DECIDED.get(name, 64)
            assert picture.size == (side, side), f"if its weights decide the side, add {name} to DECIDED"


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


@pytest.mark.parametrize("name", ["film-restyle", "music", "style-transfer"])
def test_new_copies_what_a_recipe_reads_too(name: str, command: Command, tmp_path: Path) -> None:
    told = command("new", name, "mine.yaml")
    assert "which it reads" in told.out
    for preset in needs.recipe(name).presets:
        assert command("check", "mine.yaml", "--preset", preset).code == 0
    copied = next(path for path in tmp_path.iterdir() if path.suffix != ".yaml" and path.is_file())
    assert command("new", name, "other.yaml").code == 0
    copied.write_bytes(b"mine")
    again = command("new", name, "third.yaml")
    assert (again.code, copied.read_bytes()) == (1, b"mine")
    assert f"{copied.name}` exists" in again.err
    assert not (tmp_path / "third.yaml").exists()


def test_unknown_names_are_answered_with_near_ones(command: Command) -> None:
    assert "did you mean `hello`" in command("new", "helo").err
    assert "did you mean `hello`" in command("run", "helo").err
    assert "did you mean `cutouts.square`" in command("nodes", "cutouts.sqare").err
    assert command("show", "hello", "--stage", "plann").code == 2
    assert command("run", "hello", "--device", "gpu").code == 2
