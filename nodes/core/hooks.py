"""What a node may offer beyond its call, each by the methods that it has; the runner looks for them."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol, runtime_checkable

from torch import Tensor

from t2iflow.nodes.core.types import Image, Prompt


@runtime_checkable
class Trainable(Protocol):
    """A canvas: it has tensors that an optimiser moves."""

    def trainable(self) -> list[Tensor]:
        """The tensors to train, each a leaf that requires a gradient."""


@runtime_checkable
class Rated(Protocol):
    """A canvas that says how fast it learns."""

    usual_rate: ClassVar[float]
    """The rate at which Adam trains it well: an optimiser's own, where the recipe gives it none."""


@runtime_checkable
class Paced(Protocol):
    """A canvas that learns faster or slower than others under one optimiser, by a setting `pace`."""

    @property
    def pace(self) -> float:
        """What the optimiser's rate is multiplied by for its tensors."""


@runtime_checkable
class Settles(Protocol):
    """A canvas that corrects itself after every step: clamps, snaps, projects."""

    def settle(self) -> None:
        """Called after an optimiser step, without gradients."""


@runtime_checkable
class Finishes(Protocol):
    """A canvas whose finished picture is painted differently from those of the steps: with hard codes instead of soft
    ones."""

    def finished(self) -> AbstractContextManager[None]:
        """Within it, what is painted is the finished picture."""


@runtime_checkable
class Repaints(Protocol):
    """A canvas that can start again from a picture: init images, zoom, second stages."""

    def repaint(self, image: Image) -> None:
        """Take on the picture, resized to the canvas where needed."""


@runtime_checkable
class Carries(Protocol):
    """A canvas that a camera moves in its own terms, which then paint something else than the moved picture."""

    def carry(self, image: Image) -> None:
        """Called after a move, with the picture as moved: keep what is lost of it."""


@runtime_checkable
class Closes(Protocol):
    """A sink with something to finish."""

    def close(self) -> None:
        """Called once, when the run ends or is interrupted."""


@runtime_checkable
class Tells(Protocol):
    """A node whose prompts follow one another, so that each is shown with its time."""

    @classmethod
    def begins(cls, settings: Mapping[str, Any], length: int) -> Iterator[tuple[float, Prompt]]:
        """Each with the frame, or step, of `length`, from which it counts; ValueError or OSError where that can't be
        known."""


@runtime_checkable
class Remembers(Protocol):
    """A node with state, besides its trainable tensors, that belongs in a checkpoint."""

    def state_dict(self) -> dict[str, Any]:
        """Tensors, numbers and texts, in plain containers."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the memory back."""
