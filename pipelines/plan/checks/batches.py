"""How many pictures a node makes, and of what size, where settings alone say so; the graph has no cycles."""

from t2iflow.nodes.core.types import Image
from t2iflow.pipelines.graph.graph import Graph, Node


def count(graph: Graph, name: str) -> int | None:
    """How many pictures a node makes; None where that is not known."""
    node = graph.nodes.get(name)
    if node is None or name in graph.torn:
        return None
    if node.spec.role == "canvas" or node.settings.get("seamless"):
        return 1
    if Image in node.spec.outputs.values():
        for setting in ("keep", "count"):
            if isinstance(many := node.settings.get(setting), int):
                return many
    return taken(graph, node)


def taken(graph: Graph, node: Node) -> int | None:
    """How many pictures come to a node at once; None where that is not known."""
    wires = node.wires.get("image") or node.wires.get("images")
    return count(graph, wires[0].node) if wires else None


def size(graph: Graph, node: Node) -> tuple[int, int] | None:
    """The size of the pictures that a node makes or takes; None where that is not known."""
    while not isinstance(own := node.settings.get("size"), tuple):
        wires = node.wires.get("image")
        if not wires or wires[0].node not in graph.nodes:
            return None
        node = graph.nodes[wires[0].node]
    return own
