"""A process that makes one cell after another, whose names are its orders; it ends after a run that was interrupted."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from t2iflow.runner.child.serving import serve


def main(folder: str, device: str, save_every: str) -> None:
    """Make cells of the sweep in a folder, saving them as often as this; all that they share stays here."""

    def act(name: str) -> tuple[dict[str, Any], bool]:
        from t2iflow.runner.exits import HUNG_UP
        from t2iflow.runner.sweep.work import make

        made = make(Path(folder), name, device, save_every=float(save_every))
        return asdict(made), made.code < HUNG_UP

    serve(act)
