"""Whether what is wired to a node suits its settings: how many wires, and how many pictures."""

from collections.abc import Iterator

from t2iflow.pipelines.graph.graph import Graph
from t2iflow.pipelines.plan.checks import batches
from t2iflow.pipelines.plan.regions import Regions
from t2iflow.pipelines.problems import Problem


def unjoined(graph: Graph, _: Regions) -> Iterator[Problem]:
    """Settings that don't go with the number of wires."""
    for node in graph.nodes.values():
        if node.name in graph.torn or not node.complete:
            continue
        wires = {port: len(node.wires.get(port, ())) for port in node.spec.ports}
        try:
            for settings in node.states(alone=True):
                node.spec.joins(wires, settings)
        except ValueError as fault:
            yield Problem("T2I204", f"node `{node.name}` ({node.spec.name}): {fault}", node.place)


def too_few_pictures(graph: Graph, _: Regions) -> Iterator[Problem]:
    """Nodes that are to keep more pictures than come."""
    for node in (node for node in graph.nodes.values() if "kept" in node.spec.meanings):
        kept, count = node.value("kept"), batches.taken(graph, node)
        if isinstance(kept, int) and count is not None and kept > count:
            come = "only one picture comes" if count == 1 else f"only {count} pictures come"
            what = f"can't keep {kept}: {come} from `{batches.painter(node)}`"
            yield Problem("T2I204", f"node `{node.name}` ({node.spec.name}) {what}", node.place)
