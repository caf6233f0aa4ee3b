"""Every recipe that needs weights runs to its picture on small ones with made-up values, through the command line.

One that is no picture of the size that its param `size` says has a row in `ROWS`, and needs no more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image, ImageStat

from t2iflow.pipelines.text.recipe import shipped_recipes
from tests.needs import recipe, specs, weights
from tests.runner.conftest import Command


@dataclass(frozen=True)
class Row:
    """How a recipe becomes small: the size of its picture or strip of frames then, and what to `--set` for it.

    Before these changes all optimisers take 2 steps, all cut-outs are 4 of 64 x 64 pixels, the perceptor is `lite` and
    is asked for a fox, and a param `size` is 32 x 24; the weights are those that `tests/weights/<family>.py` makes.
    """

    size: tuple[int, int] = (32, 24)
    changes: tuple[str, ...] = ()


ROWS: dict[str, Row] = {
    "aleph-gamma": Row(changes=("canvas.start=[1, 2, 3]",)),
    "aleph-into-vqgan": Row(changes=("sketch-size=[16, 16]",)),
    "big-sleep": Row((16, 16)),
    "big-sleep-simple": Row((16, 16)),
    "dalle-mini": Row((16, 16), ("count=2",)),
    "dalle-mini-refined": Row(changes=("drafts.count=2",)),
    "dalle-pytorch": Row((16, 16), ("count=2", "pictures.prompt=a fox")),
    "siren-over-vqgan": Row(changes=("middle.feather=2", "waves.layers=2", "waves.width=16")),
    "vqgan-zoom": Row((96, 24), ("frames=3", "frame-steps=1", "sheet.every=1")),
}


RUNS = [
    (name, preset) for name in shipped_recipes() for preset in (None, *recipe(name).presets) if weights(name, preset)
]
TRIED = [pytest.param(*run, id="-".join(filter(None, run))) for run in RUNS]


def smaller(name: str, preset: str | None) -> list[str]:
    """Changes that make any recipe quick."""
    changes = ["size=[32, 24]"] if "size" in recipe(name).params else []
    for node, spec in specs(name, preset):
        if spec.role == "optimizer":
            changes += [f"{node}.steps=2"]
        if spec.name.startswith("cutouts."):
            changes += [f"{node}.size=64", f"{node}.count=4"]
        if spec.name == "clip.model":
            changes += [f"{node}.name=lite"]
        if spec.name == "clip.text":
            changes += [f"{node}.prompt=a fox"]
    return changes


@pytest.mark.parametrize("name", sorted({name for name, _ in RUNS}))
def test_how_a_recipe_becomes_small_is_known(name: str) -> None:
    known = name in ROWS or "size" in recipe(name).params
    assert known, f"{name} has no param `size`: add a row for it to ROWS in tests/runner/test_systems.py"


def test_every_row_has_a_recipe_that_needs_weights() -> None:
    strangers = ROWS.keys() - {name for name, _ in RUNS}
    assert not strangers, "no such recipe needs weights: take its row out of ROWS in tests/runner/test_systems.py"


@pytest.mark.parametrize(("name", "preset"), TRIED)
def test_a_recipe_runs_to_its_picture_on_small_weights_of_its_families(
    name: str,
    preset: str | None,
    small_weights: Callable[[str], Path],
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("T2IFLOW_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("T2IFLOW_OFFLINE", "1")
    row, wanted = ROWS.get(name, Row()), weights(name, preset)
    for family in {*wanted.values()}:
        added = command("weights", "add", f"made-up-{family}", str(small_weights(family)), "--family", family)
        assert added.code == 0, added.err
    changes = [*smaller(name, preset), *row.changes, *(f"{key}=made-up-{family}" for key, family in wanted.items())]
    arguments = [word for change in changes for word in ("--set", change)]
    arguments += ["--preset", preset] if preset else []
    checked = command("check", name, *arguments)
    assert checked.code == 0, checked.err
    planned = command("plan", name, *arguments)
    assert planned.code == 0, planned.err
    told = command("run", name, *arguments)
    assert told.code == 0, told.err
    assert told.folder
    (made,) = (path for path in told.folder.glob("*.png") if path.name in ("picture.png", "strip.png"))
    with Image.open(made) as picture:
        assert picture.size == row.size, f"say the size of {name} in ROWS"
        assert max(ImageStat.Stat(picture).stddev) > 2, "the picture is flat"
