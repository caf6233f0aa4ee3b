"""Every shipped recipe takes a step, and its camera begins a frame, on the `meta` device, by the rules of a CUDA graph.

So nothing is made in the wrong place, and nothing in the step asks the device, draws chance or copies from the host.
"""

from collections.abc import Callable
from contextlib import nullcontext
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from t2iflow.nodes.core import ambient
from t2iflow.nodes.core.missing import MissingPackageError
from t2iflow.nodes.film.takes import Take
from t2iflow.nodes.perceptors.clip.sources import package
from t2iflow.nodes.perceptors.lite import perceptor
from t2iflow.runner.execution.frames import Film
from t2iflow.runner.execution.stage import Stage
from tests.captured import Captured
from tests.nodes import checkpoints
from tests.rehearsal import STEPPING, Rehearsal, small

META = torch.device("meta")


@cache
def lite(device: torch.device, precision: str, full: Callable[..., perceptor.Lite] = perceptor.Lite) -> perceptor.Lite:
    """`lite`, with one of its blocks that repeat the one before."""
    made = full(device, precision)
    _, *repeated = (block for block in made._network.blocks if block.passes)
    made._network.blocks = torch.nn.ModuleList(block for block in made._network.blocks if block not in repeated)
    return made


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One `lite` for all; and `meta` has no generators."""
    make = ambient.generator
    monkeypatch.setattr(perceptor, "Lite", lambda device, precision, shelf: lite(device, precision))
    monkeypatch.setattr(ambient, "generator", lambda device, seed: None if device == META else make(device, seed))


@pytest.mark.parametrize(("name", "preset"), [pytest.param(*one, id="-".join(filter(None, one))) for one in STEPPING])
def test_a_step_of_a_shipped_recipe_asks_the_device_nothing(
    name: str, preset: str | None, small_weights: Callable[[str], Path], tmp_path: Path
) -> None:
    rehearse(Rehearsal(name, preset, small(name, preset, small_weights), tmp_path, META))


@pytest.mark.parametrize("tensors", [checkpoints.vit(side=32), checkpoints.resnet()], ids=["vit", "resnet"])
def test_neither_does_a_clip(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    try:
        package()
    except MissingPackageError as fault:
        pytest.skip(str(fault))
    torch.save(tensors, tmp_path / "clip.pt")
    changes = [f"clip.name={tmp_path / 'clip.pt'}", "size=[64, 64]", "canvas.layers=3", "cuts.size=64", "cuts.count=4"]
    rehearse(Rehearsal("deep-daze", None, changes, tmp_path, META))


def rehearse(rehearsal: Rehearsal) -> None:
    """Of each stage, take a step as it comes and one that is captured; and let its camera begin a frame."""
    judging, moving = Captured(META), Captured(META, counters=True)
    for stage in rehearsal.stages():
        for name in {*stage.region.paint, *stage.region.judge} - rehearsal.moving(stage.region):
            link = rehearsal.circuit.links[name]
            link.live = partial(before, judging, link.live)
        take = Take(stage.region.steps)
        for number, tick in enumerate(rehearsal.steps(stage, 1, 2)):
            with judging if number else nullcontext():
                judged = stage.judge(tick, take)
            with moving if number else nullcontext():
                stage.move(tick, take)
        rehearsal.finish(stage, judged.image)
        begin_frame(rehearsal, stage)


def before(mode: Captured, live: Callable[..., Any], **given: Any) -> Any:
    """Compute what comes before the captured step."""
    with mode.paused():
        return live(**given)


def begin_frame(rehearsal: Rehearsal, stage: Stage) -> None:
    """Let a camera begin a frame, if there is one, and judge the frame by what is there."""
    shot = stage.region.shot
    if shot and rehearsal.circuit.links[shot.camera].node.spec.name != "camera.follow":  # which asks where things went
        film = Film(stage, shot, rehearsal.circuit)
        take = film.begin(film.turn(1))
        if take.pull is not None:
            take.pull(rehearsal.circuit.values[stage.image])
