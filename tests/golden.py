"""Golden texts: compared with what is stored, or written anew with T2IFLOW_GOLDEN=write (then read the difference)."""

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def check(name: str, text: str) -> None:
    """Compare a text with the stored one."""
    path = FOLDER / name
    if os.environ.get("T2IFLOW_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"no golden text {path.name}; write it with T2IFLOW_GOLDEN=write"
    assert text == path.read_text(encoding="utf-8")
