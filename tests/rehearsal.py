"""A shipped recipe on any device, small and without its outputs: for looking at how its steps are computed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import networkx as nx
import torch

from t2iflow.nodes.core.ambient import Random, Share, Tick
from t2iflow.nodes.core.chance import Chance
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.plan.regions import Region
from t2iflow.pipelines.text.recipe import read, shipped_recipes
from t2iflow.runner.execution.circuit import Circuit
from t2iflow.runner.execution.link import Link, Surroundings
from t2iflow.runner.execution.stage import Stage, build
from tests import needs
from tests.nodes.conftest import Heard, RunFolder
from tests.runner import test_shipped_recipes, test_systems

STEPPING = [
    (name, preset)
    for name in shipped_recipes()
    for preset in (None, *needs.recipe(name).presets)
    if needs.plan(name, preset).regions
]
"""The recipes in which something is trained, with each of their presets and without."""


class Around(Surroundings):
    """Surroundings in which the chance of a step may be drawn before it."""

    chance: Chance | None = None

    def give(self, kind: type, node: str, tick: Tick, share: Share, stage: str) -> Any:
        """The ambient value of this type for this node, now."""
        if kind is Random and self.chance is not None:
            return self.chance[node, share.number]
        return super().give(kind, node, tick, share, stage)


class Rehearsal:
    """A recipe, made live stage by stage."""

    def __init__(self, name: str, preset: str | None, changes: list[str], folder: Path, device: torch.device) -> None:
        self.plan = compile_recipe(read(name, presets=[preset] if preset else [], overrides=changes))
        self._around = Around(0, device, RunFolder(folder), lambda _: Heard())
        self.circuit = Circuit(self.plan, self._around)
        for link in self.circuit.links.values():
            if link.node.spec.role == "sink":
                link.live = lambda **given: None

    def stages(self) -> Iterator[Stage]:
        """All stages in turn, each after what is computed before it; after `finish` the next can begin."""
        for item in self.plan.items:
            if isinstance(item, Region):
                yield build(item, self.circuit)
            elif self.circuit.links[item].node.spec.role != "sink":
                self.circuit.make([item])
                self.circuit.compute([item], Tick())

    def steps(self, stage: Stage, *numbers: int) -> Iterator[Tick]:
        """Steps whose chance is drawn before them, and from the second on lies still.

        On `meta` the number is none at which the runner asks whether the loss is finite, such as 0.
        """
        chance = Chance(self._around.device)
        for number in numbers:
            tick = stage.region.tick(number)
            calls = self.calls(stage)
            chance.renew({(link.node.name, share.number): self._random(link, share, tick) for link, share in calls})
            self._keep(chance)
            yield tick
        self._keep(None)

    def finish(self, stage: Stage, image: torch.Tensor) -> None:
        """Let this be the stage's picture, whatever it holds."""
        self.circuit.values[stage.image] = self.circuit.values[stage.result] = image

    def calls(self, stage: Stage) -> list[tuple[Link, Share]]:
        """All calls of nodes in a step."""
        region, links = stage.region, self.circuit.links
        passes = [Share(number, stage.passes) for number in range(stage.passes)]
        paint = [(links[name], Share()) for name in region.paint]
        return [*paint, *((links[name], share) for share in passes for name in region.judge)]

    def moving(self, region: Region) -> set[str]:
        """Canvases, and what is computed from their pictures; all else in a step can run before it."""
        net = self.plan.graph.net.edges(data=True)
        flow = nx.DiGraph((source, node) for source, node, wire in net if not wire["once"])
        return {*region.canvases}.union(*(nx.descendants(flow, name) for name in region.canvases))

    def _random(self, link: Link, share: Share, tick: Tick) -> Random:
        random: Random = Surroundings.give(self._around, Random, link.node.name, tick, share, "called")
        return random

    def _keep(self, chance: Chance | None) -> None:
        object.__setattr__(self._around, "chance", chance)


def small(name: str, preset: str | None, weights: Callable[[str], Path]) -> list[str]:
    """Changes that make a recipe quick, with small weights of each family."""
    changes = [*test_systems.smaller(name, preset), *test_shipped_recipes.smaller(name, preset)[1::2]]
    changes += test_systems.ROWS[name].changes if name in test_systems.ROWS else ()
    for node, spec in needs.specs(name, preset):
        changes += [f"{node}.classes=[1, 2]"] if spec.name == "biggan.canvas" else []  # else it asks `wanted` for them
    families = needs.weights(name, preset) | needs.small(name, preset)
    return changes + [f"{key}={weights(family)}" for key, family in families.items()]
