"""Linking: from names to callables over slots, so that a step only walks a flat list."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ContextDecorator
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from t2iflow.nodes.core.ambient import WHOLE, Folder, Notes, Part, Progress, Random, Share, Tick
from t2iflow.nodes.core.shelf import Shelf
from t2iflow.pipelines.graph.graph import Node
from t2iflow.pipelines.graph.music import Music
from t2iflow.pipelines.graph.present import present

ALL = Share()
"""All crops in one pass."""

Slot = tuple[str, str]
"""A value's place: the node that makes it and the name of its output."""


class NodeError(Exception):
    """A node failed while it ran; the cause is what it raised."""

    def __init__(self, node: Node, cause: BaseException) -> None:
        super().__init__(f"{node.name} ({node.spec.name}): {cause}")
        self.node = node
        self.cause = cause


class blaming(ContextDecorator):
    """Names the node in whatever is raised within it, or within a function that it wraps; but running out of memory is
    no node's fault."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, fault: BaseException | None, trace: object) -> None:
        if isinstance(fault, Exception) and not isinstance(fault, NodeError | torch.OutOfMemoryError):
            raise NodeError(self._node, fault) from fault


@dataclass(frozen=True)
class Surroundings:
    """What nodes can request by type, for one run."""

    seed: int
    device: torch.device
    folder: Folder | None
    notes: Callable[[str], Notes]
    parts: Mapping[str, Part] = field(default_factory=dict)
    """Of which outputs only a part is wanted."""
    shelf: Shelf = field(default_factory=Shelf)

    def give(self, kind: type, node: str, tick: Tick, share: Share, stage: str) -> Any:
        """The ambient value of this type for this node, now."""
        if kind is Random:  # which would take long to make in vain
            return Random(self.seed, node, stage, tick.frame, tick.step, share.number, device=self.device)
        given: Mapping[Any, Any] = {
            Tick: tick,
            Progress: tick.progress,
            Part: self.parts.get(node, WHOLE),
            Share: share,
            Notes: self.notes(node),
            Folder: self.folder,
            Shelf: self.shelf,
            torch.device: self.device,
        }
        return given[kind]


class Link:
    """A node's call, ready to be made: takes its inputs from slots, puts its outputs into slots."""

    def __init__(self, node: Node, slots: Mapping[Slot, int], around: Surroundings, filmed: bool = False) -> None:
        """`filmed`: whether a film computes it; what none does goes by steps, whatever else is painted with it."""
        self.node, self._filmed = node, filmed
        self.live: Any = None
        self.instead: Callable[..., Any] | None = None
        """What is called in place of `live`, if anything: the same, compiled."""
        self._around = around
        self._once_ports, self._ports = _takes(node, slots, once=True), _takes(node, slots, once=False)
        once = {name for name in node.settings if node.spec.settings[name].once}
        self._once = {name: node.settings[name] for name in once}
        called = {name: value for name, value in node.settings.items() if name not in once}
        self.settings = {name: value for name, value in called.items() if name not in node.changing}
        self._moving = {name: value for name, value in called.items() if name in node.changing}
        self.outputs = tuple(slots[node.name, output] for output in node.spec.outputs)
        self.inputs = tuple(slots[source.node, source.output] for wires in node.wires.values() for source in wires)
        self._many = len(node.spec.outputs) > 1

    def make(self, values: Sequence[Any]) -> None:
        """Make `live` the node's object, if it is a class and not made yet, or its function."""
        if self.live is None:
            self.live = self.node.spec.make
            if self.node.spec.is_class:
                ambient = self._ambient(self.node.spec.ambient_once, Tick(), Share(), "made")
                with blaming(self.node):
                    self.live = self.live(**_gathered(self._once_ports, values), **self._once, **ambient)
            for part in (part for one in self.node.schedules for part in one.schedule.parts()):
                if isinstance(part, Music):
                    with blaming(self.node):
                        part.listen()

    def changing(self, tick: Tick, share: Share) -> dict[str, Any]:
        """What the call is given at this time that differs from step to step, beside the values of other nodes."""
        moving = {name: present(value, tick) for name, value in self._moving.items()}
        if not self._filmed and tick.shown is not None:
            tick = replace(tick, shown=None, frames=1, fps=0.0)
        return moving | self._ambient(self.node.spec.ambient, tick, share, "called")

    def compute(self, values: list[Any], changing: Mapping[str, Any]) -> None:
        """Call the node with the values in its slots, and put what it returns into slots."""
        with blaming(self.node):
            result = (self.instead or self.live)(**_gathered(self._ports, values), **self.settings, **changing)
            if self.outputs and result is None:
                raise ValueError("it returned nothing, though its signature names an output")
            for slot, value in zip(self.outputs, result if self._many else (result,), strict=bool(self.outputs)):
                values[slot] = value

    def setting(self, name: str, tick: Tick) -> Any:
        """The value that a setting has now."""
        return present(self._moving[name], tick) if name in self._moving else self.settings[name]

    def _ambient(self, kinds: Mapping[str, type], tick: Tick, share: Share, stage: str) -> dict[str, Any]:
        return {name: self._around.give(kind, self.node.name, tick, share, stage) for name, kind in kinds.items()}


Arguments = Callable[[Link, Share], Mapping[str, Any]]
"""From a call to those of its arguments that differ from step to step."""


def now(tick: Tick) -> Arguments:
    """The arguments that calls have at this time."""
    return lambda link, share: link.changing(tick, share)


def run(links: Iterable[Link], values: list[Any], given: Arguments, share: Share = ALL) -> None:
    """Compute nodes, one after another."""
    for link in links:
        link.compute(values, given(link, share))


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
