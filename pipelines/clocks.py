"""Which clock each setting that changes over time goes by: the steps of an optimiser, or the frames of a camera.

Where the recipe leaves it open (`over:`), settings of cameras, and of what is computed once a frame, go by frames;
those of what is computed at each step by steps, but texts under a camera by frames: a film's prompts change over the
film.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from t2iflow.pipelines.graph import Graph, Node
from t2iflow.pipelines.keyframes import Keyframes, Over, changes
from t2iflow.pipelines.problems import Problem
from t2iflow.pipelines.scopes import Scope, scopes


def set_clocks(graph: Graph, problems: list[Problem]) -> Graph:
    """The graph with `over` filled in wherever a setting changes; what has no such clock is added to `problems`."""
    found = scopes(graph)
    nodes = {name: _set(node, _clocks(node, found), graph, problems) for name, node in graph.nodes.items()}
    return replace(graph, nodes=nodes)


def _clocks(node: Node, found: dict[str, Scope]) -> dict[Over, Scope | None]:
    """The clocks that a node could go by, the usual one first."""
    filming = next((scope for scope in found.values() if node.name in scope.filming), None)
    stepping = next((scope for scope in found.values() if node.name in scope.stepping), None)
    lent = node.spec.role == "camera"  # one whose motion is not used goes nowhere, which is reported elsewhere
    clocks: list[tuple[Over, Scope | None]] = []
    if stepping is not None:
        clocks.append(("step", stepping))
        if stepping.camera is not None:
            clocks.insert(0 if _of_texts(node) else 1, ("frame", stepping))
    elif filming is not None or lent:
        clocks.append(("frame", filming))
    return dict(clocks)


def _of_texts(node: Node) -> bool:
    """Whether the node was unfolded from a text that changes."""
    return node.implicit and node.spec.name == "clip.blend"


def _set(node: Node, clocks: dict[Over, Scope | None], graph: Graph, problems: list[Problem]) -> Node:
    if not node.scheduled:
        return node
    problems.extend(_wrong(node, clocks, graph))
    usual: Over = next(iter(clocks), "step")
    settings = {name: _over(value, usual) for name, value in node.settings.items()}
    return replace(node, settings=settings)


def _wrong(node: Node, clocks: dict[Over, Scope | None], graph: Graph) -> Iterator[Problem]:
    if not clocks:
        yield Problem(
            "T2I206",
            f"node `{node.name}` runs once, so its keyframes would never change anything",
            node.place,
            hints=(
                "keyframes are for nodes between a canvas and the loss of an optimiser, for optimisers, and for cameras"
                " and what shows their frames",
            ),
        )
        return
    for name, value in node.settings.items():
        for frames in schedules(value):
            over = frames.over or next(iter(clocks))
            if over not in clocks:
                why = "no camera films it" if over == "frame" else "it is computed once a frame"
                what = f"`{name}` of node `{node.name}` can't change over {over}s: {why}"
                yield Problem("T2I207", what, node.place, hints=(f"it can change over {next(iter(clocks))}s",))
            elif frames.in_seconds:
                scope = clocks[over]
                if over == "step":
                    what = f"`{name}` of node `{node.name}` changes over steps, which have no seconds"
                    yield Problem("T2I207", what, node.place, hints=("add `over: frame`, or write steps",))
                elif scope is not None and scope.fps(graph) is None:
                    what = f"the seconds of `{name}` of node `{node.name}` need a film with one number of frames each"
                    hint = "wire one `output.video` to the camera, or give all the same `fps`"
                    yield Problem("T2I207", what, node.place, hints=(hint,))


def schedules(value: Any) -> Iterator[Keyframes]:
    """The keyframes in a setting."""
    if isinstance(value, list):
        for item in value:
            yield from schedules(item)
    elif changes(value):
        yield value


def _over(value: Any, usual: Over) -> Any:
    if isinstance(value, list):
        return [_over(item, usual) for item in value]
    return replace(value, over=usual) if isinstance(value, Keyframes) and value.over is None else value
