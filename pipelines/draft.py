"""A draft of a film: small, of few steps, every fifth frame, to try it before its long run.

It is a list of changes to the recipe, such as a person could make by `--set`; the film takes as long as the whole one,
showing a fifth of the frames a second.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from t2iflow.nodes.node import Spec
from t2iflow.nodes.types import exact
from t2iflow.pipelines.graph import Graph, Node

EVERY = 5
LEAST = 64
"""Pixels that a draft's sides keep."""


def overrides(graph: Graph) -> list[str]:
    """`node.setting=value` for each change: half the sizes, a third of an optimiser's steps, half of a camera's."""
    return [f"{node.name}.{change}" for node in graph.nodes.values() if not node.implicit for change in _changes(node)]


def _changes(node: Node) -> Iterator[str]:
    size, steps, fps = (node.settings.get(name) for name in ("size", "steps", "fps"))
    if isinstance(size, tuple) and (smaller := _halved(node.spec, node.settings, size)):
        yield f"size={list(smaller)}"
    if node.spec.role == "optimizer" and steps:
        yield f"steps={math.ceil(steps / 3)}"
    elif node.spec.role == "camera" and steps:
        yield f"steps={math.ceil(steps / 2)}"
        yield f"every={node.every * EVERY}"
    elif node.spec.role == "sink" and isinstance(fps, int | float):
        yield f"fps={exact(fps) / EVERY}"  # as a ratio, or it would not keep to its song


def _halved(spec: Spec, settings: Mapping[str, Any], size: tuple[int, int]) -> tuple[int, ...] | None:
    """Half the size, or near it, if the node can be so small."""
    for unit in (2, 32):
        smaller = tuple(max(round(side / 2 / unit) * unit, min(side, LEAST)) for side in size)
        try:
            spec.check({**settings, "size": smaller})
        except ValueError:
            continue
        return smaller
    return None
