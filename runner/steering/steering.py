"""A run that was stopped, steered: the change is written into its recipe where its checkpoint stands."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from t2iflow.nodes.core.run_files import RECIPE
from t2iflow.nodes.core.whole import write
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.steering import steering as recipes
from t2iflow.pipelines.steering.editing import UnwrittenError
from t2iflow.pipelines.steering.standing import Standing, standing_at
from t2iflow.pipelines.steering.steering import Steerable, SteeringError
from t2iflow.pipelines.text.overrides import ValueOverride
from t2iflow.runner.execution import checkpoint
from t2iflow.runner.execution.checkpoint import Checkpoint, DamagedError, UnfitError
from t2iflow.runner.execution.standing import standing
from t2iflow.runner.exits import UsageError
from t2iflow.runner.folder import folder as run_folder
from t2iflow.runner.folder.changes import check_recipe
from t2iflow.runner.folder.claim import FolderError, claim
from t2iflow.runner.folder.own_recipe import compiler, text_of


def check(folder: Path, changes: Sequence[str | ValueOverride]) -> None:
    """Raise what `steer` would, of a run that may go on now, and write nothing."""
    text, compiled, saved = text_of(folder), compiler(folder), last(folder)
    with refusing():
        recipes.steered(text, changes, stands(folder, compiled(text, ()), saved) if saved else Standing(), compiled)


def steer(folder: Path, changes: Sequence[str | ValueOverride]) -> None:
    """Write changes into the recipe of a run that does not go on now, as keyframes where its checkpoint stands.

    A change is `param=value`, `node.setting=value` or `node.port.term=value`. The recipe is written whole or not at
    all: after a kill, the run resumes with the old one or the new one. RecipeError for mistakes in a value, UsageError
    for what can't be steered (with what can), FolderError where no run in the folder can be resumed.
    """
    run_folder.check_resumable(folder)
    with claim(folder):
        run_folder.check_unfinished(folder)
        text, compiled, where = text_of(folder), compiler(folder), Standing()
        if saved := last(folder):
            plan = compiled(text, ())
            check_recipe(folder, saved, text, plan)
            where = stands(folder, plan, saved)
        with refusing():
            new = recipes.steered(text, changes, where, compiled)
        try:
            write(folder / RECIPE, new, lasting=True)
        except OSError as fault:
            raise FolderError(f"can't write `{folder / RECIPE}`: {fault.strerror}") from fault


def steerable(folder: Path) -> list[Steerable]:
    """All that can be steered of a run, and what it is where its last checkpoint stands; some hundredths of a second
    for each. Where there is no checkpoint, what can be once an optimiser is at work."""
    text, compiled, saved = text_of(folder), compiler(folder), last(folder)
    plan = compiled(text, ())
    places = [stands(folder, plan, saved)] if saved else [standing_at(region, 1) for region in plan.regions]
    found = {one.name: one for where in reversed(places) for one in recipes.steerable(text, where, compiled)}
    return list(found.values())


def last(folder: Path) -> Checkpoint | None:
    """The last checkpoint that is whole; None where there is none."""
    return next((saved for _, saved in checkpoints(folder)), None)


def checkpoints(folder: Path) -> Iterator[tuple[Path, Checkpoint]]:
    """The checkpoints that are whole, the last first; FolderError for one of another version."""
    for path, read in checkpoint.kept(folder):
        try:
            yield path, read()
        except DamagedError:
            continue
        except UnfitError as fault:
            raise _unfit(folder, fault) from fault


def stands(folder: Path, plan: Plan, saved: Checkpoint) -> Standing:
    """Where the checkpoint of a run stands in the plan of its recipe; FolderError where that no longer has such an
    optimiser."""
    try:
        return standing(plan, saved)
    except UnfitError as fault:
        raise _unfit(folder, fault) from fault


def _unfit(folder: Path, fault: UnfitError) -> FolderError:
    return FolderError(f"`{folder}` can't be resumed: {fault}")


@contextmanager
def refusing() -> Iterator[None]:
    """Refuse what can't be steered."""
    try:
        yield
    except UnwrittenError as fault:
        raise UsageError(f"the recipe can't be edited: {fault.args[0]}") from None
    except SteeringError as fault:
        raise UsageError(str(fault)) from None
