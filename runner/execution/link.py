"""Linking: from names to callables over slots, so that a step only walks a flat list."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from t2iflow.nodes.core.ambient import WHOLE, Folder, Notes, Part, Random, Share, Tick
from t2iflow.pipelines.graph.graph import Graph, Node
from t2iflow.pipelines.graph.music import Music
from t2iflow.pipelines.graph.schedule import changes, schedules

Slot = tuple[str, str]
"""A value's place: the node that makes it and the name of its output."""


class NodeError(Exception):
    """A node failed while it ran; the cause is what it raised."""

    def __init__(self, node: Node, cause: BaseException) -> None:
        super().__init__(f"{node.name} ({node.spec.name}): {cause}")
        self.node = node
        self.cause = cause


@dataclass(frozen=True)
class Surroundings:
    """What nodes may ask for by type, for one run."""

    seed: int
    device: torch.device
    folder: Folder
    notes: Callable[[str], Notes]
    parts: Mapping[str, Part] = field(default_factory=dict)
    """Of which outputs only a part is wanted."""

    def give(self, kind: type, node: str, tick: Tick, share: Share, stage: str) -> Any:
        """The ambient value of this type for this node, now."""
        if kind is Random:
            return Random(self.seed, node, stage, tick.frame, tick.step, share.part, device=self.device)
        if kind is Tick:
            return tick
        if kind is Share:
            return share
        if kind is Part:
            return self.parts.get(node, WHOLE)
        if kind is torch.device:
            return self.device
        return self.folder if kind is Folder else self.notes(node)


class Link:
    """A node's call, ready to be made: takes its inputs from slots, puts its outputs into slots."""

    def __init__(self, node: Node, slots: Mapping[Slot, int], around: Surroundings) -> None:
        self.node = node
        self.live: Any = None
        self._around = around
        self._once_ports, self._ports = _takes(node, slots, once=True), _takes(node, slots, once=False)
        self._once, self._settings, self._moving = _sorted_settings(node)
        self.outputs = tuple(slots[node.name, output] for output in node.spec.outputs)
        self.inputs = tuple(slots[source.node, source.output] for wires in node.wires.values() for source in wires)
        self._many = len(node.spec.outputs) > 1

    def make(self, values: Sequence[Any]) -> Any:
        """Build the node, if it is a class and not built yet; gives the live object (or the function)."""
        if self.live is None:
            self.live = self.node.spec.make
            if self.node.spec.is_class:
                ambient = self._ambient(self.node.spec.ambient_once, Tick(), Share(), "made")
                self.live = self.guarded(self.live, **_gathered(self._once_ports, values), **self._once, **ambient)
            for music in (one for value in self._moving.values() for one in schedules(value) if isinstance(one, Music)):
                self.guarded(music.listen)
        return self.live

    def __call__(self, values: list[Any], tick: Tick, share: Share) -> None:
        """Compute the outputs."""
        moving = {name: _at(value, tick) for name, value in self._moving.items()}
        ambient = self._ambient(self.node.spec.ambient, tick, share, "called")
        result = self.guarded(self.live, **_gathered(self._ports, values), **self._settings, **moving, **ambient)
        if self._many:
            for slot, value in zip(self.outputs, result, strict=True):
                values[slot] = value
        elif self.outputs:
            values[self.outputs[0]] = result

    def setting(self, name: str, tick: Tick) -> Any:
        """The value that a setting has now."""
        return _at(self._moving[name], tick) if name in self._moving else self._settings[name]

    def _ambient(self, kinds: Mapping[str, type], tick: Tick, share: Share, stage: str) -> dict[str, Any]:
        return {name: self._around.give(kind, self.node.name, tick, share, stage) for name, kind in kinds.items()}

    def guarded(self, function: Callable[..., Any], **arguments: Any) -> Any:
        """Call something of the node; what it raises gets the node's name."""
        try:
            return function(**arguments)
        except torch.OutOfMemoryError:
            raise
        except Exception as fault:
            raise NodeError(self.node, fault) from fault


def number_slots(graph: Graph) -> dict[Slot, int]:
    """A number for every output of every node."""
    slots = [(node.name, output) for node in graph.nodes.values() for output in node.spec.outputs]
    return {slot: number for number, slot in enumerate(slots)}


def _takes(node: Node, slots: Mapping[Slot, int], once: bool) -> list[tuple[str, int | tuple[int, ...]]]:
    """For each wired port: the slot to take it from, or the slots where it takes several."""
    takes: list[tuple[str, int | tuple[int, ...]]] = []
    for name, port in node.spec.ports.items():
        if port.once is once and node.wires.get(name):
            numbers = tuple(slots[source.node, source.output] for source in node.wires[name])
            takes.append((name, numbers if port.many else numbers[0]))
    return takes


def _gathered(takes: list[tuple[str, int | tuple[int, ...]]], values: Sequence[Any]) -> dict[str, Any]:
    return {name: values[at] if isinstance(at, int) else [values[one] for one in at] for name, at in takes}


def _sorted_settings(node: Node) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Settings read once, constant ones of each call, and those that change over time."""
    once, constant, moving = {}, {}, {}
    for name, value in node.settings.items():
        if node.spec.settings[name].once:
            once[name] = value
        elif changes(value):
            moving[name] = value
        else:
            constant[name] = value
    return once, constant, moving


def _at(value: Any, tick: Tick) -> Any:
    if isinstance(value, list):
        return [_at(item, tick) for item in value]
    if not changes(value):
        return value
    if value.over == "frame":
        return value.at(tick.frame % tick.frames, tick.frames, tick.fps)
    # Schedules over steps are for the making of the first picture; in later frames their end holds.
    return value.at(tick.steps - 1 if tick.frame else tick.step, tick.steps)
