"""Every shipped recipe takes a step, and its camera begins a frame, on the `meta` device, by the rules of a CUDA graph.

So nothing is made in the wrong place, and nothing in the step asks the device, draws chance or copies from the host.
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import cache, partial
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
import torch
from torch import Tensor

from t2iflow.nodes.core import ambient
from t2iflow.nodes.core.ambient import Random, Share, Tick
from t2iflow.nodes.core.chance import Chance
from t2iflow.nodes.core.missing import MissingPackageError
from t2iflow.nodes.film.takes import Take
from t2iflow.nodes.perceptors.clip.sources import package
from t2iflow.nodes.perceptors.lite import perceptor
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.plan.regions import Region
from t2iflow.pipelines.text.recipe import read, shipped_recipes
from t2iflow.runner.execution.circuit import Circuit
from t2iflow.runner.execution.frames import Film
from t2iflow.runner.execution.link import Surroundings
from t2iflow.runner.execution.stage import Stage, build, moment
from tests import needs
from tests.captured import Captured
from tests.nodes import checkpoints
from tests.nodes.conftest import Heard, RunFolder
from tests.runner.test_shipped_recipes import smaller
from tests.runner.test_systems import ROWS
from tests.runner.test_systems import smaller as less

META = torch.device("meta")
TRIED = [
    pytest.param(name, preset, id="-".join(filter(None, (name, preset))))
    for name in shipped_recipes()
    for preset in (None, *read(name).presets)
    if compile_recipe(read(name, presets=[preset] if preset else [])).regions
]


class Around(Surroundings):
    """Surroundings in which the chance of a step may be drawn before it."""

    chance: Chance | None = None

    def give(self, kind: type, node: str, tick: Tick, share: Share, stage: str) -> Any:
        if kind is Random and self.chance is not None:
            return self.chance[node, share.number]
        return super().give(kind, node, tick, share, stage)


class Rehearsal:
    """A recipe on the `meta` device."""

    def __init__(self, name: str, preset: str | None, changes: list[str], folder: Path) -> None:
        self.plan = compile_recipe(read(name, presets=[preset] if preset else [], overrides=changes))
        self.around = Around(0, META, RunFolder(folder), lambda _: Heard())
        self.circuit = Circuit(self.plan.graph, self.around)
        self._mode = Captured(META)
        for link in self.circuit.links.values():
            if link.node.spec.role == "sink":
                link.live = lambda **given: None

    def stages(self) -> Iterator[tuple[Region, Stage]]:
        """All stages in turn, each after what is computed before it; outputs are not."""
        for item in self.plan.items:
            if isinstance(item, Region):
                yield item, build(item, self.circuit)
            elif self.plan.graph.nodes[item].spec.role != "sink":
                self.circuit.make([item])
                self.circuit.compute([item], Tick())

    def run(self) -> None:
        """Take a step of each stage, and let its camera begin a frame."""
        for region, stage in self.stages():
            self.step(region, stage)
            if region.shot:
                self.film(region, stage)

    def step(self, region: Region, stage: Stage) -> None:
        """Take a step as it comes, and one as if it were captured."""
        self._run_first(region)
        take = Take(region.steps)
        chance = Chance(META)
        for step in (1, 2):
            tick = moment(region, step)
            chance.renew(self._drawn(region, stage, tick))
            object.__setattr__(self.around, "chance", chance)
            with self._mode if step > 1 else nullcontext():
                judged = stage.judge(tick, take)
            with Captured(META, counters=True) if step > 1 else nullcontext():
                stage.move(tick, take, judged)
        object.__setattr__(self.around, "chance", None)
        self.circuit.values[stage.image] = self.circuit.values[stage.result] = judged.image

    def film(self, region: Region, stage: Stage) -> None:
        """Begin a frame, and take its first step."""
        assert region.shot
        film = Film(stage, region.shot, self.circuit)
        turn = film.turn(1)
        take = film.begin(turn)
        stage.step(moment(region, 1, take.steps, turn.frame), take)

    def _drawn(self, region: Region, stage: Stage, tick: Tick) -> dict[tuple[str, int], Random]:
        calls = [(name, 0) for name in region.paint] + [(name, n) for name in region.judge for n in range(stage.passes)]
        return {
            (name, part): Random(0, name, "called", 0, tick.step, part, device=META)
            for name, part in calls
            if Random in self.plan.graph.nodes[name].spec.ambient.values()
        }

    def _run_first(self, region: Region) -> None:
        """Let what no canvas is wired to be no part of what is captured."""
        flow = nx.DiGraph((a, b) for a, b, wire in self.plan.graph.net.edges(data=True) if not wire["once"])
        moved = {*region.canvases}.union(*(nx.descendants(flow, name) for name in region.canvases))
        for name in {*region.paint, *region.judge} - moved:
            link = self.circuit.links[name]
            link.live = partial(self._paused, link.live)

    def _paused(self, live: Callable[..., Any], **given: Any) -> Any:
        with self._mode.paused():
            return live(**given)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One `lite` for all; and `meta` has no generators."""
    make = ambient.generator
    monkeypatch.setattr(perceptor, "Lite", LITE)
    monkeypatch.setattr(ambient, "generator", lambda device, seed: None if device == META else make(device, seed))


LITE = cache(perceptor.Lite)


@pytest.mark.parametrize(("name", "preset"), TRIED)
def test_a_step_of_a_shipped_recipe_asks_the_device_nothing(
    name: str, preset: str | None, small_weights: Callable[[str], Path], tmp_path: Path
) -> None:
    changes = [*smaller(name, preset)[1::2], *less(name, preset), *(ROWS[name].changes if name in ROWS else ())]
    for node, spec in needs.specs(name, preset):
        changes += [f"{node}.classes=[1, 2]"] if spec.name == "biggan.canvas" else []  # else it asks `wanted` for them
    families = needs.weights(name, preset) | needs.small(name, preset)
    changes += [f"{key}={small_weights(family)}" for key, family in families.items()]
    Rehearsal(name, preset, changes, tmp_path).run()


@pytest.mark.parametrize("tensors", [checkpoints.vit(side=32), checkpoints.resnet()], ids=["vit", "resnet"])
def test_neither_does_a_clip(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    try:
        package()
    except MissingPackageError as fault:
        pytest.skip(str(fault))
    torch.save(tensors, tmp_path / "clip.pt")
    changes = [f"clip.name={tmp_path / 'clip.pt'}", "size=[64, 64]", "canvas.layers=3", "cuts.size=64", "cuts.count=4"]
    Rehearsal("deep-daze", None, changes, tmp_path).run()
