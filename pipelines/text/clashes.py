"""Names that both a preset and the recipe on top of it use, for different things.

A recipe that extends another was written without its presets in mind: a node that it calls `light` is its own, though
a preset of its base adds one of this name too. The preset's node then gets another name, and its wires follow it.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

from t2iflow.pipelines.text.dollars import reference
from t2iflow.pipelines.text.located import Located
from t2iflow.pipelines.text.overlays import LEVELS, NOTHING, use_of


def make_room(base: Located, over: Located, unset: Located) -> Located:
    """The base with other names for those of its nodes that the overlay has not meant; `unset`: without its presets."""
    nodes, known = base.value["nodes"].value, unset.value["nodes"].value
    own = {name: node for name, node in over.value["nodes"].value.items() if node.value and "use" in node.value}
    others = (name for name, node in own.items() if use_of(nodes.get(name, NOTHING)) != use_of(node))
    taken = (name for name in (*others, *over.value["params"].value) if name in nodes and name not in known)
    names = {name: _free(name, {*nodes, *own}) for name in taken}
    return _renamed(base, names) if names else base


def _free(name: str, taken: Collection[str]) -> str:
    return next(free for number in range(len(taken) + 1) if (free := f"{name}-preset{number or ''}") not in taken)


def _renamed(document: Located, names: Mapping[str, str]) -> Located:
    sections = {name: _rewired(document.value[name], names) for name in LEVELS}
    nodes = sections["nodes"]
    sections["nodes"] = replace(
        nodes,
        value={names.get(name, name): node for name, node in nodes.value.items()},
        keys={names.get(name, name): place for name, place in nodes.keys.items()},
    )
    return replace(document, value={**document.value, **sections})


def _rewired(value: Located, names: Mapping[str, str]) -> Located:
    """The value with the wires that start at these nodes."""
    inner = value.value
    if isinstance(inner, dict):
        return replace(value, value={key: _rewired(item, names) for key, item in inner.items()})
    if isinstance(inner, list):
        return replace(value, value=[_rewired(item, names) for item in inner])
    wire = reference(inner)
    return replace(value, value=str(replace(wire, node=names[wire.node]))) if wire and wire.node in names else value
