"""When each node runs: once, in the steps of an optimiser, in the frames of a camera, or after them.

What an optimiser repeats is its region; everything else runs once, in the order in which values are ready.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import networkx as nx

from t2iflow.nodes.core.texts import counted
from t2iflow.pipelines.graph.graph import Graph
from t2iflow.pipelines.plan.regions import Region, Regions, Watch


@dataclass(frozen=True)
class Plan:
    """The order of a run: names of nodes that run once, and regions."""

    graph: Graph
    items: tuple[str | Region, ...]

    @property
    def regions(self) -> tuple[Region, ...]:
        """The regions, in order."""
        return tuple(item for item in self.items if isinstance(item, Region))

    @property
    def used(self) -> frozenset[str]:
        """Names of the nodes that run."""
        return frozenset(name for one in self.items for name in (one.members if isinstance(one, Region) else (one,)))

    @property
    def filmed(self) -> frozenset[str]:
        """Names of all nodes that a film computes."""
        return frozenset(name for region in self.regions if region.shot for name in region.members)

    @property
    def idle(self) -> tuple[str, ...]:
        """Names of the recipe's nodes that no output needs."""
        used = self.used
        return tuple(name for name in self.graph.recipe.nodes if name not in used)

    @property
    def strips(self) -> frozenset[str]:
        """Names of the files in which outputs show how a picture came about."""
        return frozenset(name for node in self.graph.nodes.values() if isinstance(name := node.value("strip"), str))

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for number, (steps, names) in enumerate(self.outline(), 1):
            yield f"{number}. {steps}"
            for title, inside in names.items():
                yield f"   {title}: {', '.join(inside)}"

    def outline(self) -> Iterator[tuple[str, Mapping[str, tuple[str, ...]]]]:
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
                passes = f", judged in {item.passes} passes" if item.passes > 1 else ""
                first = {"begin": item.first} if item.first else {}
                parts = {**first, "train": item.canvases, "paint": item.paint, "judge": item.judge}
                steps = f"{counted(item.steps, 'step')} of {item.optimizer}{passes}"
                yield steps, {**parts, **watching(item.watch, "step")}
            if isinstance(item, Region) and item.shot:
                yield str(item.shot), {"move": (*item.shot.aim, item.shot.camera), **watching(item.shot.show, "frame")}


def watching(watches: Iterable[Watch], clock: str) -> Mapping[str, tuple[str, ...]]:
    """Outputs shown the work as it goes, with what is computed for them, by how often."""
    parts: dict[str, tuple[str, ...]] = {}
    met: set[str] = set()
    for watch in watches:
        often = f"every {clock}" if watch.every == 1 else f"every {watch.every} {clock}s"
        parts[often] = (*parts.get(often, ()), *(name for name in (*watch.before, watch.sink) if name not in met))
        met |= {*watch.before, watch.sink}
    return parts


def make_plan(graph: Graph, regions: Regions) -> Plan:
    """Place every node that an output needs."""
    needed = _needed(graph, regions)
    # What changes by itself may be computed in several regions, in each for itself.
    computed: dict[str, list[str]] = {}
    for region in regions:
        for name in region.members:
            computed.setdefault(name, []).append(region.optimizer)
    owners = {name: computed.get(name, [name]) for name in needed}
    contracted: nx.DiGraph[str] = nx.DiGraph()
    contracted.add_nodes_from(dict.fromkeys(owner for name in graph.nodes if name in needed for owner in owners[name]))
    for start, end in graph.net.edges():
        if start in needed and end in needed:
            later = [owner for owner in owners[end] if owner not in owners[start]]
            contracted.add_edges_from((before, owner) for before in owners[start] for owner in later)
    place = {name: index for index, name in enumerate(graph.nodes)}.__getitem__
    order = nx.lexicographical_topological_sort(contracted, key=place)
    found: Mapping[str, Region] = {region.optimizer: region for region in regions}
    return Plan(graph, tuple(_beside_films([found.get(name, name) for name in order])))


def _beside_films(items: Sequence[str | Region]) -> Iterator[str | Region]:
    """The items in order, each region without a camera with the film that computes some of the same."""
    for place, one in enumerate(items):
        if isinstance(one, str) or one.shot:
            yield one
            continue
        shares = {*one.members}.intersection
        films = [
            (at, film.shot)
            for at, film in enumerate(items)
            if isinstance(film, Region) and film.shot and shares(film.members)
        ]
        coming = [(shot, 0) for at, shot in films if at > place]
        gone = [(shot, shot.frames - 1) for at, shot in films if at < place]
        yield replace(one, beside=next(iter([*coming, *gone[::-1]]), None))


def _needed(graph: Graph, regions: Regions) -> set[str]:
    """Outputs and all that they need; of a region that one watches, the whole."""
    needed: set[str] = set()
    more = {name for name, node in graph.nodes.items() if node.spec.role == "sink"}
    while more:
        needed |= more.union(*(nx.ancestors(graph.net, name) for name in more))
        entered = [set(region.members) for region in regions if needed & set(region.members)]
        more = set().union(*entered) - needed
    return needed
