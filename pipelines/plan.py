"""When each node runs: once, in the steps of an optimiser, or after it.

For each optimiser the compiler finds its region (a binding-time analysis): the canvases upstream of its loss, and what
lies between them, or something that changes by itself, and the loss. The region splits at the picture: `paint` makes
it, `judge` turns it into a loss, `watch` looks on. Everything else runs once, in the order in which values are ready.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import networkx as nx

from t2iflow.nodes.ambient import Share, Tick
from t2iflow.pipelines.checks import optimizers, upstream
from t2iflow.pipelines.graph import Graph, Node

Ordered = Callable[[set[str]], tuple[str, ...]]


@dataclass(frozen=True)
class Watch:
    """An output that looks on while an optimiser works, with the nodes computed only for it."""

    sink: str
    before: tuple[str, ...]
    every: int


@dataclass(frozen=True)
class Region:
    """What one optimiser repeats, each in ready order."""

    optimizer: str
    steps: int
    accumulate: int
    canvases: tuple[str, ...]
    paint: tuple[str, ...]
    judge: tuple[str, ...]
    watch: tuple[Watch, ...]

    @property
    def members(self) -> tuple[str, ...]:
        """Every node of the region, the optimiser last."""
        watching = [name for watch in self.watch for name in (*watch.before, watch.sink)]
        return tuple(dict.fromkeys([*self.paint, *self.judge, *watching, self.optimizer]))


@dataclass(frozen=True)
class Plan:
    """The order of a run: names of nodes that run once, and regions."""

    graph: Graph
    items: tuple[str | Region, ...]

    @property
    def regions(self) -> tuple[Region, ...]:
        """The regions, in order."""
        return tuple(item for item in self.items if isinstance(item, Region))

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for number, (steps, names) in enumerate(self.stages(), 1):
            yield f"{number}. {steps}"
            for title, inside in names.items():
                yield f"   {title}: {', '.join(inside)}"

    def stages(self) -> Iterator[tuple[str, Mapping[str, tuple[str, ...]]]]:
        """The run in words: runs of single nodes together, and regions with their parts."""
        alone: list[str] = []
        for item in (*self.items, None):
            if isinstance(item, str):
                alone.append(item)
                continue
            if alone:
                yield "once", {"compute": tuple(alone)}
                alone = []
            if isinstance(item, Region):
                parts = {"train": item.canvases, "paint": item.paint, "judge": item.judge}
                for watch in item.watch:
                    often = "every step" if watch.every == 1 else f"every {watch.every} steps"
                    parts[often] = (*parts.get(often, ()), *watch.before, watch.sink)
                passes = f", judged in {item.accumulate} passes" if item.accumulate > 1 else ""
                yield f"{item.steps} steps of {item.optimizer}{passes}", parts


def make_plan(graph: Graph) -> Plan:
    """Place every node that an output needs."""
    regions = {fit.name: _region(graph, fit) for fit in optimizers(graph)}
    group = {name: region.optimizer for region in regions.values() for name in region.members}
    needed = _needed(graph, regions.values())
    contracted: nx.DiGraph[str] = nx.DiGraph()
    contracted.add_nodes_from(dict.fromkeys(group.get(name, name) for name in graph.nodes if name in needed))
    for start, end in graph.net.edges():
        if start in needed and end in needed and group.get(start, start) != group.get(end, end):
            contracted.add_edge(group.get(start, start), group.get(end, end))
    order = nx.lexicographical_topological_sort(contracted, key=_recipe_order(graph))
    return Plan(graph, tuple(regions.get(name, name) for name in order))


def _needed(graph: Graph, regions: Iterable[Region]) -> set[str]:
    """Outputs and all that they need; of a region that one looks on at, the whole."""
    needed: set[str] = set()
    more = {name for name, node in graph.nodes.items() if node.spec.role == "sink"}
    while more:
        needed |= more.union(*(nx.ancestors(graph.net, name) for name in more))
        entered = [set(region.members) for region in regions if needed & set(region.members)]
        more = set().union(*entered) - needed
    return needed


def _recipe_order(graph: Graph) -> Callable[[str], int]:
    return {name: index for index, name in enumerate(graph.nodes)}.__getitem__


def _region(graph: Graph, fit: Node) -> Region:
    loss, picture = upstream(graph, fit.name, "loss"), upstream(graph, fit.name, "image")
    canvases = {name for name in loss | picture if graph.nodes[name].spec.role == "canvas"}
    moving = _moved(graph, canvases | {name for name in loss | picture if _changes(graph.nodes[name])})
    paint = picture & moving
    judge = (loss & moving) - paint
    ready = list(nx.lexicographical_topological_sort(_flow(graph), key=_recipe_order(graph)))

    def ordered(names: set[str]) -> tuple[str, ...]:
        return tuple(name for name in ready if name in names)

    return Region(
        optimizer=fit.name,
        steps=fit.settings.get("steps") or 0,
        accumulate=fit.settings.get("accumulate") or 1,
        canvases=ordered(canvases),
        paint=ordered(paint),
        judge=ordered(judge),
        watch=tuple(_watches(graph, fit, paint | judge, ordered)),
    )


def _flow(graph: Graph) -> "nx.DiGraph[str]":
    """Only the wires that are read at each call."""
    flow: nx.DiGraph[str] = nx.DiGraph()
    flow.add_nodes_from(graph.nodes)
    flow.add_edges_from((a, b) for a, b, wire in graph.net.edges(data=True) if not wire["once"])
    return flow


def _changes(node: Node) -> bool:
    """Whether the node gives something else at each step by itself: by the clock, or by the share that it makes."""
    return node.scheduled or any(kind in (Tick, Share) for kind in node.spec.ambient.values())


def _moved(graph: Graph, movers: set[str]) -> set[str]:
    """The movers and all that is computed from them."""
    flow = _flow(graph)
    return movers.union(*(nx.descendants(flow, name) for name in movers))


def _watches(graph: Graph, fit: Node, inside: set[str], ordered: Ordered) -> Iterator[Watch]:
    flow = _flow(graph)
    after = nx.descendants(graph.net, fit.name)
    downstream = _moved(graph, inside) - inside - after - {fit.name}
    for name in ordered(downstream):
        if graph.nodes[name].spec.role == "sink":
            before = (nx.ancestors(flow, name) & downstream) - {name}
            yield Watch(name, ordered(before), graph.nodes[name].every)
