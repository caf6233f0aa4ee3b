"""What the runner learns from a camera: how many turns a film takes, how each begins and is taken, and what it shows.

A turn repeats the optimiser's region. The first is as if there were no camera; before each further one the camera node
is computed for the frames in between, the canvases are moved, and a few steps are taken.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from torch import Tensor

from t2iflow.nodes.core.types import Image, Loss


class Turns(NamedTuple):
    """How many turns a film takes, and how many steps each takes after the first, at most."""

    number: int
    steps: int


class Moved(NamedTuple):
    """The picture that a canvas begins the frame with; it takes it on, unless it was moved `itself`."""

    picture: Image
    itself: bool


class Shown(NamedTuple):
    """A frame that is due: the `number`-th that is shown, and which of the film's frames it is."""

    number: int
    frame: int
    image: Image


@dataclass(frozen=True)
class Take:
    """How a turn's steps are taken.

    `rate` replaces the optimiser's own; what `pull` makes of a step's picture is added to its loss; `carry` keeps the
    optimiser's moments; the first `edge_steps` change only what is `fresh`, (1, 1, h, w) in 0..1.
    """

    steps: int
    rate: float | None = None
    pull: Callable[[Tensor], Loss] | None = None
    carry: bool = True
    edge_steps: int = 0
    fresh: Tensor | None = None


@runtime_checkable
class Camera(Protocol):
    """A node that makes a film: called with `image`, it returns the `image` moved and the `motion`."""

    @classmethod
    def turns(cls, settings: Mapping[str, Any], every: int) -> Turns:
        """How many turns a film takes of which one in `every` frames is made."""

    @classmethod
    def passed(cls, settings: Mapping[str, Any], turn: int, every: int) -> range:
        """The frames that lead from the turn before to this one; the node is computed for each."""

    def move(self, canvas: object, picture: Image) -> Moved | None:
        """Move a canvas that shows this picture as the present frame begins; None where nothing moves.

        ValueError, about the canvas, where it can't be moved as wanted."""

    def take(self) -> Take:
        """How the turn's steps are taken, once all is moved; asked again after a run is resumed."""

    def develop(self, picture: Image, turn: int, every: int) -> Iterator[Shown]:
        """The frames that are due when a turn's picture is there: maybe none, maybe several."""
