"""What outputs write: names that may meet, and pictures that their files can't hold."""

import math
import re
import unicodedata
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from t2iflow.pipelines.graph.graph import Graph, Node
from t2iflow.pipelines.graph.schedule import Keyframes, states
from t2iflow.pipelines.plan import batches
from t2iflow.pipelines.plan.regions import scopes
from t2iflow.pipelines.problems import Problem

NUMBER = re.compile(r"%0\dd")
"""Where a row of pictures has its number."""


def same_files(graph: Graph) -> Iterator[Problem]:
    """Outputs that may write files of one name; the graph has no cycles."""
    writers: list[tuple[str, Node]] = []
    for node in (node for node in graph.nodes.values() if node.spec.role == "sink"):
        for file in _files(node.settings.get("file")):
            names = _names(file, node.spec.name == "output.image" and (batches.taken(graph, node) or 1) > 1)
            other = next((one for known, one in writers if one is not node and _overlap(known, names)), None)
            if other is not None:
                same = "write" if other.settings.get("file") == file else "would write files of the same name, as"
                yield Problem(
                    "T2I409",
                    f"`{other.name}` and `{node.name}` both {same} `{file}`",
                    node.place,
                    hints=(f"give one of them another name: `file: {node.name}{PurePath(file).suffix}`",),
                )
            writers.append((names, node))


def _files(said: Any) -> list[str]:
    """The names that an output's setting says, over time too."""
    found = said.values if isinstance(said, Keyframes) else [said]
    return [file for file in found if isinstance(file, str)]


def _names(file: str, many: bool) -> str:
    """The names of what is written, with / for any number: of each of `many` pictures, or of each frame of a row.

    Letters' case and how accents are composed count for nothing, as on many disks.
    """
    path = PurePath(unicodedata.normalize("NFC", file).casefold())
    name = f"{path.stem}-%01d{path.suffix}" if many else str(path)
    return NUMBER.sub("/", name)


def _overlap(one: str, other: str) -> bool:
    """Whether two outputs may write a file of the same name."""
    pattern, name = (one, other) if "/" in one else (other, one)
    return one == other or bool(re.fullmatch(re.escape(pattern).replace("/", "[0-9]+"), name))


def unfitting_sizes(graph: Graph) -> Iterator[Problem]:
    """Outputs that are given pictures of a size, or so many, that their files can't hold."""
    shown = dict(_shown(graph))
    for node in graph.nodes.values():
        size = batches.size(graph, node)
        refused = node.settings.keys() != node.spec.settings.keys()
        if size is not None and node.spec.role == "sink" and not refused:
            try:
                for state in states(node.settings):
                    node.spec.fits(size, shown.get(node.name), state)
            except ValueError as fault:
                yield Problem("T2I408", f"node `{node.name}` ({node.spec.name}): {fault}", node.place)


def _shown(graph: Graph) -> Iterator[tuple[str, int]]:
    """How many pictures each output is shown that looks on at an optimiser, or at a camera."""
    for scope in scopes(graph).values():
        steps = scope.optimizer.settings.get("steps")
        for name, _ in scope.watching:
            if isinstance(steps, int):
                yield name, math.ceil(steps / graph.nodes[name].every) + 1
        frames = scope.camera.settings.get("frames") if scope.camera else None
        for name, _ in scope.shown:
            if isinstance(frames, int) and scope.camera:
                yield name, math.ceil(frames / scope.camera.every / graph.nodes[name].every)
