"""What outputs write: names that may meet, and pictures that their files can't hold."""

import math
import re
import unicodedata
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

import networkx as nx

from t2iflow.pipelines.graph.graph import Graph, Node
from t2iflow.pipelines.graph.schedule import Schedule
from t2iflow.pipelines.plan.checks import batches
from t2iflow.pipelines.plan.regions import Regions
from t2iflow.pipelines.problems import Problem

NUMBER = re.compile(r"%0\dd")
"""Where a row of pictures has its number."""


def makes_nothing(graph: Graph, _: Regions) -> Iterator[Problem]:
    """A recipe without outputs."""
    known = graph.recipe.nodes.keys() <= graph.nodes.keys()
    if known and not any(node.spec.role == "sink" for node in graph.nodes.values()):
        yield Problem(
            "T2I405",
            "the recipe writes nothing",
            graph.recipe.start,
            hints=("add an output, such as `still: {use: output.image, image: $fit}`",),
        )


def idle_every(graph: Graph, regions: Regions) -> Iterator[Problem]:
    """An `every` where nothing is repeated."""
    shots = [region.shot for region in regions if region.shot]
    repeated = {watch.sink for region in regions for watch in region.watch}
    repeated |= {watch.sink for shot in shots for watch in shot.show} | {shot.camera for shot in shots}
    for node in graph.nodes.values():
        every = graph.text(node).every
        hidden = graph.torn & {node.name, *nx.ancestors(graph.net, node.name)}
        if node.every > 1 and node.name not in repeated and not hidden:
            yield Problem(
                "T2I406",
                f"`every` on node `{node.name}` has no effect: it runs neither in the steps of an optimiser nor in the"
                " frames of a camera",
                every.place if every else node.place,
                hints=(
                    "`every` is for outputs wired to a canvas or a camera, such as"
                    " `film: {use: output.video, image: $canvas}`",
                ),
            )


def same_files(graph: Graph, _: Regions) -> Iterator[Problem]:
    """Outputs that may write files of one name."""
    writers: list[tuple[str, Node]] = []
    for node in (node for node in graph.nodes.values() if node.spec.role == "sink"):
        key = node.spec.meanings.get("file", "")
        for file in _files(node.value("file")):
            names = _names(file, "numbered" in node.spec.meanings and (batches.taken(graph, node) or 1) > 1)
            other = next((one for known, one in writers if one is not node and _overlap(known, names)), None)
            if other is not None:
                same = "write" if other.value("file") == file else "would write files of the same name, as"
                yield Problem(
                    "T2I409",
                    f"`{other.name}` and `{node.name}` both {same} `{file}`",
                    node.place,
                    hints=(f"give one of them another name: `{key}: {node.name}{PurePath(file).suffix}`",),
                )
            writers.append((names, node))


def _files(said: Any) -> list[str]:
    """The names that an output's setting says, over time too."""
    found = said.values if isinstance(said, Schedule) else [said]
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


def unfitting_sizes(graph: Graph, regions: Regions) -> Iterator[Problem]:
    """Outputs that are given pictures of a size, or so many, that their files can't hold."""
    shown = dict(_shown(regions))
    for node in graph.nodes.values():
        size = batches.size(graph, node)
        if size is not None and node.spec.role == "sink" and node.complete:
            try:
                for state in node.states():
                    node.spec.fits(size, shown.get(node.name), state)
            except ValueError as fault:
                yield Problem("T2I408", f"node `{node.name}` ({node.spec.name}): {fault}", node.place)


def _shown(regions: Regions) -> Iterator[tuple[str, int]]:
    """How many pictures each output is shown that watches an optimiser or a camera."""
    for region in regions:
        if region.steps:
            yield from ((watch.sink, math.ceil(region.steps / watch.every) + 1) for watch in region.watch)
        if region.shot and region.shot.frames:
            yield from ((watch.sink, math.ceil(region.shot.made / watch.every)) for watch in region.shot.show)
