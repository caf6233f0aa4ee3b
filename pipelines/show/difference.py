"""In which settings two recipes differ, with presets, `extends` and `--set` applied and all defaults filled in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from t2iflow.pipelines.graph.graph import Graph
from t2iflow.pipelines.problems import Problems
from t2iflow.pipelines.show.copies import Copies
from t2iflow.pipelines.text.dollars import References
from t2iflow.pipelines.text.located import listed, plain
from t2iflow.pipelines.text.recipe import NodeText
from t2iflow.pipelines.text.yaml_writer import flow


@dataclass(frozen=True)
class Difference:
    """The seed, a param, a node, or one of its settings or wires (`cuts.count`): what it is in either recipe, as that
    would write it; None where it has none."""

    name: str
    one: str | None
    other: str | None


def differences(one: Graph, other: Graph) -> Iterator[Difference]:
    """All of them, in the order of the first recipe. What follows from a param that both have is not repeated at each
    setting that it reaches; files are compared by the names of their copies."""
    if one.recipe.seed != other.recipe.seed:
        yield Difference("seed", str(one.recipe.seed), str(other.recipe.seed))
    these, those = _Written(one), _Written(other)
    for name, value in these.params.items():
        if name in those.params and value != those.params[name]:
            yield Difference(name, flow(value), flow(those.params[name]))
    nodes, others = one.recipe.nodes, other.recipe.nodes
    for name in dict.fromkeys([*nodes, *others]):
        if name not in nodes or name not in others:
            yield Difference(name, *(found.use.value if (found := of.get(name)) else None for of in (nodes, others)))
        else:
            yield from _within(name, these.node(nodes[name]), those.node(others[name]))


Inputs = Mapping[str, tuple[Any, Any]]
"""What stands at a node's ports and settings: as it is written, and what that is with each `$` filled in."""


class _Written:
    """What a graph's recipe says."""

    def __init__(self, graph: Graph) -> None:
        self._graph, self._copies = graph, Copies(graph, graph.shared)
        self._references = References(self._copies.params, graph.recipe.nodes, Problems())
        self.params = {name: plain(value) for name, value in self._copies.params.items()}

    def node(self, text: NodeText) -> Inputs:
        """What a node says, its defaults last."""
        said: dict[str, tuple[Any, Any]] = {"use": (text.use.value, text.use.value)}
        for key in text.written:
            written = self._copies.inputs[text.name, key]
            said[key] = (plain(written), plain(self._references.fill(written)))
        settings = self._graph.nodes[text.name].written_spec.settings
        defaults = {key: setting.default for key, setting in settings.items() if key not in said}
        return said | {key: (None, listed(value)) for key, value in defaults.items()}


def _within(node: str, these: Inputs, those: Inputs) -> Iterator[Difference]:
    another = these["use"] != those["use"]
    for key in dict.fromkeys([*these, *those]):
        (written, value), (other_written, other) = these.get(key, (None, None)), those.get(key, (None, None))
        if another and written is None and other_written is None:
            continue  # the defaults of different nodes mean nothing to each other
        if value != other and (written is None or written != other_written):
            shown = (flow(one) if key in of else None for one, of in ((value, these), (other, those)))
            yield Difference(f"{node}.{key}", *shown)
