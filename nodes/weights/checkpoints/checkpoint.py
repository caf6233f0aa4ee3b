"""Checkpoints in every container that weights are shared in, read as tensors only and memory-mapped.

Of the containers in containers.py; in these flat state dicts, such dicts under `state_dict` (Lightning's, open_clip's)
or `weights` (DALLE-pytorch's), and whole modules. Nothing in a file is run (see pickles.py), and nothing is read of a
tensor that isn't asked for; so no copy in another format is kept, which would save 50 ms (0.3 s for a large file from
before torch 1.6).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from t2iflow.nodes.weights.checkpoints.allowed import RefusedError
from t2iflow.nodes.weights.checkpoints.containers import Container, opened
from t2iflow.nodes.weights.checkpoints.state_dict import bare

ADVICE = "fetch it again"


@dataclass(frozen=True)
class Checkpoint:
    """A file of weights whose tensors are known, but not read yet."""

    path: Path
    container: Container
    advice: str = ADVICE

    def tensors(self, drop: tuple[str, ...] = ()) -> dict[str, Tensor]:
        """The tensors by their names, without those under the prefixes in `drop`; ValueError where they are damaged."""
        asked = {given: name for given, name in bare(self.container.names).items() if not name.startswith(drop)}
        with self.path.open("rb") as file, _named(self.path, self.advice), _spoken():
            return {asked[given]: tensor for given, tensor in self.container.tensors(file, asked).items()}

    @property
    def data(self) -> dict[str, Any]:
        """What it says beside the tensors in plain values, by the outermost keys."""
        return self.container.data

    @property
    def archive(self) -> bool:
        """Whether it is a TorchScript archive: OpenAI's CLIPs are."""
        return self.container.archive


def read(path: Path, advice: str = ADVICE) -> Checkpoint:
    """A checkpoint; ValueError, with the advice, for a file that is damaged, none, or holds more than weights."""
    with _named(path, advice):
        return survey(path, advice)


def survey(path: Path, advice: str = ADVICE) -> Checkpoint:
    """A checkpoint; ValueError, with the reason alone, where a file is no whole one."""
    with path.open("rb") as file, _spoken():
        return Checkpoint(path, opened(file), advice)


@contextmanager
def _named(path: Path, advice: str) -> Iterator[None]:
    """Says which file it is that is wrong."""
    try:
        yield
    except RefusedError as fault:
        raise ValueError(f"`{path.name}` is refused, as {fault}") from fault
    except ValueError as fault:
        raise ValueError(f"`{path.name}` is damaged or no checkpoint: {fault}; {advice}") from fault


@contextmanager
def _spoken() -> Iterator[None]:
    """Raises RefusedError or ValueError with a reason, whatever is wrong."""
    try:
        yield
    except RefusedError as fault:
        raise RefusedError(f"it holds more than weights: {_line(fault)}") from fault
    except Exception as fault:  # untrusted bytes fail in zipfile, pickletools, safetensors, torch and here
        reason = _line(fault) if isinstance(fault, ValueError) else f"it makes no sense ({fault!r:.100})"
        raise ValueError(reason) from fault


def _line(fault: Exception) -> str:
    """Its message in one line, without what would steer a terminal: names in it are the file's."""
    return "".join(letter if letter.isprintable() else " " for letter in str(fault)[:300])
