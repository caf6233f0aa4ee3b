"""What nodes are at a moment of a run: their settings, and what they are wired to."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from t2iflow.nodes.core.ambient import Tick
from t2iflow.pipelines.graph.graph import Graph, Node
from t2iflow.pipelines.graph.present import present
from t2iflow.pipelines.plan.plan import Plan


def names(graph: Graph) -> dict[str, None]:
    """The nodes, with a text that changes over time counted as one."""
    return dict.fromkeys(name for name, node in graph.nodes.items() if not node.is_text)


def same(one: Graph, other: Graph, name: str) -> bool:
    """Whether a node is the same at all moments."""
    return _written(one, name) == _written(other, name)


def differing(one: Plan, other: Plan, among: Iterable[str], ticks: Iterable[Tick]) -> tuple[str, Tick] | None:
    """The first of these nodes that differs at one of the moments in which it is computed, and that moment."""
    is_computed = _computed(one, other)
    alike = {name: _alike(one.graph, other.graph, name) for name in among if not same(one.graph, other.graph, name)}
    for tick in ticks if alike else ():
        for name, is_alike in alike.items():
            if is_computed(name, tick) and not is_alike(tick):
                return name, tick
    return None


def _alike(one: Graph, other: Graph, name: str) -> Callable[[Tick], bool]:
    """Whether a node is computed alike in two graphs at a moment: with the same settings, of the same texts."""
    these, those = _texts(one, name), _texts(other, name)
    return lambda tick: _state(these, tick) == _state(those, tick)


Texts = tuple[Any, list[Callable[[Tick], Any]]]
"""Nodes between which one goes, and the position among them; most are a single one."""


def _texts(graph: Graph, name: str) -> Texts:
    node = graph.nodes[name]
    if blend := node.blend:
        return blend.position, [_settings(graph.nodes[text]) for text in blend.texts]
    return 0, [_settings(node)]


def _settings(node: Node) -> Callable[[Tick], Any]:
    """What a node is at each moment."""
    still = {name: repr(value) for name, value in node.settings.items() if name not in node.changing}
    moving = [(name, node.settings[name]) for name in node.changing]
    frame = _identity(node, {})
    return lambda tick: (frame, still | {name: repr(present(value, tick)) for name, value in moving})


def _state(texts: Texts, tick: Tick) -> Any:
    position = present(texts[0], tick)
    first = int(position)
    part = position - first
    return [texts[1][first](tick), *([texts[1][first + 1](tick), part] if part else [])]


def _written(graph: Graph, name: str) -> list[tuple[str, ...]]:
    """All that a node is, with what changes over time as it is written."""
    node = graph.nodes[name]
    texts = node.blend.texts if node.blend else ()
    return [_identity(one, one.settings) for one in (node, *map(graph.nodes.__getitem__, texts))]


def _identity(node: Node, settings: Mapping[str, Any]) -> tuple[str, ...]:
    return node.spec.name, str(node.every), repr(sorted(node.wires.items())), repr(sorted(settings.items()))


def _computed(one: Plan, other: Plan) -> Callable[[str, Tick], bool]:
    """Whether a node is computed at a moment by one of two plans: what a camera needs and what shows its frames only
    once the first picture is finished."""
    steps: dict[str, set[str]] = {}
    frames: dict[str, set[str]] = {}
    for region in (*one.regions, *other.regions):
        steps.setdefault(region.optimizer, set()).update(region.stepping)
        frames.setdefault(region.optimizer, set()).update(region.shot.members if region.shot else ())

    def computed(name: str, tick: Tick) -> bool:
        filmed = tick.frame > 0 or tick.step == tick.steps - 1
        return name in steps[tick.optimizer] or (filmed and name in frames[tick.optimizer])

    return computed
