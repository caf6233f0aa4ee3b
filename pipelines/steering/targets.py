"""What can be named to be steered: params, settings, and the weights of an optimiser's losses."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.steering.editing import Way
from t2iflow.pipelines.text.dollars import Wire
from t2iflow.pipelines.text.located import Located, plain


@dataclass(frozen=True)
class Target:
    """A param (`prompt`), a setting (`fit.rate`) or a weight (`fit.loss.score`): where it is written, and what is."""

    name: str
    way: Way
    written: Any


def targets(plan: Plan) -> Iterator[Target]:
    """All of a recipe."""
    document = plan.graph.recipe.text.document
    for name, value in document.value["params"].value.items():
        yield Target(name, ("params", name), plain(value))
    for text in plan.graph.recipe.nodes.values():
        spec = plan.graph.nodes[text.name].written_spec
        for key, value in text.written.items():
            if key in spec.settings:
                yield Target(f"{text.name}.{key}", ("nodes", text.name, key), plain(value))
            elif key in spec.ports:
                yield from _weights(text.name, key, text.values[key], value)


def _weights(node: str, port: str, value: Located, written: Located) -> Iterator[Target]:
    """The weights of what is added up on a port, by the names of what is weighed."""
    if not isinstance(value.value, list) or not isinstance(written.value, list):
        return
    for place, (term, said) in enumerate(zip(value.value, written.value, strict=True)):
        way: Way = ("nodes", node, port, place)
        wire = term.value["of"] if isinstance(term.value, dict) and "of" in term.value else term
        if not isinstance(wire.value, Wire):
            continue
        name = f"{node}.{port}.{str(wire.value).removeprefix('$')}"
        if isinstance(said.value, dict) and "weight" in said.value:
            yield Target(name, (*way, "weight"), plain(said.value["weight"]))
        elif not isinstance(said.value, dict):
            yield Target(name, way, Weighted(plain(said)))


@dataclass(frozen=True)
class Weighted:
    """A wire of weight 1 that has none written."""

    wire: str

    def weighing(self, weight: Any) -> dict[str, Any]:
        """The same with a weight."""
        return {"of": self.wire, "weight": weight}
