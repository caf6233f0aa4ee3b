"""What a run depends on and somebody has changed since it began, so that it can't be resumed."""

from itertools import zip_longest
from pathlib import Path

from t2iflow.runner.folder import lock
from t2iflow.runner.folder.claim import FolderError
from t2iflow.runner.folder.history import RECIPE


class ChangedError(FolderError):
    """What a run depends on is not what it was when it began."""


def check_inputs(folder: Path) -> None:
    """Raise ChangedError where a file that the run reads is not what it was."""
    for name in lock.changed_inputs(folder):
        raise ChangedError(
            f"`{folder / name}` has changed since the run began; restore the original, or start a new run"
        )


def check_recipe(folder: Path, before: str, now: str) -> None:
    """Raise ChangedError, with the first line that differs and what to do, where the recipe is not what it was."""
    if before == now:
        return
    pairs = enumerate(zip_longest(before.splitlines(), now.splitlines(), fillvalue=""), 1)
    line, old, new = next(((line, old, new) for line, (old, new) in pairs if old != new), (1, "", ""))
    recipe = folder / RECIPE
    raise ChangedError(
        f"`{recipe}` was changed after the run began, and what is painted so far follows the old recipe; line {line}"
        f" was\n    {old.strip()}\nand is\n    {new.strip()}\nChange it back to resume the run, or start a new one:"
        f" `t2iflow run {recipe}`"
    )
