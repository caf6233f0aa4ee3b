"""A circuit: a plan's nodes, wired to each other's values and ready to be made live."""

from collections.abc import Iterable
from typing import Any

import torch

from t2iflow.nodes.core.ambient import Tick
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.plan.regions import Watch
from t2iflow.runner.execution.link import Link, Slot, Surroundings, now, run


class Circuit:
    """Links by the name of their node, and the values between them, in slots: one for each output of each node."""

    def __init__(self, plan: Plan, around: Surroundings) -> None:
        nodes, filmed = plan.graph.nodes, plan.filmed
        outputs = [(node.name, output) for node in nodes.values() for output in node.spec.outputs]
        self.slots: dict[Slot, int] = {output: number for number, output in enumerate(outputs)}
        self.values: list[Any] = [None] * len(self.slots)
        self.around = around
        self.links = {name: Link(node, self.slots, around, name in filmed) for name, node in nodes.items()}

    def make(self, names: Iterable[str]) -> None:
        """Make the nodes live that aren't yet."""
        for name in names:
            self.links[name].make(self.values)

    @torch.no_grad()
    def compute(self, names: Iterable[str], tick: Tick) -> None:
        """Compute live nodes in which nothing learns."""
        run((self.links[name] for name in names), self.values, now(tick))

    def show(self, watch: Watch, tick: Tick, number: int | None = None) -> None:
        """Show this step or frame to an output that is due; to any, where it has no number."""
        if number is None or number % watch.every == 0:
            self.compute((*watch.before, watch.sink), tick)
