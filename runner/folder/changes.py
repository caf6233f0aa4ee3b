"""What a run depends on and somebody has changed since it began, so that it can't be resumed; or can, where a changed
recipe has the same past."""

from itertools import zip_longest
from pathlib import Path
from shlex import quote

from t2iflow.nodes.core.run_files import RECIPE
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.problems import RecipeError
from t2iflow.pipelines.show.difference import differences
from t2iflow.pipelines.steering.past import altered
from t2iflow.runner.execution.checkpoint import Checkpoint
from t2iflow.runner.execution.standing import standing
from t2iflow.runner.folder import lock
from t2iflow.runner.folder.claim import FolderError
from t2iflow.runner.folder.own_recipe import compiler


class ChangedError(FolderError):
    """What a run depends on is not what it was when it began."""


def check_inputs(folder: Path) -> None:
    """Raise ChangedError where a file that the run reads is not what it was."""
    for name in lock.changed_inputs(folder):
        raise ChangedError(
            f"`{folder / name}` has changed since the run began; restore the original, or start a new run"
        )


def check_recipe(folder: Path, saved: Checkpoint, now: str, plan: Plan) -> str | None:
    """Raise ChangedError, with the first line that differs and what to do, where what is painted so far doesn't follow
    from the recipe as it is now, of which `plan` is the plan. Gives what was changed, if anything."""
    if saved.recipe == now:
        return None
    try:
        before = compiler(folder)(saved.recipe, ())
        where = standing(before, saved)
        why = altered(before, plan, where)
    except RecipeError:
        raise ChangedError(_changed(folder, saved.recipe, now, "the old one can't be read any more")) from None
    if why:
        raise ChangedError(_changed(folder, saved.recipe, now, why))
    names = ", ".join(f"`{one.name}`" for one in differences(before.graph, plan.graph))
    return f"steered at {where}: {names}" if names else None


def _changed(folder: Path, before: str, now: str, why: str) -> str:
    pairs = enumerate(zip_longest(before.splitlines(), now.splitlines(), fillvalue=""), 1)
    line, old, new = next(((line, old, new) for line, (old, new) in pairs if old != new), (1, "", ""))
    recipe = folder / RECIPE
    return (
        f"`{recipe}` was changed after the run began, and what is painted so far follows the old recipe ({why}); line"
        f" {line} was\n    {old.strip()}\nand is\n    {new.strip()}\nChange it back to resume the run, or start a new"
        f" one: `t2iflow run {quote(str(recipe))}`"
    )
