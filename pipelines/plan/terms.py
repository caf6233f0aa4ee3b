"""The terms of an optimiser's loss, by the names that the recipe has for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from t2iflow.nodes import losses
from t2iflow.pipelines.graph.graph import Node, Source


@dataclass(frozen=True)
class Term:
    """A loss that an optimiser makes smaller; of a sum, its weight is the `place`-th of node `total`."""

    source: Source
    total: str = ""
    place: int = 0

    @cached_property
    def name(self) -> str:
        """What the recipe wires: `score`, or `pair.near` for one of several outputs."""
        return ".".join(filter(None, (self.source.node, self.source.output)))


def terms(optimizer: Node, nodes: Mapping[str, Node]) -> tuple[Term, ...]:
    """What is added up on the optimiser's loss port: the terms of a `losses.total`, else the one loss itself."""
    (source,) = optimizer.wires["loss"]
    node = nodes[source.node]
    if node.spec.target is not losses.total:
        return (Term(source),)
    return tuple(Term(one, node.name, place) for place, one in enumerate(node.wires["terms"]))


def weighed_terms(node: Node) -> tuple[str, ...]:
    """The names of what a `losses.total` adds up, one for each of its weights; of any other node, nothing."""
    return tuple(Term(one).name for one in node.wires["terms"]) if node.spec.target is losses.total else ()
