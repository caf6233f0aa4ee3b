"""Where a wire may start, for the port at which it ends."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from t2iflow.nodes.core import catalog
from t2iflow.nodes.core.node import Port, Spec, kind_name
from t2iflow.nodes.core.spelling import suggest
from t2iflow.pipelines.graph.graph import READERS, Source
from t2iflow.pipelines.problems import Place, Problems
from t2iflow.pipelines.text.dollars import UNREAD, Wire
from t2iflow.pipelines.text.located import Located, plain
from t2iflow.pipelines.values import shown

REMOVED = "`null`, or nothing after the colon, removes what is in the recipe beneath; leave the line out to keep that"

TERM = ("of", "weight")
"""What a term of a sum of losses may hold."""
WEIGHTED = "a wire with a weight is written `{of: $score, weight: 0.5}`"


@dataclass(frozen=True)
class Wires:
    """The nodes that a wire of this recipe may start at; None for one of an unknown `use`, which is reported."""

    specs: Mapping[str, Spec | None]
    params: Collection[str]
    removed: Mapping[str, Place]
    problems: Problems

    def source(self, node: str, port: Port, item: Located) -> Source | None:
        """Where this wire starts, if it can end at this port of a node; reported otherwise."""
        start: Wire = item.value
        spec = None if self.starts_nowhere(item, f"`{port.name}` of node `{node}`") else self.specs[start.node]
        output = None if spec is None else self._output(spec, start, port, item.place)
        if spec is None or output is None:
            return None
        kind = spec.outputs[output]
        if kind is port.kind:
            return Source(start.node, output)
        node, _, part = node.partition(".")
        port = replace(port, name=part) if part and not part.isdecimal() else port  # `fit.loss` is the sum on a port
        written = Wire(start.node, output)
        wanted = f"`{port.name}` of node `{node}` needs {kind_name(port.kind)}"
        what = f"`{written}` is {kind_name(kind)}, but {wanted}"
        self.problems.add("T2I303", what, item.place, _bridge(kind, port.kind), self.candidates(port, node))
        return None

    def _output(self, spec: Spec, start: Wire, port: Port, place: Place) -> str | None:
        """The output at which a wire starts: the one it names, the only one, or the only one of the port's kind."""
        what, output = f"`{start.node}` ({spec.name})", start.port
        fitting = [name for name, kind in spec.outputs.items() if kind is port.kind]
        if not spec.outputs:
            self.problems.add("T2I304", f"{what} has no output to wire", place)
        elif output and output not in spec.outputs:
            near = suggest(output, [name for name in spec.outputs if name])
            self.problems.add("T2I302", f"{what} has no output `{output}`", place, near, _outputs(spec))
        elif output or len(spec.outputs) == 1:
            return output
        elif len(fitting) == 1:
            return fitting[0]
        else:
            self.problems.add("T2I305", f"{what} has several outputs: name one", place, _outputs(spec))
        return None

    def starts_nowhere(self, wire: Located, user: str) -> bool:
        """Whether there is no node at which a wire to this port or setting starts, which is reported."""
        name = wire.value.node
        if name in self.specs or wire.value == UNREAD:
            return name not in self.specs
        if name in self.removed:
            what = f"{user} takes `${name}`, which is removed here"
            self.problems.add("T2I301", what, self.removed[name], REMOVED, subject=user)
        else:
            near = suggest(name, [*self.specs, *self.params])
            self.problems.add("T2I301", f"there is no node or param `{name}`", wire.place, near)
        return True

    def refuse(self, node: str, port: Port, item: Located, *hints: str) -> None:
        """Report what stands on a port and is no wire."""
        near = suggest(f"${item.value}", [f"${name}" for name in self.specs]) if isinstance(item.value, str) else None
        file = port.kind in READERS and isinstance(item.value, str) and not near
        subject = f"`{port.name}` of node `{node}`"
        what = f"{subject} is a port: it takes a wire, not {shown(plain(item))}"
        wire = near or self.candidates(port, node) or f"write `$name` of a node that makes {kind_name(port.kind)}"
        offer = "or the name of a picture's file, such as `photo.jpg`" if file else None
        self.problems.add("T2I205", what, item.place, wire, offer, *hints, subject=subject)

    def leads(self, node: str, port: Port, term: Located) -> bool:
        """Whether a term of a sum of losses has a wire to follow; what is wrong with it is reported."""
        said, where = term.value, f"a term in `{port.name}` of node `{node}`"
        if isinstance(said, Wire):
            return True
        if not isinstance(said, dict):
            self.refuse(node, port, term, WEIGHTED)
            return False
        odd = [key for key in said if key not in TERM]
        if odd:
            near = suggest(str(odd[0]), TERM)
            self.problems.add("T2I202", f"{where} has no `{odd[0]}`", term.keys[odd[0]], near, WEIGHTED)
        if "of" not in said:
            if not odd:
                self.problems.add("T2I203", f"{where} needs an `of`", term.place, WEIGHTED)
            return False
        if not isinstance(said["of"].value, Wire):
            self.refuse(node, port, said["of"])
            return False
        return True

    def candidates(self, port: Port, node: str) -> str | None:
        """The one node of this recipe that could be wired to the port."""
        others = ((name, spec) for name, spec in self.specs.items() if spec is not None and name != node)
        fitting = [f"${name}" for name, spec in others if port.kind in spec.outputs.values()]
        return f"`{port.name}: {fitting[0]}` would fit" if len(fitting) == 1 else None


def _outputs(spec: Spec) -> str:
    return "outputs: " + ", ".join(
        f"{name or 'the only one'} ({kind_name(kind)})" for name, kind in spec.outputs.items()
    )


def _bridge(given: Any, wanted: Any) -> str | None:
    """The node that makes one kind of the other, if there is one."""
    for spec in catalog.every_node():
        needed = [port.kind for port in spec.ports.values() if port.required]
        if spec.role != "optimizer" and given in needed and spec.kind is wanted:
            return f"`{spec.name}` makes {kind_name(wanted)} of {kind_name(given)}"
    return None
