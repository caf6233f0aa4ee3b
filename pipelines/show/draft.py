"""A draft of a film: small, of few steps, every fifth frame, to try it before its long run.

It is a list of changes to the recipe, such as a person could make by `--set`; the film takes as long as the whole one,
so that it stays with its song: a fifth of the frames are shown at a fifth of the rate.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from t2iflow.nodes.core.node import Spec
from t2iflow.nodes.core.types import SLOWEST, exact
from t2iflow.pipelines.graph.graph import Node
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.plan.regions import Region

EVERY = 5
"""One of this many frames is made."""
FEWER, FEWER_A_FRAME = 3, 2
"""What an optimiser's steps are divided by, and a camera's."""
LEAST = 64
"""Pixels that a draft's sides keep."""


def overrides(plan: Plan) -> list[str]:
    """`node.setting=value` for each change."""
    nodes = plan.graph.nodes
    fewer = (change for region in plan.regions for change in _fewer(region, nodes))
    return [f"{name}.{change}" for name, change in (*_smaller(nodes.values()), *fewer)]


def _smaller(nodes: Iterable[Node]) -> Iterator[tuple[str, str]]:
    """Half the sizes."""
    for node in nodes:
        size = node.value("size")
        if node.unfolded is None and isinstance(size, tuple) and (smaller := _halved(node.spec, node.settings, size)):
            yield node.name, f"{node.spec.meanings['size']}={list(smaller)}"


def _fewer(region: Region, nodes: Mapping[str, Node]) -> Iterator[tuple[str, str]]:
    """Fewer steps and frames, and films that show them as long as before."""
    if region.steps:
        yield region.optimizer, f"{nodes[region.optimizer].spec.meanings['steps']}={math.ceil(region.steps / FEWER)}"
    yield from _slower((nodes[watch.sink] for watch in region.watch), FEWER)
    if shot := region.shot:
        yield shot.camera, f"{nodes[shot.camera].spec.meanings['steps']}={math.ceil(shot.steps / FEWER_A_FRAME)}"
        yield shot.camera, f"every={shot.every * EVERY}"
        yield from _slower((nodes[watch.sink] for watch in shot.show), EVERY)


def _slower(sinks: Iterator[Node], times: int) -> Iterator[tuple[str, str]]:
    """Films of which fewer pictures are shown a second, with none between them."""
    for sink in sinks:
        fps = sink.value("rate")
        if isinstance(fps, int | float):  # as a ratio, or it would not keep to its song
            yield sink.name, f"{sink.spec.meanings['rate']}={max(exact(fps) / times, exact(SLOWEST))}"
        if sink.value("between"):
            yield sink.name, f"{sink.spec.meanings['between']}=null"


def _halved(spec: Spec, settings: Mapping[str, Any], size: tuple[int, int]) -> tuple[int, ...] | None:
    """Half the size, or near it, if the node can be so small."""
    for unit in (2, 32):
        smaller = tuple(max(round(side / 2 / unit) * unit, min(side, LEAST)) for side in size)
        try:
            spec.check({**settings, spec.meanings["size"]: smaller})
        except ValueError:
            continue
        return smaller
    return None
