"""The rate at which each optimiser trains: what the recipe says or, where it says none, what suits the canvas.

Canvases differ a thousandfold in this, and nothing fails at a wrong rate: the picture turns into noise, or stays as it
was. So a rate that is far from what suits a canvas is noted.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from t2iflow.nodes.optimizing.fit import USUAL_RATE
from t2iflow.pipelines.graph.graph import Graph, Node
from t2iflow.pipelines.graph.schedule import most
from t2iflow.pipelines.plan.regions import Regions

FAST, SLOW = 20.0, 0.02
"""How many times what suits a canvas a rate must be, at its highest, to be noted: more than the first, less than the
second."""


def set_rates(graph: Graph, regions: Regions) -> Graph:
    """The graph with a rate for every optimiser, and with notes on those that don't suit their canvases."""
    nodes, notes = dict(graph.nodes), list(graph.recipe.notes)
    for region in regions:
        fit = nodes[region.optimizer]
        suitable = {name: rate for name in region.canvases if (rate := _suitable(nodes[name])) is not None}
        if "rate" in fit.settings and "rate" not in graph.recipe.nodes[fit.name].values:
            rate = max(suitable.values(), default=USUAL_RATE)
            nodes[fit.name] = fit = replace(fit, settings={**fit.settings, "rate": rate})
        for trainer in (fit, *([nodes[region.shot.camera]] if region.shot else [])):
            notes += _notes(trainer, suitable, nodes)
    return replace(graph, nodes=nodes, recipe=replace(graph.recipe, notes=tuple(notes)))


def _suitable(canvas: Node) -> float | None:
    """The rate that an optimiser should have for this canvas; None where the canvas doesn't say it."""
    usual = canvas.spec.usual_rate
    return None if usual is None else usual / canvas.settings.get("pace", 1.0)


def _notes(trainer: Node, suitable: Mapping[str, float], nodes: Mapping[str, Node]) -> Iterator[str]:
    """Notes on the rate of an optimiser or, for the frames of a film, of a camera."""
    rate = most(trainer.settings.get("rate"))  # None where it was refused, or a camera has none of its own
    for name, suits in suitable.items() if rate else ():
        if SLOW <= rate / suits <= FAST:
            continue
        canvas = nodes[name]
        fate = "turn into noise" if rate > suits else "hardly change"
        advice = f"leave `rate` out, or try {suits:.2g}"
        if len(suitable) > 1 and "pace" in canvas.spec.settings:
            advice = f"give `{name}` a `pace` of {canvas.settings.get('pace', 1.0) * suits / rate:.2g}"
        yield (
            f"`{trainer.name}` trains `{name}` ({canvas.spec.name}) at a rate of {rate:g}, where about {suits:.2g}"
            f" suits it: its picture may {fate}; {advice}"
        )
