"""Nodes that wait for each other, so that none could begin."""

from collections.abc import Iterator

import networkx as nx

from t2iflow.pipelines.graph.graph import Graph
from t2iflow.pipelines.plan.regions import Regions
from t2iflow.pipelines.problems import Problem


def waiting_for_each_other(graph: Graph, _: Regions) -> Iterator[Problem]:
    """Nodes that lead back to themselves."""
    for knot in nx.strongly_connected_components(graph.net):
        inside = graph.net.subgraph(knot)
        if len(knot) > 1 or inside.number_of_edges():
            first = next(name for name in graph.nodes if name in knot)
            way = [edge[0] for edge in nx.find_cycle(inside, first)]
            turn = way[way.index(first) :] + way[: way.index(first)] if first in way else way
            yield Problem(
                "T2I401",
                "these nodes depend on each other in a circle: " + " -> ".join([*turn, turn[0]]),
                graph.nodes[turn[0]].place,
                hints=("remove one of these wires",),
            )
