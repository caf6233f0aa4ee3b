"""What happens in a run, as values: the progress bar, the JSON lines, the report and the tests listen to these."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor

SCHEMA = "t2iflow.event/1"
"""What each JSON line is. New keys may be added; where a key changes its meaning, the number does."""


How: TypeAlias = Literal["finished", "part", "interrupted", "failed"]
"""How a run ends: `part` is for the wanted part of a film."""


@dataclass(frozen=True)
class Happened:
    """What all events share: when it was, in seconds of a clock that only runs forward."""

    at: float = field(default_factory=time.monotonic, kw_only=True, compare=False)


@dataclass(frozen=True)
class Started(Happened):
    """A run begins, or is resumed. `params` are the recipe's, as they are for this run; `overrides` are the options
    that changed the recipe; `prompts` are all texts that are asked for; `optimizers` are in their order, each with its
    steps; `date` is the only wall clock."""

    recipe: str
    folder: Path
    device: str
    why: str
    steps: int
    resumed: bool = False
    seed: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    optimizers: tuple[tuple[str, int], ...] = ()
    threads: int = 0
    date: str = ""


@dataclass(frozen=True)
class Computing(Happened):
    """A node that runs once is about to."""

    node: str


@dataclass(frozen=True)
class Fitting(Happened):
    """An optimiser begins, at step `first` of `steps`."""

    node: str
    first: int
    steps: int


@dataclass(frozen=True)
class Stepped(Happened):
    """A step was taken, of all that a film needs; `image` is what was judged, `rate` how far the optimiser went. Read
    `loss` and `terms` only as often as needed: that waits for the device."""

    node: str
    step: int
    steps: int
    loss: Tensor
    image: Tensor
    rate: float = 0.0
    terms: Mapping[str, Tensor] = field(default_factory=dict)
    """What adds up to the loss, by the recipe's names, each times its weight."""


@dataclass(frozen=True)
class Filmed(Happened):
    """A camera gave a frame on, the `frame`-th of those shown; their whole number is `frames`."""

    node: str
    frame: int
    frames: int
    image: Tensor


@dataclass(frozen=True)
class Fitted(Happened):
    """An optimiser ended; `image` is the finished picture."""

    node: str
    steps: int
    image: Tensor


@dataclass(frozen=True)
class Noted(Happened):
    """A node has something to say."""

    node: str
    level: Literal["say", "warn"]
    text: str


@dataclass(frozen=True)
class Wrote(Happened):
    """A file is complete."""

    path: Path


@dataclass(frozen=True)
class Ended(Happened):
    """The run is over."""

    how: How
    seconds: float
    message: str = ""


Event: TypeAlias = Started | Computing | Fitting | Stepped | Filmed | Fitted | Noted | Wrote | Ended
Listener: TypeAlias = Callable[[Event], None]
