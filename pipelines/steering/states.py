"""What nodes are at a moment of a run: their settings, and what they are wired to."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from t2iflow.nodes.core.ambient import Tick
from t2iflow.pipelines.graph.graph import Graph, Node
from t2iflow.pipelines.graph.present import present
from t2iflow.pipelines.plan.plan import Plan


def names(graph: Graph) -> dict[str, None]:
    """The nodes, with a text that changes over time counted as one."""
    return dict.fromkeys(
        name for name, node in graph.nodes.items() if node.unfolded is None or node.unfolded.what != "text"
    )


def same(one: Graph, other: Graph, name: str) -> bool:
    """Whether a node is the same at all moments."""
    return _written(one, name) == _written(other, name)


def differing(one: Plan, other: Plan, among: Iterable[str], ticks: Iterable[Tick]) -> tuple[str, Tick] | None:
    """The first of these nodes that differs at one of the moments in which it is computed, and that moment."""
    graphs, is_computed = (one.graph, other.graph), _computed(one, other)
    changed = [name for name in among if not same(*graphs, name)]
    for tick in ticks if changed else ():
        for name in changed:
            if is_computed(name, tick) and state(graphs[0], name, tick) != state(graphs[1], name, tick):
                return name, tick
    return None


def state(graph: Graph, name: str, tick: Tick) -> Any:
    """What a node is at a moment: two that give the same are computed alike."""
    node = graph.nodes[name]
    if node.unfolded is None or node.unfolded.what != "blend":
        return [_of(node, tick)]
    position = present(node.settings["position"], tick)
    first, part = int(position), position - int(position)
    texts = [_of(graph.nodes[source.node], tick) for source in node.wires["prompts"][first : first + 2]]
    return [texts[0]] if part == 0 else [*texts, part]


def _of(node: Node, tick: Tick) -> tuple[str, ...]:
    return _told(node, {name: present(value, tick) for name, value in node.settings.items()})


def _written(graph: Graph, name: str) -> list[tuple[str, ...]]:
    """All that a node is, with what changes over time as it is written."""
    node = graph.nodes[name]
    blended = node.unfolded is not None and node.unfolded.what == "blend"
    texts = [graph.nodes[source.node] for source in node.wires["prompts"]] if blended else []
    return [_told(one, one.settings) for one in (node, *texts)]


def _told(node: Node, settings: Mapping[str, Any]) -> tuple[str, ...]:
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
