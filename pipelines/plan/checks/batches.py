"""How many pictures a node makes, and of what size, where settings alone say so; the graph has no cycles."""

from t2iflow.nodes.core.types import Image
from t2iflow.pipelines.graph.graph import Graph, Node


def count(graph: Graph, name: str) -> int | None:
    """How many pictures a node makes; None where that is not known."""
    while name in graph.nodes and name not in graph.torn:
        node = graph.nodes[name]
        if node.spec.role == "canvas" or node.value("joined"):
            return 1
        for many in (node.value("kept"), node.value("count")):
            if isinstance(many, int) and Image in node.spec.outputs.values():
                return many
        name = painter(node)
    return None


def taken(graph: Graph, node: Node) -> int | None:
    """How many pictures come to a node at once; None where that is not known."""
    return count(graph, painter(node))


def painter(node: Node) -> str:
    """The name of the node that the pictures come from; empty where none do."""
    wires = node.wires.get("image") or node.wires.get("images")
    return wires[0].node if wires else ""


def size(graph: Graph, node: Node) -> tuple[int, int] | None:
    """The size of the pictures that a node makes or takes; None where that is not known."""
    while all(by == 1 for by in node.values("resized")):
        if isinstance(own := node.value("size"), tuple):
            return own
        wires = node.wires.get("image")
        if not wires or wires[0].node not in graph.nodes:
            return None
        node = graph.nodes[wires[0].node]
    return None
