"""What happens in a run, as values: the progress bar, the JSON lines, the report and the tests listen to these."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from torch import Tensor


@dataclass(frozen=True)
class Started:
    """A run begins, or goes on at `step`."""

    recipe: str
    folder: Path
    device: str
    why: str
    steps: int
    resumed: bool = False


@dataclass(frozen=True)
class Computing:
    """A node that runs once is about to."""

    node: str


@dataclass(frozen=True)
class Fitting:
    """An optimiser begins, at step `first` of `steps`."""

    node: str
    first: int
    steps: int


@dataclass(frozen=True)
class Stepped:
    """A step was taken, of all that a film needs; `image` is what was judged. Read `loss` only as often as needed: that
    waits for the device."""

    node: str
    step: int
    steps: int
    loss: Tensor
    image: Tensor


@dataclass(frozen=True)
class Filmed:
    """A camera gave a frame on, the `frame`-th of those shown; their whole number is `frames`."""

    node: str
    frame: int
    frames: int
    image: Tensor


@dataclass(frozen=True)
class Fitted:
    """An optimiser ended; `image` is the finished picture."""

    node: str
    steps: int
    image: Tensor


@dataclass(frozen=True)
class Noted:
    """A node has something to say."""

    node: str
    level: Literal["say", "warn"]
    text: str


@dataclass(frozen=True)
class Wrote:
    """A file is complete."""

    path: Path


@dataclass(frozen=True)
class Ended:
    """The run is over."""

    how: Literal["finished", "part", "interrupted", "failed"]
    seconds: float
    message: str = ""


Event: TypeAlias = Started | Computing | Fitting | Stepped | Filmed | Fitted | Noted | Wrote | Ended
Listener: TypeAlias = Callable[[Event], None]


def plain(event: Event) -> dict[str, Any]:
    """The event as JSON has it; reads the loss, leaves the picture out."""
    told: dict[str, Any] = {"type": type(event).__name__.lower()}
    for name, value in vars(event).items():
        if isinstance(value, Tensor):
            if value.ndim == 0:
                number = float(value)
                told[name] = round(number, 6) if math.isfinite(number) else None  # JSON has no other numbers
        else:
            told[name] = str(value) if isinstance(value, Path) else value
    return told
