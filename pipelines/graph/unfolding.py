"""Shorthands that stand for several nodes, expanded into plain nodes, so that nothing downstream needs to know them.

A list or a weight on a `Loss` port is a `losses.total`; the name of a picture's file on a port for pictures or masks is
the node that reads it, for a canvas in its size; a text keyframed over time is a `clip.blend` of as many copies of its
node as there are texts.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

from t2iflow.nodes.core import catalog
from t2iflow.nodes.core.node import Port, Spec
from t2iflow.pipelines.graph.graph import FILE_NAME, READERS, Node, Source, Unfolded
from t2iflow.pipelines.graph.schedule import Moment, Schedule
from t2iflow.pipelines.problems import Place
from t2iflow.pipelines.text.dollars import Wire
from t2iflow.pipelines.text.located import Located
from t2iflow.pipelines.text.recipe import NodeText


def total(name: str, terms: list[Located], place: Place) -> NodeText:
    """The node that `[$score, {of: $smooth, weight: 0.02}]` stands for."""
    one = Located(1.0, place)
    of = [term if isinstance(term.value, Wire) else term.value["of"] for term in terms]
    weights = [one if isinstance(term.value, Wire) else term.value.get("weight", one) for term in terms]
    values = {"terms": Located(of, place), "weights": Located(weights, place)}
    return NodeText(name, place, use=Located("losses.total", place), every=None, values=values, keys={})


def terms(value: Located) -> list[Located]:
    """The terms of what stands on a port for a loss; none where that is no sum."""
    return value.value if isinstance(value.value, list) else [value] if isinstance(value.value, dict) else []


def texts(text: NodeText, key: str, schedule: Schedule) -> list[NodeText]:
    """A copy of the node for each text that its setting has over time."""
    return [
        replace(text, name=f"{text.name}.{index}", values={**text.values, key: value})
        for index, value in enumerate(schedule.values)
    ]


def blend(text: NodeText, key: str, spec: Spec, schedule: Schedule) -> Node:
    """The node that goes from one of the texts of a setting to the next."""
    position = schedule.with_values(float(index) for index in range(len(schedule.values)))
    prompts = tuple(Source(copy.name) for copy in texts(text, "", schedule))
    settings, wires, unfolded = {"position": position}, {"prompts": prompts}, Unfolded("blend", text.name, spec, key)
    return Node(text.name, catalog.find("clip.blend"), text.place, settings, wires, unfolded=unfolded)


def keyframe(node: Node, nodes: Mapping[str, Node]) -> tuple[Moment, str | None] | None:
    """When an unfolded text counts wholly, and by which clock; None for other nodes, and where music decides."""
    blend = nodes[node.unfolded.node].blend if node.unfolded else None
    if blend is None or node.name not in blend.texts:
        return None
    moment = blend.position.moments()[blend.texts.index(node.name)]
    return None if moment is None else (moment, blend.position.over)


def reader(name: str, port: Port, file: str, place: Place, unfolded: Unfolded) -> Node:
    """The node that reads a picture's file, as if a recipe said `use: images.load`."""
    spec = catalog.find(READERS[port.kind])
    settings: dict[str, Any] = {one.name: one.default for one in spec.settings.values()}
    return Node(name, spec, place, settings | {"file": file}, {}, unfolded=unfolded)


def sized(nodes: Mapping[str, Node]) -> dict[str, Node]:
    """The nodes, among which those that read a picture for a canvas read it in the canvas's size and shape."""
    found = dict(nodes)
    for canvas in nodes.values():
        size = canvas.value("size") if canvas.spec.role == "canvas" else None
        for source in chain.from_iterable(canvas.wires.values()):
            node = nodes.get(source.node)
            if size and node and node.unfolded and node.unfolded.what == "reader":
                found[node.name] = replace(node, settings={**node.settings, "size": size})
    return found


def is_file_name(value: object) -> bool:
    """Whether a text on a port for pictures is meant as a file: with an ending, or with folders."""
    return isinstance(value, str) and re.search(FILE_NAME, value.strip()) is not None
