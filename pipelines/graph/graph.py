"""The wired recipe: every node with its spec, its settings checked, its ports joined."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, count
from os.path import isabs
from pathlib import PurePath
from typing import Any, Literal

import networkx as nx

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.node import Spec
from t2iflow.nodes.core.types import Image, Mask, Meaning
from t2iflow.pipelines.graph.schedule import Schedule
from t2iflow.pipelines.problems import Place
from t2iflow.pipelines.text.origin import INPUTS
from t2iflow.pipelines.text.recipe import NodeText, Recipe

COPIED = ("picture", "film", "sound", "text", "embedding")
"""Files of these kinds are copied into the run folder; others are weights, which are large and found again."""

READERS: Mapping[Any, str] = {Image: "images.load", Mask: "images.mask"}
"""Kinds that a port may take from a file, and the nodes that read it."""

FILE_NAME = r"[/\\]|\.\w{2,5}$"
"""What a text on such a port has if it is meant as a file: an ending, or folders."""


@dataclass(frozen=True)
class Resource:
    """A file or weights that a setting names, by whole path or known name: its kind, where it is named, and the `param`
    by which `--set` gives another; `missing` if a picture's recipe came without it."""

    name: str
    kind: str
    place: Place
    param: str
    missing: bool = False

    @property
    def path(self) -> str:
        """The file's path, for a perceptor without its architecture."""
        return self.name.rpartition(":")[2] if self.kind == "perceptor" else self.name

    @property
    def short(self) -> str:
        """The file's name alone."""
        return PurePath(self.path).name

    @property
    def option(self) -> str:
        """The option that gives another."""
        return f"`--set {self.param}=PATH`"


@dataclass(frozen=True)
class Source:
    """Where a wire starts: a node and which of its outputs (empty for the only one)."""

    node: str
    output: str = ""


@dataclass(frozen=True)
class Unfolded:
    """What a node was unfolded from: the recipe's node of this name and spec, and its port or setting `key`.

    It is the `sum` of weighted losses, the `reader` of a file, a `text` of a prompt that changes over time, or
    the `blend` between these texts, which bears the name of the recipe's node and has a position in place of its `key`.
    """

    what: Literal["sum", "reader", "text", "blend"]
    node: str
    spec: Spec
    key: str


def term_weight(node: str, port: str) -> str:
    """What messages call the weight of a term in a sum of losses."""
    return f"`weight` in `{port}` of node `{node}`"


@dataclass(frozen=True)
class Blend:
    """Where a node is between the texts of a prompt that changes over time: a place among those nodes."""

    position: Schedule
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Scheduled:
    """A schedule, and where in a node's settings it is: in which, and at which place if that is a list."""

    setting: str
    number: int | None
    schedule: Schedule

    def put(self, settings: Mapping[str, Any], value: Any) -> dict[str, Any]:
        """These settings with something else in its place."""
        there = settings[self.setting]
        new = value if self.number is None else [*there[: self.number], value, *there[self.number + 1 :]]
        return {**settings, self.setting: new}


@dataclass(frozen=True)
class Node:
    """A node of the recipe, checked. `settings` holds every setting; one that changes over time is a `Schedule`."""

    name: str
    spec: Spec
    place: Place
    settings: Mapping[str, Any]
    wires: Mapping[str, tuple[Source, ...]]
    every: int = 1
    unfolded: Unfolded | None = None

    def value(self, meaning: Meaning) -> Any:
        """The value of the setting with this meaning, whatever its name; None without one, and where it was refused."""
        return self.settings.get(self.spec.meanings.get(meaning, ""))

    def values(self, meaning: Meaning) -> list[Any]:
        """The values of all settings with this meaning."""
        return [value for name, value in self.settings.items() if meaning in self.spec.settings[name].means]

    def file(self, kind: str) -> Any:
        """The file of this kind, or the perceptor, that a setting names; None without one."""
        return next((value for name, value in self.settings.items() if self.spec.settings[name].reads == kind), None)

    def left_out(self, setting: str) -> Any:
        """What a setting is that the recipe leaves out: its default, or what suits the others."""
        return self.settings.get(setting, self.written_spec.settings[setting].default)

    def written_name(self, setting: str) -> str:
        """The name that the recipe has for a setting."""
        return self.unfolded.key if self.blend and self.unfolded else setting

    def subject(self, setting: str) -> str:
        """What messages call a setting: as the recipe has it, from which the node may have been unfolded."""
        part = self.unfolded
        if part is None or part.what == "text":
            return f"`{setting}` of node `{part.node if part else self.name}`"
        return term_weight(part.node, part.key) if part.what == "sum" else f"`{part.key}` of node `{part.node}`"

    @property
    def complete(self) -> bool:
        """Whether no setting was refused."""
        return self.settings.keys() == self.spec.settings.keys()

    @property
    def written_spec(self) -> Spec:
        """The spec of the node that the recipe has for it."""
        return self.unfolded.spec if self.unfolded else self.spec

    @property
    def blend(self) -> Blend | None:
        """Between which texts it goes, if it was unfolded from a prompt that changes over time."""
        if self.unfolded is None or self.unfolded.what != "blend":
            return None
        return Blend(self.settings["position"], tuple(source.node for source in self.wires["prompts"]))

    @property
    def is_text(self) -> bool:
        """Whether it is one of the texts of such a prompt."""
        return self.unfolded is not None and self.unfolded.what == "text"

    @cached_property
    def schedules(self) -> tuple[Scheduled, ...]:
        """What changes over time in its settings."""
        return tuple(
            Scheduled(name, number, one)
            for name, value in self.settings.items()
            for number, one in (enumerate(value) if isinstance(value, list) else [(None, value)])
            if isinstance(one, Schedule)
        )

    @cached_property
    def changing(self) -> frozenset[str]:
        """The names of the settings that change over time."""
        return frozenset(one.setting for one in self.schedules)

    def states(self, alone: bool = False) -> Iterator[dict[str, Any]]:
        """The settings as they are first, and with each later value of what changes, if it is the only one that does.

        Where several change, which of their values meet is known only with the number of steps; `alone` gives each
        nevertheless, for what depends on one setting alone.
        """
        first = dict(self.settings)
        for one in self.schedules:
            first = one.put(first, one.schedule.reached[0])
        yield first
        if alone or len(self.changing) == 1:
            yield from (one.put(first, value) for one in self.schedules for value in one.schedule.reached[1:])


@dataclass(frozen=True)
class Graph:
    """All nodes, in the order of the recipe, and the net of their wires.

    `torn` names the nodes with a mistake that hides wires: what they would reach is not known. `resources` are the
    files and weights that settings name.
    """

    recipe: Recipe
    nodes: Mapping[str, Node]
    torn: frozenset[str] = frozenset()
    resources: tuple[Resource, ...] = ()

    def text(self, node: Node) -> NodeText:
        """What the recipe says of a node, or of that from which it was unfolded."""
        return self.recipe.nodes[node.unfolded.node if node.unfolded else node.name]

    def place(self, node: Node, setting: str) -> Place:
        """Where the value of a setting stands, or else the node."""
        key = node.unfolded.key if node.unfolded and node.unfolded.what != "text" else setting
        value = self.text(node).values.get(key)
        return node.place if value is None else value.place

    @property
    def files(self) -> dict[str, str]:
        """What nodes read, weights aside, by whole path, with names that tell them apart within one folder.

        Copies that are copied again keep their names, so that a recipe made again is the same text.
        """
        copies: dict[str, str] = {}
        for path in dict.fromkeys(one.name for one in self.resources if one.kind in COPIED):
            copies[path] = free_name(path, copies.values())
        return copies

    @property
    def shared(self) -> dict[str, str]:
        """What others see of whole paths: inputs by the names of their copies, weights by their own alone."""
        paths = {one.path: one.short for one in self.resources if isabs(one.path)} | self.files
        return dict(sorted(paths.items(), key=lambda pair: -len(pair[0])))

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

    @cached_property
    def flow(self) -> "nx.DiGraph[str]":
        """Only the wires that are read at each call."""
        flow: nx.DiGraph[str] = nx.DiGraph()
        flow.add_nodes_from(self.nodes)
        flow.add_edges_from((a, b) for a, b, wire in self.net.edges(data=True) if not wire["once"])
        return flow


def free_name(file: str, taken: Iterable[str]) -> str:
    """A name in the folder of copies that any system takes and no other has, whether or not letters' case counts."""
    path, lower = PurePath(paths.sound(PurePath(file).name)), {copy.lower() for copy in taken}
    stem = path.stem[:200]
    names = chain([path.name], (f"{stem}-{number}{path.suffix[:40]}" for number in count(2)))
    return next(copy for name in names if (copy := f"{INPUTS}/{name}").lower() not in lower)
