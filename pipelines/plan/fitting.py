"""Whether what a node is wired to suits its settings: how many wires and pictures come, and from what."""

from collections.abc import Iterator, Mapping
from typing import Any

from t2iflow.nodes.core.node import Moves, Repaints
from t2iflow.nodes.perceptors.clip import sources
from t2iflow.pipelines.graph.graph import Graph, Node
from t2iflow.pipelines.graph.schedule import Schedule, states
from t2iflow.pipelines.plan import batches
from t2iflow.pipelines.plan.regions import scopes, upstream
from t2iflow.pipelines.problems import Problem


def unfitting(graph: Graph) -> Iterator[Problem]:
    """What does not suit, as far as settings show."""
    for node in graph.nodes.values():
        yield from _unjoined(node, graph)
        yield from _too_few_pictures(node, graph)
        yield from _without_layers(node, graph)
    yield from _unmoved_canvases(graph)


def _unjoined(node: Node, graph: Graph) -> Iterator[Problem]:
    """Settings that don't go with the number of wires."""
    if node.name in graph.torn or node.settings.keys() != node.spec.settings.keys():
        return
    wires = {port: len(node.wires.get(port, ())) for port in node.spec.ports}
    try:
        for settings in _each(node.settings):
            node.spec.joins(wires, settings)
    except ValueError as fault:
        yield Problem("T2I204", f"node `{node.name}` ({node.spec.name}): {fault}", node.place)


def _each(settings: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Settings as they are first, and with each value of each that changes."""
    first = next(states(settings))
    yield first
    for name, value in settings.items():
        if isinstance(value, Schedule):
            yield from ({**first, name: one} for one in value.values)


def _too_few_pictures(node: Node, graph: Graph) -> Iterator[Problem]:
    keep = node.settings.get("keep")
    count = batches.taken(graph, node) if node.spec.name == "clip.rank" else None
    if isinstance(keep, int) and count is not None and keep > count:
        come = "only one picture comes" if count == 1 else f"only {count} pictures come"
        what = f"node `{node.name}` (clip.rank) can't keep {keep}: {come} from `{node.wires['images'][0].node}`"
        yield Problem("T2I204", what, node.place)


def _without_layers(node: Node, graph: Graph) -> Iterator[Problem]:
    """A judge of naturalness whose perceptor can't say what is natural."""
    if node.spec.name != "losses.naturalness":
        return
    for name in sorted(upstream(graph, node.name, "seen")):
        perceptor = graph.nodes[name]
        model = perceptor.settings.get("name")
        if perceptor.spec.name == "clip.model" and isinstance(model, str) and sources.has_no_layers(model):
            yield Problem(
                "T2I204",
                f"node `{node.name}` (losses.naturalness) needs a perceptor with batch normalisation: {model} has none",
                node.place,
                hints=(
                    "`lite` has it, and so have OpenAI's RN50 to RN50x64",
                    f"or take the loss out: `{node.name}: null` in a recipe that extends this one",
                ),
            )


def _unmoved_canvases(graph: Graph) -> Iterator[Problem]:
    """Canvases that a camera can't move as its settings ask."""
    for scope in scopes(graph).values():
        camera = scope.camera
        for name in sorted(scope.canvases) if camera else ():
            canvas = graph.nodes[name].spec
            latent = camera is not None and camera.settings.get("move") == "latent"
            lacking = "what it is painted from" if latent and not _can(canvas.target, Moves) else ""
            lacking = lacking or ("pictures" if not _can(canvas.target, Repaints) else "")
            if camera is not None and lacking:
                advice = "take `move: auto`" if latent and _can(canvas.target, Repaints) else "film another canvas"
                yield Problem(
                    "T2I412",
                    f"the camera `{camera.name}` moves {lacking}, which `{name}` ({canvas.name}) can't take on",
                    camera.place,
                    hints=(advice,),
                )


def _can(target: Any, protocol: Any) -> bool:
    """Whether a canvas has the methods of a protocol."""
    return issubclass(target, protocol)
