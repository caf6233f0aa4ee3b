"""When each node runs: once, in the steps of an optimiser, in the frames of a camera, or after them.

What an optimiser repeats is its region, which splits at the picture: `paint` makes it, `judge` turns it into a loss,
`watch` looks on. A camera on its picture makes a film of it, its `shot`. Everything else runs once, in the order in
which values are ready.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import networkx as nx

from t2iflow.pipelines.graph.graph import Graph, Node
from t2iflow.pipelines.plan.regions import Looking, Scope, scopes


@dataclass(frozen=True)
class Watch:
    """An output that looks on while an optimiser works, with the nodes computed only for it."""

    sink: str
    before: tuple[str, ...]
    every: int


@dataclass(frozen=True)
class Shot:
    """A camera that repeats a region: `aim` is computed before each move, `show` looks on at each frame it gives on."""

    camera: str
    frames: int
    steps: int
    every: int
    fps: float
    aim: tuple[str, ...]
    show: tuple[Watch, ...]

    @property
    def made(self) -> int:
        """How many of the frames are made: one in `every`."""
        return math.ceil(self.frames / self.every)

    @property
    def members(self) -> tuple[str, ...]:
        """Every node that is computed once a frame."""
        showing = [name for watch in self.show for name in (*watch.before, watch.sink)]
        return tuple(dict.fromkeys([*self.aim, self.camera, *showing]))

    def __str__(self) -> str:
        each = "" if self.every == 1 else f", made every {self.every}"
        return f"{self.frames} frames of {self.camera}{each}, {self.steps} steps each after the first"


@dataclass(frozen=True)
class Region:
    """What one optimiser repeats, each in ready order; `first` is needed before the region's nodes can be made."""

    optimizer: str
    steps: int
    accumulate: int
    canvases: tuple[str, ...]
    paint: tuple[str, ...]
    judge: tuple[str, ...]
    watch: tuple[Watch, ...]
    first: tuple[str, ...] = ()
    shot: Shot | None = None

    @property
    def members(self) -> tuple[str, ...]:
        """Every node of the region."""
        watching = [name for watch in self.watch for name in (*watch.before, watch.sink)]
        filming = self.shot.members if self.shot else ()
        return tuple(dict.fromkeys([*self.paint, *self.judge, *watching, self.optimizer, *filming]))


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
    def idle(self) -> tuple[str, ...]:
        """Names of the recipe's nodes that no output needs."""
        used = {name for item in self.items for name in (item.members if isinstance(item, Region) else (item,))}
        return tuple(name for name in self.graph.recipe.nodes if name not in used)

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
                passes = f", judged in {item.accumulate} passes" if item.accumulate > 1 else ""
                first = {"begin": item.first} if item.first else {}
                parts = {**first, "train": item.canvases, "paint": item.paint, "judge": item.judge}
                yield f"{item.steps} steps of {item.optimizer}{passes}", {**parts, **watching(item.watch, "step")}
            if isinstance(item, Region) and item.shot:
                yield str(item.shot), {"move": (*item.shot.aim, item.shot.camera), **watching(item.shot.show, "frame")}


def watching(watches: Iterable[Watch], clock: str) -> Mapping[str, tuple[str, ...]]:
    """Outputs that look on, with what is computed for them, by how often."""
    parts: dict[str, tuple[str, ...]] = {}
    met: set[str] = set()
    for watch in watches:
        often = f"every {clock}" if watch.every == 1 else f"every {watch.every} {clock}s"
        parts[often] = (*parts.get(often, ()), *(name for name in (*watch.before, watch.sink) if name not in met))
        met |= {*watch.before, watch.sink}
    return parts


def make_plan(graph: Graph) -> Plan:
    """Place every node that an output needs."""
    placing = _Placing(graph)
    regions = {name: placing.region(scope) for name, scope in scopes(graph).items()}
    needed = _needed(graph, regions.values())
    # What changes by itself may be computed in several regions, in each for itself.
    computed: dict[str, list[str]] = {}
    for region in regions.values():
        for name in region.members:
            computed.setdefault(name, []).append(region.optimizer)
    owners = {name: computed.get(name, [name]) for name in needed}
    contracted: nx.DiGraph[str] = nx.DiGraph()
    contracted.add_nodes_from(dict.fromkeys(owner for name in graph.nodes if name in needed for owner in owners[name]))
    for start, end in graph.net.edges():
        if start in needed and end in needed:
            later = [owner for owner in owners[end] if owner not in owners[start]]
            contracted.add_edges_from((before, owner) for before in owners[start] for owner in later)
    order = nx.lexicographical_topological_sort(contracted, key=placing.place)
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


class _Placing:
    """Puts the nodes of regions into the order in which they are ready."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.place = {name: index for index, name in enumerate(graph.nodes)}.__getitem__
        self._ready = list(nx.lexicographical_topological_sort(graph.flow, key=self.place))

    def region(self, scope: Scope) -> Region:
        """The scope in order."""
        fit = scope.optimizer
        return Region(
            optimizer=fit.name,
            steps=fit.settings.get("steps") or 0,
            accumulate=fit.settings.get("accumulate") or 1,
            canvases=self._ordered(scope.canvases),
            paint=self._ordered(scope.paint),
            judge=self._ordered(scope.judge),
            watch=self._watches(scope.watching),
            first=self._first(scope),
            shot=None if scope.camera is None else self._shot(scope, scope.camera),
        )

    def _ordered(self, names: Iterable[str]) -> tuple[str, ...]:
        wanted = set(names)
        return tuple(name for name in self._ready if name in wanted)

    def _shot(self, scope: Scope, camera: Node) -> Shot:
        return Shot(
            camera=camera.name,
            frames=camera.settings["frames"],
            steps=camera.settings["steps"],
            every=camera.every,
            fps=(scope.fps(self._graph) or 0.0) * camera.every,
            aim=self._ordered(scope.aim),
            show=self._watches(scope.shown),
        )

    def _first(self, scope: Scope) -> tuple[str, ...]:
        """What changes by itself, and which a canvas starts from nevertheless: a film's first picture."""
        members = scope.stepping | scope.filming
        net = self._graph.net
        starts = {a for a, _, wire in net.in_edges(members, data=True) if wire["once"] and a in members}
        ahead = starts.union(*(nx.ancestors(self._graph.flow, name) for name in starts))
        return self._ordered((ahead & members) - scope.canvases)

    def _watches(self, looking: tuple[Looking, ...]) -> tuple[Watch, ...]:
        before = dict(looking)
        nodes = self._graph.nodes
        return tuple(Watch(sink, self._ordered(before[sink]), nodes[sink].every) for sink in self._ordered(before))
