"""What an optimiser repeats, and what the camera that is wired to it repeats, found from the wires alone.

A binding-time analysis: the canvases upstream of an optimiser's loss, and what lies between them, or something that
changes by itself, and the loss, are computed at each step. A camera on the optimiser's picture repeats those steps
frame by frame; what it is aimed by, and the outputs that show what it gives on, are computed once a frame.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import networkx as nx

from t2iflow.nodes.core.ambient import Share, Tick
from t2iflow.pipelines.graph.graph import Graph, Node

STOPS = ("optimizer", "camera")
"""Roles whose pictures are finished: nothing is computed anew through them."""


Looking = tuple[str, frozenset[str]]
"""An output that looks on, and what is computed only for it."""


@dataclass(frozen=True)
class Scope:
    """The names of the nodes that one optimiser repeats, by what they are in a step or a frame."""

    optimizer: Node
    canvases: frozenset[str]
    paint: frozenset[str]
    judge: frozenset[str]
    watching: tuple[Looking, ...]
    camera: Node | None = None
    aim: frozenset[str] = frozenset()
    shown: tuple[Looking, ...] = ()

    @property
    def stepping(self) -> frozenset[str]:
        """What is computed at each step."""
        return self.paint | self.judge | {self.optimizer.name} | _all(self.watching)

    @property
    def filming(self) -> frozenset[str]:
        """What is computed once a frame."""
        return self.aim | _all(self.shown) | ({self.camera.name} if self.camera else frozenset())

    def fps(self, graph: Graph) -> float | None:
        """Frames a second of the film that the camera makes; None where no output says, or two say otherwise."""
        rates = {fps for sink, _ in self.shown if isinstance(fps := graph.nodes[sink].settings.get("fps"), int | float)}
        return rates.pop() if len(rates) == 1 else None


def optimizers(graph: Graph) -> list[Node]:
    """The optimiser nodes, in the order of the recipe."""
    return [node for node in graph.nodes.values() if node.spec.role == "optimizer"]


def cameras(graph: Graph) -> list[Node]:
    """The cameras that film something (others only lend their motion), in the order of the recipe."""
    return [node for node in graph.nodes.values() if node.spec.role == "camera" and node.wires.get("image")]


def filmed(graph: Graph, camera: Node) -> str:
    """The node whose picture a camera films."""
    return camera.wires["image"][0].node


def upstream(graph: Graph, name: str, *ports: str) -> set[str]:
    """Nodes whose values reach these ports by being computed, not by a port that is read once, nor as the finished
    picture of an optimiser or a camera: where a gradient can come from."""
    return {found for found in _reaching(graph, name, ports) if graph.nodes[found].spec.role not in STOPS}


def moved(graph: Graph, movers: set[str]) -> set[str]:
    """The movers and all that is computed from them."""
    return movers.union(*(nx.descendants(graph.flow, name) for name in movers))


def scopes(graph: Graph) -> dict[str, Scope]:
    """The scope of each optimiser, in the order of the recipe."""
    camera = {filmed(graph, one): one for one in cameras(graph)}
    sinks = {name: upstream(graph, name, *node.spec.ports) for name, node in graph.nodes.items() if _is_sink(node)}
    return {fit.name: _scope(graph, fit, camera.get(fit.name), sinks) for fit in optimizers(graph)}


def _scope(graph: Graph, fit: Node, camera: Node | None, sinks: Mapping[str, set[str]]) -> Scope:
    """What one optimiser repeats; `sinks` are those of the whole graph, with what lies upstream of each."""
    loss, picture = upstream(graph, fit.name, "loss"), upstream(graph, fit.name, "image")
    canvases = {name for name in loss | picture if graph.nodes[name].spec.role == "canvas"}
    moving = moved(graph, canvases | _changing(graph, loss | picture))
    paint = frozenset(picture & moving)
    judge = frozenset(loss & moving) - paint
    after = nx.descendants(graph.net, fit.name)
    watching = tuple(
        _looking(graph, sink, paint | judge)
        for sink, ahead in sinks.items()
        if sink not in after and ahead & (paint | judge)
    )
    scope = Scope(fit, frozenset(canvases), paint, judge, watching)
    if camera is None:
        return scope
    ahead = upstream(graph, camera.name, *camera.spec.ports)
    aim = frozenset(ahead & moved(graph, _changing(graph, ahead) | {fit.name})) - paint
    known = scope.stepping | aim | {camera.name}
    shown = tuple(
        _looking(graph, sink, known)
        for sink in sinks
        if camera.name in _reaching(graph, sink, graph.nodes[sink].spec.ports)
    )
    return replace(scope, camera=camera, aim=aim, shown=shown)


def _is_sink(node: Node) -> bool:
    return node.spec.role == "sink"


def _looking(graph: Graph, sink: str, known: frozenset[str]) -> Looking:
    """An output with what must be computed for it, beside what is computed anyway."""
    ahead = upstream(graph, sink, *graph.nodes[sink].spec.ports)
    return sink, frozenset(ahead & moved(graph, _changing(graph, ahead) | known)) - known


def _all(looking: Iterable[Looking]) -> frozenset[str]:
    return frozenset().union(*({sink} | before for sink, before in looking))


def _changing(graph: Graph, names: set[str]) -> set[str]:
    """Those that give something else at each step or frame by themselves: by the clock, or by the share they make."""
    nodes = [graph.nodes[name] for name in names]
    return {node.name for node in nodes if node.scheduled or {Tick, Share} & set(node.spec.ambient.values())}


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
