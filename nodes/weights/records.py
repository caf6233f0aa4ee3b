"""What is known of weights that have a name: their family and licence, and a file for each of their roles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SMALL = Path(__file__).parents[1] / "small"
"""The bundled weights, a folder for each name, and `weights.json`, which describes them."""


@dataclass(frozen=True)
class File:
    """A file of published weights. `urls` are tried in turn; `kept` says where another program, or this one, keeps it.

    `size` in bytes; where it is not `exact`, as the publisher rounds it, and 0 where nobody says it.
    """

    name: str
    urls: Sequence[str] = ()
    size: int = 0
    exact: bool = False
    sha256: str | None = None
    kept: str = ""


@dataclass(frozen=True)
class Record:
    """Weights with a name: a file for each role of a family. The sides of their pictures are multiples of `factor`, and
    `codes` is how many codes they paint with, 0 where nobody says."""

    name: str
    family: str
    about: str
    files: Mapping[str, File]
    licence: str = "unknown"
    factor: int = 1
    codes: int = 0

    @property
    def size(self) -> int:
        """Bytes of all files together, as far as they are known."""
        return sum(file.size for file in self.files.values())

    @property
    def bundled(self) -> bool:
        """Whether the files are in this package."""
        return all(Path(file.kept).is_relative_to(SMALL) for file in self.files.values())
