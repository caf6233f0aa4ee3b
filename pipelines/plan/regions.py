"""What an optimiser repeats, and what the camera that is wired to it repeats, found from the wires alone.

A binding-time analysis: the canvases upstream of an optimiser's loss, and what lies between them, or something that
changes by itself, and the loss, are computed at each step. A camera on the optimiser's picture repeats those steps
frame by frame; what it is aimed by, and the outputs that show what it gives on, are computed once a frame.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import networkx as nx

from t2iflow.nodes.core.ambient import CHANGING, Random, Share, Tick
from t2iflow.nodes.core.texts import counted
from t2iflow.pipelines.graph.graph import Graph, Node

STOPS = ("optimizer", "camera")
"""Roles whose pictures are finished: nothing is computed anew through them."""


@dataclass(frozen=True)
class Watch:
    """An output shown steps or frames as they are made, with the nodes computed only for it."""

    sink: str
    before: tuple[str, ...]
    every: int


@dataclass(frozen=True)
class Shot:
    """A camera that repeats a region: `aim` is computed before each move, `show` is shown each frame.

    `fps` is 0 where no output says it, or two disagree.
    """

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
        return tuple(dict.fromkeys([*self.aim, self.camera, *_watching(self.show)]))

    def __str__(self) -> str:
        each = "" if self.every == 1 else f", made every {self.every}"
        frames, steps = counted(self.frames, "frame"), counted(self.steps, "step")
        return f"{frames} of {self.camera}{each}, {steps} each after the first"


@dataclass(frozen=True)
class Region:
    """The names of the nodes that one optimiser repeats, each part in the order in which they are ready.

    It splits at the picture: `paint` makes it, `judge` turns it into a loss, `watch` shows it. `ahead` is what of these
    no canvas leads to, nor a share of the crops, nor chance. `first` is needed before the region's nodes can be made.
    """

    optimizer: str
    steps: int
    passes: int
    canvases: tuple[str, ...]
    paint: tuple[str, ...]
    judge: tuple[str, ...]
    watch: tuple[Watch, ...]
    ahead: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    shot: Shot | None = None
    beside: tuple[Shot, int] | None = None
    """If no camera films this but it shares nodes with a film: that film, the next or else the last before, and the
    frame by which the shared nodes go meanwhile."""

    def tick(self, step: int = 0, steps: int | None = None, frame: int = 0) -> Tick:
        """A moment of it."""
        shot, shown = (self.shot, frame) if self.shot else self.beside or (None, None)
        frames, fps = (shot.frames, shot.fps) if shot else (1, 0.0)
        steps = self.steps if steps is None else steps
        return Tick(step, steps, frame, frames, fps, self.steps, self.optimizer, shown)

    @cached_property
    def stepping(self) -> tuple[str, ...]:
        """Every node that is computed at each step."""
        return tuple(dict.fromkeys([*self.paint, *self.judge, *_watching(self.watch), self.optimizer]))

    @cached_property
    def members(self) -> tuple[str, ...]:
        """Every node of the region."""
        return tuple(dict.fromkeys([*self.stepping, *(self.shot.members if self.shot else ())]))


Regions = tuple[Region, ...]
"""Those of a whole recipe, in its order."""


def _watching(watches: Iterable[Watch]) -> list[str]:
    return [name for watch in watches for name in (*watch.before, watch.sink)]


def find_regions(graph: Graph) -> Regions:
    """The region of each optimiser, in the order of the recipe; settings that were refused count as 0."""
    finding = _Finding(graph)
    return tuple(finding.region(node) for node in graph.nodes.values() if node.spec.role == "optimizer")


def cameras(graph: Graph) -> list[Node]:
    """The cameras that film something (others only lend their motion), in the order of the recipe."""
    return [node for node in graph.nodes.values() if node.spec.role == "camera" and node.wires.get("image")]


def filmed(camera: Node) -> str:
    """The node whose picture a camera films."""
    return camera.wires["image"][0].node


def upstream(graph: Graph, name: str, *ports: str) -> set[str]:
    """Nodes whose values reach these ports by being computed, not by a port that is read once, nor as the finished
    picture of an optimiser or a camera: where a gradient can come from."""
    return {found for found in _reaching(graph, name, ports) if graph.nodes[found].spec.role not in STOPS}


def _reaching(graph: Graph, name: str, ports: Iterable[str]) -> set[str]:
    """As `upstream`, with the optimisers and cameras where it stops."""
    wanted = set(ports)
    found: set[str] = set()
    ahead = [a for a, _, wire in graph.net.in_edges(name, data=True) if wire["port"] in wanted]
    while ahead:
        one = ahead.pop()
        if one not in found:
            found.add(one)
            if graph.nodes[one].spec.role not in STOPS:
                ahead += [a for a, _, wire in graph.net.in_edges(one, data=True) if not wire["once"]]
    return found


class _Finding:
    """Finds what each optimiser repeats, and puts it into order."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._ready = _ready(graph)
        self._camera = {filmed(camera): camera for camera in cameras(graph)}
        sinks = (node for node in graph.nodes.values() if node.spec.role == "sink")
        self._sinks = {sink.name: _reaching(graph, sink.name, sink.spec.ports) for sink in sinks}

    def region(self, fit: Node) -> Region:
        """What one optimiser repeats."""
        loss, picture = upstream(self._graph, fit.name, "loss"), upstream(self._graph, fit.name, "image")
        canvases = {name for name in loss | picture if self._graph.nodes[name].spec.role == "canvas"}
        moving = self._moved(canvases | self._changing(loss | picture))
        paint, judge = picture & moving, (loss - picture) & moving
        after = nx.descendants(self._graph.net, fit.name)
        watching = [sink for sink, ahead in self._sinks.items() if sink not in after and ahead & (paint | judge)]
        watch = self._watches(watching, paint | judge)
        stepping = {*paint, *judge, *_watching(watch), fit.name}
        camera = self._camera.get(fit.name)
        shot = self._shot(camera, paint, stepping) if camera else None
        return Region(
            optimizer=fit.name,
            steps=fit.value("steps") or 0,
            passes=fit.value("passes") or 1,
            canvases=self._ordered(canvases),
            paint=self._ordered(paint),
            judge=self._ordered(judge),
            watch=watch,
            ahead=self._ordered(
                (paint | judge) - self._moved(canvases | self._requesting(paint | judge, {Share, Random}))
            ),
            first=self._first(stepping.union(shot.members if shot else ()), canvases),
            shot=shot,
        )

    def _shot(self, camera: Node, paint: set[str], stepping: set[str]) -> Shot:
        ahead = upstream(self._graph, camera.name, *camera.spec.ports)
        aim = (ahead & self._moved(self._changing(ahead) | {filmed(camera)})) - paint
        showing = [sink for sink, before in self._sinks.items() if camera.name in before]
        return Shot(
            camera=camera.name,
            frames=camera.value("frames") or 0,
            steps=camera.value("steps") or 0,
            every=camera.every,
            fps=self._rate(showing) * camera.every,
            aim=self._ordered(aim),
            show=self._watches(showing, {*stepping, *aim, camera.name}),
        )

    def _rate(self, sinks: Iterable[str]) -> float:
        """How many frames of a camera are a second of the film that is shown; 0 if none says, or two disagree."""
        nodes = [self._graph.nodes[sink] for sink in sinks]
        rates = {fps * node.every for node in nodes if isinstance(fps := node.value("rate"), int | float)}
        return rates.pop() if len(rates) == 1 else 0.0

    def _first(self, members: set[str], canvases: set[str]) -> tuple[str, ...]:
        """What changes by itself, and which a canvas starts from nevertheless: a film's first picture."""
        net = self._graph.net
        starts = {a for a, _, wire in net.in_edges(members, data=True) if wire["once"] and a in members}
        ahead = starts.union(*(nx.ancestors(self._graph.flow, name) for name in starts))
        return self._ordered((ahead & members) - canvases)

    def _watches(self, sinks: Iterable[str], known: set[str]) -> tuple[Watch, ...]:
        """Outputs with what must be computed for each, beside what is computed anyway."""
        return tuple(
            Watch(sink, self._before(sink, known), self._graph.nodes[sink].every) for sink in self._ordered(sinks)
        )

    def _before(self, sink: str, known: set[str]) -> tuple[str, ...]:
        ahead = upstream(self._graph, sink, *self._graph.nodes[sink].spec.ports)
        return self._ordered((ahead & self._moved(self._changing(ahead) | known)) - known)

    def _changing(self, names: set[str]) -> set[str]:
        """Those that give something else at each step or frame by themselves: by the clock or by their share."""
        return {name for name in names if self._graph.nodes[name].schedules} | self._requesting(names, CHANGING)

    def _requesting(self, names: set[str], kinds: set[Any]) -> set[str]:
        return {name for name in names if kinds & {*self._graph.nodes[name].spec.ambient.values()}}

    def _moved(self, movers: set[str]) -> set[str]:
        """The movers and all that is computed from them."""
        return movers.union(*(nx.descendants(self._graph.flow, name) for name in movers))

    def _ordered(self, names: Iterable[str]) -> tuple[str, ...]:
        wanted = {*names}
        return tuple(name for name in self._ready if name in wanted)


def _ready(graph: Graph) -> list[str]:
    """All names in the order in which they are ready; as the recipe has them where they wait for each other, which is
    reported."""
    place = {name: index for index, name in enumerate(graph.nodes)}.__getitem__
    try:
        return list(nx.lexicographical_topological_sort(graph.flow, key=place))
    except nx.NetworkXUnfeasible:
        return list(graph.nodes)
