"""Whether a node's settings go together, where each for itself is right."""

from collections.abc import Iterator

from t2iflow.nodes.core.blame import blamed
from t2iflow.nodes.core.node import SettingError
from t2iflow.pipelines.graph.graph import Graph, Node
from t2iflow.pipelines.plan.regions import Regions
from t2iflow.pipelines.problems import Problem


def conflicting(graph: Graph, _: Regions) -> Iterator[Problem]:
    """Settings that a node's own check refuses; not where a file is missing, which it may look into."""
    missing = {one.name for one in graph.resources if one.missing}
    for node in graph.nodes.values():
        if not node.complete or any(value in missing for value in node.settings.values() if isinstance(value, str)):
            continue
        try:
            for state in node.states():
                node.spec.check(state)
        except SettingError as fault:
            subject = node.subject(fault.setting)
            yield Problem("T2I204", f"{subject}: {fault}", graph.place(node, fault.setting), subject=subject)
        except Exception as fault:  # somebody else's check may raise anything
            kind = "" if isinstance(fault, ValueError) else f"{type(fault).__name__}: "
            what = f"node `{node.name}` ({node.spec.name}): these settings conflict: {kind}{fault}"
            line = blamed(fault, node.spec.target)
            yield Problem("T2I204", what, node.place, (*_elsewhere(graph, node), *([line] if line else [])))


def _elsewhere(graph: Graph, node: Node) -> Iterator[str]:
    """Where settings were given, as far as that was not in the file of the node."""
    recipe = graph.recipe
    for key, value in graph.text(node).values.items():
        at = value.place
        if key in node.spec.settings and at.file != node.place.file:
            said = recipe.sources[at.file] == at.file  # as an override is named by itself
            yield f"`{key}` is set " + (f"by `{at.file}`" if said else f"at {at.file}:{at.line}:{at.column}")
