"""What happens in a sweep, as values, for whoever watches it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from t2iflow.runner.folder import summary

State: TypeAlias = summary.State | Literal["waiting"]
"""How far a cell is: as its run is, and before that waiting."""


@dataclass(frozen=True)
class Begun:
    """A sweep begins, or is resumed: its cells, how many have finished before, and how many failed and stay so."""

    folder: Path
    cells: int
    finished: int = 0
    failed: int = 0


@dataclass(frozen=True)
class CellEnded:
    """A cell has finished, failed or stopped, after these seconds of the sweep; `message` is what went wrong."""

    cell: str
    state: State
    seconds: float
    message: str = ""


@dataclass(frozen=True)
class Going:
    """How far all are: of each running cell the part of its steps that is done, from 0 to 1, and the seconds left."""

    finished: int
    failed: int
    running: Mapping[str, float] = field(default_factory=dict)
    left: float | None = None


@dataclass(frozen=True)
class Ended:
    """All is over: how many have finished and failed, the `page`, and the cell whose picture fits its prompt best, with
    that `picture`, where they are ranked."""

    cells: int
    finished: int
    failed: int
    seconds: float
    page: Path
    best: str = ""
    picture: Path | None = None


Event: TypeAlias = Begun | CellEnded | Going | Ended
Watcher: TypeAlias = Callable[[Event], None]
