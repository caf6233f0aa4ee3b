"""How much a foreign recipe may use, so that trying one doesn't occupy a machine for a week."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from t2iflow.nodes.core.types import Meaning
from t2iflow.pipelines.graph.graph import Graph, Node
from t2iflow.pipelines.graph.schedule import most
from t2iflow.pipelines.plan.regions import Regions
from t2iflow.pipelines.problems import Problem
from t2iflow.pipelines.text.recipe import Recipe

MOST = {"pixels": 2**26, "steps": 10**6}
"""Pixels of all pictures and crops that there are at a time, and steps of all runs."""

ASKED: Mapping[str, Sequence[tuple[Meaning, ...]]] = {
    "pixels": [("size", "count")],
    "steps": [("steps", "frames"), ("extra", "frames")],
}
"""What the settings mean whose products ask for them."""
PICTURE = 256 * 256
"""Pixels of each picture of a node that counts them and says no size."""


def immoderate(graph: Graph, _: Regions) -> Iterator[Problem]:
    """More than a foreign recipe may use; what the user gives by `--set` is not counted."""
    runs = _runs(graph.recipe)
    for what, limit in MOST.items():
        amounts = {node.name: _amount(node, ASKED[what], graph) for node in graph.nodes.values()}
        whole = sum(amounts.values()) * (runs if what == "steps" else 1)
        if whole > limit:
            worst = graph.nodes[max(amounts, key=amounts.__getitem__)]
            origins = graph.recipe.origins.values()
            named = " or ".join(f"`--set {worst.name}.{key}=...`" for key in _asking(worst, sum(ASKED[what], ())))
            yield Problem(
                "T2I503",
                f"this recipe is foreign, and needs {whole:,} {what}; at most {limit:,} are allowed",
                worst.place,
                (f"allow it yourself: {named}", *dict.fromkeys(whose.remedy for whose in origins if whose.fence)),
            )


def _runs(recipe: Recipe) -> int:
    """How many runs a foreign recipe makes of one, by `best`."""
    best = recipe.text.document.value.get("best")
    return recipe.best if best is not None and recipe.origin_of(best.place).fence else 1


def _asking(node: Node, meanings: tuple[Meaning, ...]) -> dict[str, Meaning]:
    """The settings that mean one of these."""
    names = {node.spec.meanings[meaning]: meaning for meaning in meanings if meaning in node.spec.meanings}
    return {name: meaning for name, meaning in names.items() if name in node.settings}


def _amount(node: Node, products: Sequence[tuple[Meaning, ...]], graph: Graph) -> int:
    first, *others = products
    return _product(node, first, graph) + sum(
        _product(node, meanings, graph) for meanings in others if meanings[0] in node.spec.meanings
    )


def _product(node: Node, meanings: tuple[Meaning, ...], graph: Graph) -> int:
    """What a foreign recipe uses by these settings; 0 where all are defaults or given by the user."""
    text = graph.recipe.nodes.get(node.name)
    written = text.values if text else {}
    keys = _asking(node, meanings)
    foreign = {key for key in keys if key in written and graph.recipe.origin_of(written[key].place).fence}
    said = [key for key in keys if key in foreign or key not in written]
    each = PICTURE if "count" in keys.values() and "size" not in keys.values() else 1
    return each * math.prod(_factor(keys[key], most(node.settings[key])) for key in said) if foreign else 0


def _factor(meaning: Meaning, value: Any) -> int:
    """How many times as much a setting makes it: a size as many as it has pixels, null and mistakes once."""
    if isinstance(value, tuple):
        return math.prod(value)
    if not isinstance(value, int):
        return 1
    return value * value if meaning == "size" else value
