"""What a node can request by type, without a wire: randomness, time, its share of a batch, the run folder, a way to
report, and what is kept from run to run.

A parameter annotated with one of these (or with `torch.device`) is filled in by the runner. Nothing here is global: the
same recipe and seed always give a node the same values.
"""

import hashlib
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NewType, Protocol, runtime_checkable

import torch
from torch import Tensor

from t2iflow.nodes.core.shelf import Shelf


@dataclass(frozen=True)
class Tick:
    """Where a run stands: `step` of `steps` in this frame, `frame` of `frames` under a camera; all count from 0.

    A film that closes into a loop has a few frames beyond the last, which fade into the first ones. `fps`: frames per
    second, 0 where unknown. `opening`: how many steps the first frame has. `optimizer`: whose steps these are. `shown`:
    the frame of the film by which all goes that changes with it: before the film its first, after it its last, None
    without one.
    """

    step: int = 0
    steps: int = 1
    frame: int = 0
    frames: int = 1
    fps: float = 0.0
    opening: int = 1
    optimizer: str = ""
    shown: int | None = None

    @property
    def progress(self) -> float:
        """Progress of the picture: from 0 at its first step to 1 at its last, and 1 in all later frames."""
        return 1.0 if self.frame else self.step / max(self.steps - 1, 1)


Progress = NewType("Progress", float)
"""A tick's progress alone; unlike that, a step that a GPU repeats by itself can have it, as a tensor."""


@dataclass(frozen=True)
class Part:
    """Which frames of a film to make, both ends included and counted from 0; `last` None: to the end."""

    first: int = 0
    last: int | None = None

    def thinned(self, every: int) -> "Part":
        """The same part of a film that shows one in `every` frames."""
        return Part(-(-self.first // every), None if self.last is None else self.last // every)


WHOLE = Part()


@dataclass(frozen=True)
class Share:
    """Which part of a batch to make: that of the `number`-th of `passes` that a step is judged in (`accumulate`).

    A node that takes one has a setting of type `Made`, so that no pass is left with nothing to make.
    """

    number: int = 0
    passes: int = 1

    def of(self, count: int) -> int:
        """How many of `count` fall to this pass; they add up to `count`, and none is empty while count >= passes."""
        return (count * (self.number + 1)) // self.passes - (count * self.number) // self.passes


CPU = torch.device("cpu")


@dataclass(frozen=True)
class Draw:
    """Random numbers as they are drawn, not scaled yet: in 0..1, around 0 with a deviation of 1 (`normal`, `noise`), or
    whole ones `below` a number."""

    kind: Literal["uniform", "normal", "whole", "noise"]
    shape: tuple[int, ...]
    dtype: torch.dtype = torch.float32
    device: torch.device = CPU  # where they are drawn
    below: int = 1


class Random:
    """A node's own random numbers: seeded from the run's seed, the node's name and the tick.

    So adding a node never changes what another draws, and a resumed run draws the same. Numbers are drawn on the CPU
    and moved, so that a recipe cuts out the same squares on every device; `noise_like`, for whole pictures, draws on
    the picture's device.
    """

    def __init__(self, seed: int, *keys: object, device: torch.device | str = "cpu") -> None:
        digest = hashlib.blake2b("\0".join(map(str, (seed, *keys))).encode(), digest_size=8).digest()
        self.seed = int.from_bytes(digest, "little") >> 1
        self.device = torch.device(device)
        self._generator = generator(CPU, self.seed)
        self._here: torch.Generator | None = None

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Uniform numbers in [low, high)."""
        return self.drawn(Draw("uniform", shape)) * (high - low) + low

    def normal(self, *shape: int, mean: float = 0.0, std: float = 1.0) -> Tensor:
        """Normally distributed numbers."""
        return self.drawn(Draw("normal", shape)) * std + mean

    def integers(self, *shape: int, below: int) -> Tensor:
        """Whole numbers in [0, below), int64."""
        return self.drawn(Draw("whole", shape, torch.int64, below=below))

    def chance(self, *shape: int, of: float) -> Tensor:
        """True with probability `of`."""
        return self.uniform(*shape) < of

    def noise_like(self, tensor: Tensor) -> Tensor:
        """Gaussian noise of the tensor's shape, dtype and device; the caller's own, to be written into."""
        return self.drawn(Draw("noise", tuple(tensor.shape), tensor.dtype, tensor.device))

    def drawn(self, draw: Draw) -> Tensor:
        """The next numbers, where the node computes."""
        place = self.fill(torch.empty(draw.shape, dtype=draw.dtype, device=draw.device), draw)
        return place if draw.kind == "noise" else place.to(self.device, non_blocking=self.device.type == "cuda")

    def fill(self, place: Tensor, draw: Draw) -> Tensor:
        """Draw the next numbers into a place of their shape."""
        if draw.kind == "uniform":
            return place.uniform_(generator=self._generator)
        if draw.kind == "normal":
            return place.normal_(generator=self._generator)
        if draw.kind == "whole":
            return place.random_(0, draw.below, generator=self._generator)
        if self._here is None:
            self._here = generator(place.device, self.seed ^ 1)
        return place.normal_(generator=self._here)


def generator(device: torch.device, seed: int) -> torch.Generator:
    """What draws on a device."""
    return torch.Generator(device).manual_seed(seed)


@runtime_checkable
class Notes(Protocol):
    """How a node reports to the user."""

    def say(self, text: str) -> None:
        """Report something worth knowing."""

    def warn(self, text: str) -> None:
        """Warn of something that the user may want to fix."""


class _Silence(Notes):
    def say(self, text: str) -> None: ...

    def warn(self, text: str) -> None: ...


SILENCE: Notes = _Silence()
"""Notes that nobody reads."""


@runtime_checkable
class Folder(Protocol):
    """The run folder, as a sink sees it."""

    @property
    def recipe(self) -> str:
        """The resolved recipe as YAML, for embedding in what is written."""

    def path(self, name: str) -> Path:
        """Where a file of this plain name goes; its folder exists."""

    def wrote(self, path: Path) -> None:
        """Say that a file is complete."""


CHANGING = {Tick, Progress, Share}
"""What differs from step to step, or from pass to pass."""
AMBIENT: Set[Any] = {*CHANGING, Part, Random, Notes, Folder, Shelf, torch.device}
"""All of it; `Surroundings` of the runner gives each."""
