"""What tests of Python's door share; runs from Python are compared with the commands'."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import t2iflow
from tests.runner.conftest import COPY, command

__all__ = ["command", "write_small_hello"]

LONG = 10**6
"""Steps that no test waits for."""


@pytest.fixture
def going() -> Iterator[Callable[..., t2iflow.Run]]:
    """Begin a run that would take for ever, and is stopped with the test."""
    runs = []

    def begin(**how: object) -> t2iflow.Run:
        runs.append(t2iflow.run(COPY, steps=LONG, wait=False, **how))  # type: ignore[arg-type]
        return runs[-1]

    yield begin
    for run in runs:
        run.stop()


SMALLER = {"size: [224, 224]": "size: [32, 32]", "sketch-steps: 120": "sketch-steps: 2", "  steps: 30": "  steps: 2"}
SMALLER |= {"count: 2, within": "count: 1, size: 64, within", "count: 2, size: 224": "count: 1, size: 64"}


def write_small_hello(folder: Path) -> None:
    """Put a small `hello` there, which comes before the bundled recipe of this name."""
    text = t2iflow.recipes()["hello"].text
    for large, small in SMALLER.items():
        assert large in text
        text = text.replace(large, small)
    (folder / "hello").write_text(text, encoding="utf-8")
