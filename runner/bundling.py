"""A finished run made into a bundle: what it is called, and what it lacks."""

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from t2iflow.nodes.core import paths
from t2iflow.pipelines.graph.graph import Named
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.runner.exits import UsageError
from t2iflow.runner.folder.bundle import ENDING, left_out, pack
from t2iflow.runner.folder.claim import FolderError
from t2iflow.runner.folder.history import RUNS, has_finished, is_sweep, not_finished
from t2iflow.runner.folder.naming import run_name
from t2iflow.runner.folder.own_recipe import plan_of


@dataclass(frozen=True)
class Bundled:
    """The file of a bundle, and the weights that it lacks, with notes on its recipe."""

    file: Path
    lacks: list[Named]
    notes: tuple[str, ...]


def bundled(run: Path, file: Path | None = None) -> Bundled:
    """Write the bundle of a finished run; UsageError or FolderError where that can't be done."""
    if not has_finished(run):
        raise UsageError(not_finished(run))
    plan = plan_of(run)
    target = file or Path(_name(paths.real(run), plan) + ENDING)
    command = f"t2iflow bundle {shlex.quote(str(run))}"
    if target.suffix.lower() != ENDING:
        raise UsageError(f"a bundle's name ends with {ENDING}: `{command} {shlex.quote(f'{target}{ENDING}')}`")
    try:
        pack(run, plan, target)
    except FileExistsError:
        raise FolderError(f"`{target}` exists; name another file: `{command} FILE`") from None
    except FolderError:
        raise
    except OSError as fault:
        raise FolderError(f"can't write `{target}`: {fault.strerror or fault}") from fault
    return Bundled(target, left_out(plan), tuple(plan.graph.recipe.notes))


def _name(run: Path, plan: Plan) -> str:
    """The run's own name; but a cell's says only what varies in its sweep, so of that the recipe, prompt and seed."""
    of_cell = run.parent.name == RUNS and is_sweep(run.parent.parent)
    return run_name(plan) if of_cell else os.path.basename(run)
