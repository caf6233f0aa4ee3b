"""The log of a run as values, one for each of its lines: what happened, as far as the log keeps it.

A run's events are written down by `folder.log`; `folder.history` reads them back as these. Nothing here needs torch.
"""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from types import UnionType
from typing import Any, Literal, TypeAlias, get_args, get_origin

from t2iflow.runner import events

Number: TypeAlias = int | float


@dataclass(frozen=True)
class Entry:
    """What all have: when it was, in seconds since the run began or was last resumed."""

    time: Number = field(default=0.0, kw_only=True)

    @property
    def at(self) -> Number:
        """The same, as events call it."""
        return self.time


@dataclass(frozen=True)
class Started(Entry):
    """A run began, or was resumed."""

    recipe: str = ""
    folder: str = ""
    device: str = ""
    why: str = ""
    resumed: bool = False
    seed: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    prompts: list[Any] = field(default_factory=list)
    optimizers: list[Any] = field(default_factory=list)
    date: str = ""

    @property
    def prompt(self) -> str:
        """The first of its prompts."""
        return next((text for text in self.prompts[:1] if isinstance(text, str)), "")

    @property
    def totals(self) -> dict[str, int]:
        """The optimisers in their order, each with its steps; none that somebody's edit has made another."""
        pairs = [one for one in self.optimizers if isinstance(one, list) and len(one) == 2]
        return {node: steps for node, steps in pairs if isinstance(node, str) and isinstance(steps, int)}

    @property
    def began(self) -> datetime | None:
        """The date."""
        with contextlib.suppress(ValueError):
            return datetime.fromisoformat(self.date)
        return None


@dataclass(frozen=True)
class Computing(Entry):
    """A node that runs once was about to."""

    node: str


@dataclass(frozen=True)
class Fitting(Entry):
    """An optimiser began, at step `first` of `steps`."""

    node: str
    first: int
    steps: int


@dataclass(frozen=True)
class Stepped(Entry):
    """A step was taken; without a `loss` where that was no number."""

    node: str
    step: int
    steps: int
    loss: Number | None = None
    terms: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Filmed(Entry):
    """A camera gave a frame on."""

    node: str
    frame: int
    frames: int


@dataclass(frozen=True)
class Fitted(Entry):
    """An optimiser ended."""

    node: str
    steps: int


@dataclass(frozen=True)
class Noted(Entry):
    """A node had something to say."""

    node: str
    level: Literal["say", "warn"]
    text: str


@dataclass(frozen=True)
class Wrote(Entry):
    """A file was complete."""

    path: str


@dataclass(frozen=True)
class Ended(Entry):
    """The run was over."""

    how: events.How
    seconds: Number | None = None
    message: str = ""


KINDS: Mapping[str, tuple[type[events.Happened], type[Entry]]] = {
    "started": (events.Started, Started),
    "computing": (events.Computing, Computing),
    "fitting": (events.Fitting, Fitting),
    "stepped": (events.Stepped, Stepped),
    "filmed": (events.Filmed, Filmed),
    "fitted": (events.Fitted, Fitted),
    "noted": (events.Noted, Noted),
    "wrote": (events.Wrote, Wrote),
    "ended": (events.Ended, Ended),
}
"""By the name that stands in the log: the event that is written down, and what it is read back as."""


def entry_of(line: str) -> Entry | None:
    """The entry that a line is; None where a kill has cut it short, or somebody's edit has left out what such an entry
    needs. What may be left out counts as that where it is not as it should be."""
    said = json_of(line) or {}
    _, kind = KINDS.get(str(said.get("type")), (None, None))
    if kind is None:
        return None
    known = {one.name: said[one.name] for one in fields(kind) if one.name in said and _fits(said[one.name], one.type)}
    with contextlib.suppress(TypeError):
        return kind(**known)
    return None


def json_of(line: str) -> dict[str, Any] | None:
    """A line as JSON has it, whatever its type; None where it is no event at all."""
    with contextlib.suppress(ValueError, RecursionError):
        said = json.loads(line)
        if isinstance(said, dict) and "type" in said:
            return said
    return None


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value is of a field's type."""
    if isinstance(kind, UnionType):
        return any(_fits(value, one) for one in get_args(kind))
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    return isinstance(value, get_origin(kind) or kind)
