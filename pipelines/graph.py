"""The wired recipe: every node with its spec, its settings checked, its ports joined."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import Any

import networkx as nx

from t2iflow.nodes.node import Spec
from t2iflow.pipelines.keyframes import changes, schedules
from t2iflow.pipelines.music import Music
from t2iflow.pipelines.problems import Place
from t2iflow.pipelines.recipe import Recipe

COPIED = ("picture", "film", "sound", "text")
"""Files of these kinds are copied into the run folder; others are weights, which are large and found again."""


@dataclass(frozen=True)
class Source:
    """Where a wire starts: a node and which of its outputs (empty for the only one)."""

    node: str
    output: str = ""


@dataclass(frozen=True)
class Node:
    """A node of the recipe, checked. `settings` holds every setting; one that changes over time is a `Schedule`."""

    name: str
    spec: Spec
    place: Place
    settings: Mapping[str, Any]
    wires: Mapping[str, tuple[Source, ...]]
    every: int = 1
    implicit: bool = False

    @property
    def scheduled(self) -> bool:
        """Whether a setting changes over time."""
        return any(changes(value) for value in self.settings.values())


@dataclass(frozen=True)
class Graph:
    """All nodes, in the order of the recipe, and the net of their wires.

    `torn` names the nodes with a mistake that hides wires: what they would reach is not known.
    """

    recipe: Recipe
    nodes: Mapping[str, Node]
    torn: frozenset[str] = frozenset()

    @property
    def files(self) -> dict[str, str]:
        """What nodes read, weights aside, by whole path, with names that tell them apart within one folder."""
        paths = [path for node in self.nodes.values() for path in _files(node)]
        return {path: f"inputs/{number}-{PurePath(path).name}" for number, path in enumerate(dict.fromkeys(paths), 1)}

    @cached_property
    def net(self) -> "nx.MultiDiGraph[str]":
        """Edges run the way of the data; each carries its `port` and whether that is read only `once`."""
        net: nx.MultiDiGraph[str] = nx.MultiDiGraph()
        net.add_nodes_from(self.nodes)
        for node in self.nodes.values():
            for port, sources in node.wires.items():
                for source in (source for source in sources if source.node in self.nodes):
                    net.add_edge(source.node, node.name, port=port, once=node.spec.ports[port].once)
        return net


def _files(node: Node) -> Iterator[str]:
    for name, value in node.settings.items():
        if node.spec.settings[name].reads in COPIED and value:
            yield value
        yield from (one.file for one in schedules(value) if isinstance(one, Music))
