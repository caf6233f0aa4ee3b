"""How much a foreign recipe may use, so that trying one doesn't occupy a machine for a week."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from t2iflow.nodes.core.types import Meaning
from t2iflow.pipelines.graph.graph import Graph, Node
from t2iflow.pipelines.graph.schedule import most
from t2iflow.pipelines.plan.regions import Regions
from t2iflow.pipelines.problems import Problem

MOST = {"pixels": 2**26, "steps": 10**6}
"""Pixels of all pictures and crops that there are at a time, and steps of the whole run."""

ASKED: Mapping[str, tuple[Meaning, ...]] = {"pixels": ("size", "count"), "steps": ("steps", "frames")}
"""What the settings mean that ask for them."""


def immoderate(graph: Graph, _: Regions) -> Iterator[Problem]:
    """More than a foreign recipe may use; what the user gives by `--set` is not counted."""
    for what, limit in MOST.items():
        amounts = {node.name: _amount(node, ASKED[what], graph) for node in graph.nodes.values()}
        whole = sum(amounts.values())
        if whole > limit:
            worst = graph.nodes[max(amounts, key=amounts.__getitem__)]
            origins = graph.recipe.origins.values()
            named = " or ".join(f"`--set {worst.name}.{key}=...`" for key in _asking(worst, ASKED[what]))
            yield Problem(
                "T2I503",
                f"this recipe is foreign, and needs {whole:,} {what}; at most {limit:,} are allowed",
                worst.place,
                (f"allow it yourself: {named}", *dict.fromkeys(whose.remedy for whose in origins if whose.fence)),
            )


def _asking(node: Node, meanings: tuple[Meaning, ...]) -> dict[str, Meaning]:
    """The settings that mean one of these."""
    names = {node.spec.meanings[meaning]: meaning for meaning in meanings if meaning in node.spec.meanings}
    return {name: meaning for name, meaning in names.items() if name in node.settings}


def _amount(node: Node, meanings: tuple[Meaning, ...], graph: Graph) -> int:
    """What a foreign recipe uses by these settings; 0 where all are defaults or given by the user."""
    text = graph.recipe.nodes.get(node.name)
    written = text.values if text else {}
    keys = _asking(node, meanings)
    foreign = {key for key in keys if key in written and graph.recipe.origin_of(written[key].place).fence}
    said = [key for key in keys if key in foreign or key not in written]
    return math.prod(_factor(keys[key], most(node.settings[key])) for key in said) if foreign else 0


def _factor(meaning: Meaning, value: Any) -> int:
    """How many times as much a setting makes it: a size as many as it has pixels, null and mistakes once."""
    if isinstance(value, tuple):
        return math.prod(value)
    if not isinstance(value, int):
        return 1
    return value * value if meaning == "size" else value
