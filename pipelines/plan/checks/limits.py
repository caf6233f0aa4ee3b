"""How much a foreign recipe may ask for, so that one out of curiosity doesn't hold a machine for a week."""

import math
from collections.abc import Iterator
from typing import Any

from t2iflow.pipelines.graph.graph import Graph, Node
from t2iflow.pipelines.graph.schedule import most
from t2iflow.pipelines.plan.regions import Regions
from t2iflow.pipelines.problems import Problem

MOST = {"pixels": 2**26, "steps": 10**6}
"""Pixels of all pictures and crops that there are at a time, and steps of the whole run."""

ASKED = {"pixels": ("size", "count"), "steps": ("steps", "frames")}
"""The settings that ask for them."""


def immoderate(graph: Graph, _: Regions) -> Iterator[Problem]:
    """More than a foreign recipe may ask for; what the person says by `--set` is not counted."""
    for what, limit in MOST.items():
        amounts = {node.name: _amount(node, ASKED[what], graph) for node in graph.nodes.values()}
        whole = sum(amounts.values())
        if whole > limit:
            worst = graph.nodes[max(amounts, key=amounts.__getitem__)]
            origins = graph.recipe.origins.values()
            named = " or ".join(f"`--set {worst.name}.{key}=...`" for key in ASKED[what] if key in worst.settings)
            yield Problem(
                "T2I503",
                f"this recipe is foreign, and asks for {whole:,} {what}; it may have {limit:,}",
                worst.place,
                (f"allow it yourself: {named}", *dict.fromkeys(whose.remedy for whose in origins if whose.fence)),
            )


def _amount(node: Node, keys: tuple[str, ...], graph: Graph) -> int:
    """What a foreign recipe asks for by these settings; 0 where they are all left to us or to the person."""
    text = graph.recipe.nodes.get(node.name)
    written = text.values if text else {}
    foreign = {key for key in keys if key in written and graph.recipe.origin_of(written[key].place).fence}
    said = [key for key in keys if key in node.settings and (key in foreign or key not in written)]
    return math.prod(_factor(key, most(node.settings[key])) for key in said) if foreign else 0


def _factor(key: str, value: Any) -> int:
    """How many times as much a setting makes it: a size as many as it has pixels, null and mistakes once."""
    if isinstance(value, tuple):
        return math.prod(value)
    if not isinstance(value, int):
        return 1
    return value * value if key == "size" else value
