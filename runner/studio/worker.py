"""A process that makes one run after another. Its orders are folders, and whatever else is said of a run."""

import json
from pathlib import Path
from typing import Any

from t2iflow.runner.child.serving import serve
from t2iflow.runner.exits import HUNG_UP, TERMINATED
from t2iflow.runner.signals import Stop


def order(number: int, folder: Path, recipe: str) -> str:
    """The line that lets it begin or resume the run in a folder, of a recipe of this name."""
    return json.dumps({"number": number, "folder": str(folder), "recipe": recipe})


def stopping(number: int) -> str:
    """The line that lets the run of this order stop with its checkpoint."""
    return json.dumps({"stop": number})


def main(device: str) -> None:
    """Make runs; the networks that they share stay here."""
    worker = _Worker(device)
    serve(worker.make, worker.hear)


class _Worker:
    def __init__(self, device: str) -> None:
        self._device = device
        self._stops: dict[int, Stop] = {}

    def hear(self, line: str) -> bool:
        """Let a run stop at once, also one that has not begun yet."""
        number = json.loads(line).get("stop")
        if number is not None:
            self._stop(number).ask()
        return number is not None

    def make(self, line: str) -> tuple[dict[str, Any], bool]:
        """Make a run: an exit code, and words for what went wrong. It is the last if a signal ended it."""
        said = json.loads(line)
        stop = self._stop(said["number"])
        code, message = _made(Path(said["folder"]), said["recipe"], self._device, stop)
        last = code in (HUNG_UP, TERMINATED)
        return {"code": code, "message": message, "last": last}, not last

    def _stop(self, number: int) -> Stop:
        return self._stops.setdefault(number, Stop())


def _made(folder: Path, recipe: str, device: str, stop: Stop) -> tuple[int, str]:
    from t2iflow.nodes.core.shelf import shelf_of_process
    from t2iflow.runner import session
    from t2iflow.runner.folder.own_recipe import plan_of
    from t2iflow.runner.refusals import REFUSALS, code

    try:
        options = session.Options(device, stop=stop, shelf=shelf_of_process())
        outcome = session.resume(plan_of(folder, recipe), folder, options, [])
    except REFUSALS as fault:
        return code(fault), str(fault)
    return outcome.code, outcome.message
