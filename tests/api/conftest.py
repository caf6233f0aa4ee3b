"""What tests of Python's door share; runs from Python are compared with the commands'."""

from pathlib import Path

import t2iflow
from tests.runner.conftest import command

__all__ = ["command", "write_small_hello"]

SMALLER = {"size: [224, 224]": "size: [32, 32]", "sketch-steps: 120": "sketch-steps: 2", "  steps: 30": "  steps: 2"}
SMALLER |= {"count: 2, within": "count: 1, size: 64, within", "count: 2, size: 224": "count: 1, size: 64"}


def write_small_hello(folder: Path) -> None:
    """Put a small `hello` there, which comes before the bundled recipe of this name."""
    text = t2iflow.recipes()["hello"].text
    for large, small in SMALLER.items():
        assert large in text
        text = text.replace(large, small)
    (folder / "hello").write_text(text, encoding="utf-8")
