"""What must hold of a recipe as a whole, before anything runs: a list of checks, each of which yields what is wrong.

What each node's own settings, wires and keyframes must be, the passes before have seen to; what is wrong there may be
missing from the graph.
"""

from collections.abc import Callable, Iterator

from t2iflow.pipelines.graph.graph import Graph
from t2iflow.pipelines.plan.checks import cameras, cycles, limits, outputs, perceptors, settings, training, wires
from t2iflow.pipelines.plan.regions import Regions
from t2iflow.pipelines.problems import Problem

Check = Callable[[Graph, Regions], Iterator[Problem]]

CHECKS: tuple[Check, ...] = (
    settings.conflicting,
    limits.immoderate,
    training.nothing_to_train,
    training.shared_canvases,
    training.too_many_passes,
    cameras.aimless,
    cameras.idle,
    cameras.unmoved_canvases,
    cameras.out_of_step,
    outputs.makes_nothing,
)
"""Checks of every graph."""

FOLLOWING: tuple[Check, ...] = (
    outputs.idle_every,
    outputs.same_files,
    outputs.unfitting_sizes,
    perceptors.mixed,
    perceptors.without_layers,
    training.canvases_before_themselves,
    training.outputs_of_several,
    wires.unjoined,
    wires.too_few_pictures,
)
"""Checks that follow wires back to where they begin, which in a circle has no end; a new check comes here."""


def check(graph: Graph, regions: Regions) -> Iterator[Problem]:
    """All that is wrong with the whole."""
    circles = list(cycles.waiting_for_each_other(graph, regions))
    yield from circles
    for one in CHECKS if circles else (*CHECKS, *FOLLOWING):
        yield from one(graph, regions)
