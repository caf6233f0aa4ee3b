from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from t2iflow.nodes.core.ambient import Notes
from t2iflow.nodes.core.missing import MissingPackageError
from t2iflow.nodes.perceptors.clip import sources
from t2iflow.nodes.perceptors.interface import Layer, Seen


class Heard:
    """Notes that remember what a node said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.warned.append(text)


class RunFolder:
    """A run folder without a run."""

    recipe = "t2iflow: 1\nnodes: {}\n"

    def __init__(self, place: Path) -> None:
        self.place = place
        self.written: list[Path] = []

    def path(self, name: str) -> Path:
        return self.place / name

    def wrote(self, path: Path) -> None:
        self.written.append(path)


class Glance:
    """A perceptor of 16 dimensions that looks at 8 x 8 blurred pixels and reads letters."""

    name = "glance"
    size = 16
    width = 16
    scale = 100.0

    def __init__(self) -> None:
        chance = torch.Generator().manual_seed(0)
        self.eye = torch.randn(3 * 8 * 8, 16, generator=chance)
        self.letters = torch.randn(128, 16, generator=chance)

    def encode_texts(self, texts: list[str], notes: Notes) -> Tensor:
        read = [self.letters[[ord(letter) % 128 for letter in text or " "]].sum(0) for text in texts]
        return F.normalize(torch.stack(read), dim=-1)

    def look(self, pixels: Tensor) -> Seen:
        small = F.adaptive_avg_pool2d(pixels, 8)
        layer = Layer(small, torch.full((3,), 0.45), torch.full((3,), 0.2))
        return Seen(F.normalize((small - 0.5).flatten(1) @ self.eye, dim=-1), (layer,))


@pytest.fixture
def notes() -> Heard:
    return Heard()


@pytest.fixture
def library() -> ModuleType:
    """open_clip; tests that need it are skipped where it can't be imported."""
    try:
        return sources.package()
    except MissingPackageError as fault:
        pytest.skip(str(fault))


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


@pytest.fixture
def glance() -> Glance:
    return Glance()
