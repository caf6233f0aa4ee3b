"""Golden texts: compared with what is stored, or written anew by `make golden` (then read the difference)."""

import difflib
import os
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "golden"
REMEDY = "if it is meant to be so, write it with `make golden`"


def check(name: str, text: str) -> None:
    """Compare a text with the stored one."""
    path = FOLDER / name
    if os.environ.get("T2IFLOW_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    stored = path.read_text(encoding="utf-8") if path.exists() else ""
    if text != stored:
        lines = difflib.unified_diff(stored.splitlines(), text.splitlines(), f"tests/golden/{name}", "now", lineterm="")
        pytest.fail("\n".join([REMEDY, *lines]), pytrace=False)
