"""A node in words, as people, notebooks and the studio read it; everything comes from its signature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from t2iflow.nodes.core.node import Spec


@dataclass(frozen=True)
class Port:
    """A place where a wire ends: a `kind` such as `Image`; `many` takes a list of wires."""

    name: str
    kind: str
    many: bool
    required: bool


@dataclass(frozen=True)
class Setting:
    """A value that a recipe can set: what it `takes`, in words, and whether it can change over steps or frames."""

    name: str
    takes: str
    default: Any
    required: bool
    keyframes: bool


@dataclass(frozen=True, repr=False)
class Node:
    """A node that recipes can name after `use:`; prints what `t2iflow nodes NAME` does."""

    name: str
    about: str
    doc: str
    ports: Mapping[str, Port] = field(default_factory=dict)
    settings: Mapping[str, Setting] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    """The kind of each output, by name; of the only one, by `""`."""

    def __repr__(self) -> str:
        from t2iflow.pipelines.show.node_pages import about

        return about(self.name).rstrip()


def in_words(spec: Spec) -> Node:
    """The node that a signature declares."""
    from t2iflow.nodes.core.node import kind_name
    from t2iflow.pipelines.graph.allowed import describe

    return Node(
        spec.name,
        spec.about,
        spec.doc,
        {one.name: Port(one.name, kind_name(one.kind), one.many, one.required) for one in spec.ports.values()},
        {
            one.name: Setting(one.name, describe(one.annotation), one.default, one.required, not one.fixed)
            for one in spec.settings.values()
        },
        {name: kind_name(kind) for name, kind in spec.outputs.items()},
    )
