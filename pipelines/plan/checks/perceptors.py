"""Which perceptors embeddings come from."""

from collections.abc import Iterator

import networkx as nx

from t2iflow.nodes.perceptors.clip import sources
from t2iflow.nodes.perceptors.interface import Seen, Wanted
from t2iflow.pipelines.graph.graph import Graph, Node
from t2iflow.pipelines.plan.regions import Regions, upstream
from t2iflow.pipelines.problems import Problem


def mixed(graph: Graph, _: Regions) -> Iterator[Problem]:
    """Nodes that compare what two perceptors made."""
    judges = _judges(graph)
    for node in graph.nodes.values():
        ends = dict(_embeddings(node))
        perceptors = {name for end in ends.values() if (name := judges.get(end))}
        if len(perceptors) > 1:
            whose = ", ".join(f"`{port}` is from `{judges.get(end)}`" for port, end in ends.items())
            yield Problem(
                "T2I403",
                f"node `{node.name}` compares embeddings of two perceptors: {whose}",
                node.place,
                hints=("embeddings can only be compared with those of the same perceptor",),
            )


def without_layers(graph: Graph, _: Regions) -> Iterator[Problem]:
    """Losses that compare layers, of a perceptor that shows none."""
    for node in graph.nodes.values():
        layered = [port.name for port in node.spec.ports.values() if "layers" in port.means]
        for model in [graph.nodes[name].file("perceptor") for name in sorted(upstream(graph, node.name, *layered))]:
            if not isinstance(model, str) or not sources.has_no_layers(model):
                continue
            yield Problem(
                "T2I204",
                f"node `{node.name}` ({node.spec.name}) needs a perceptor with batch normalisation: {model} has none",
                node.place,
                hints=(
                    "`lite` has it, and so have OpenAI's RN50 to RN50x64",
                    f"or remove the loss: `{node.name}: null` in a recipe that extends this one",
                ),
            )


def _judges(graph: Graph) -> dict[str, str]:
    """The perceptor that each embedding comes from, where it is one."""
    judges: dict[str, str] = {}
    for node in map(graph.nodes.__getitem__, nx.topological_sort(graph.net)):
        clips = {source.node for source in node.wires.get("clip", ())}
        found = clips or {judges[end] for _, end in _embeddings(node) if end in judges}
        if len(found) == 1:
            judges[node.name] = found.pop()
    return judges


def _embeddings(node: Node) -> Iterator[tuple[str, str]]:
    """The ports that take embeddings, and the nodes that these come from."""
    for port, wires in node.wires.items():
        if node.spec.ports[port].kind in (Seen, Wanted):
            yield from ((port, source.node) for source in wires)
