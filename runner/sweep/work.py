"""The work of a sweep: making one cell, in whatever process this is."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch

from t2iflow.nodes.core.run_files import RECIPE, SAVE_EVERY
from t2iflow.nodes.core.shelf import shelf_of_process
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.problems import Problems
from t2iflow.pipelines.text.located import located
from t2iflow.pipelines.text.origin import of_run
from t2iflow.pipelines.text.overrides import ReadOverride
from t2iflow.pipelines.text.recipe import Recipe, read_text, vary
from t2iflow.pipelines.text.yaml_reader import load
from t2iflow.runner import session
from t2iflow.runner.events import Listener
from t2iflow.runner.exits import OK, UsageError
from t2iflow.runner.folder.claim import BusyError, FolderError, NotResumableError
from t2iflow.runner.folder.history import has_finished
from t2iflow.runner.folder.own_recipe import plan_of
from t2iflow.runner.folder.places import RUNS
from t2iflow.runner.refusals import REFUSALS, code
from t2iflow.runner.session import Options, Outcome
from t2iflow.runner.signals import end_this
from t2iflow.runner.sweep.cell import Cell
from t2iflow.runner.sweep.folder import SweepFolder, read
from t2iflow.runner.sweep.holding import held
from t2iflow.runner.sweep.lease import LostError
from t2iflow.runner.sweep.sharing import shared_work
from t2iflow.runner.sweep.storage import stored

BUSY, DIED = -1, -2
"""What stands for an exit code where another process is at the cell, and where the process that was at it is gone."""


@dataclass(frozen=True)
class Made:
    """What came of a cell: an exit code, or BUSY or DIED, and words for what went wrong."""

    cell: str
    code: int
    message: str = ""


def make(
    folder: Path, name: str, device: str, listeners: Sequence[Listener] = (), save_every: float = SAVE_EVERY
) -> Made:
    """Make a cell of the sweep in a folder: from the start, from its checkpoint, or not at all if it is finished. It is
    saved every `save_every` seconds."""
    sweep = read(folder)
    cell = sweep.by_name[name]
    path = sweep.runs / cell.name
    torch.set_num_threads(sweep.threads)
    try:
        options = Options(device, save_every, shelf=shelf_of_process(), shared_work=shared_work(sweep.at, cell))
        with _alone(folder, name):
            if has_finished(path) and os.path.exists(path / RECIPE):  # elsewhere meanwhile, or here and was not kept
                return Made(name, OK)
            is_new = not os.path.exists(path) or (os.path.isdir(path) and not any(path.iterdir()))
            outcome = (_start if is_new else _resume)(sweep, cell, options, listeners)
    except (BusyError, LostError) as fault:
        return Made(name, BUSY, str(fault))
    except REFUSALS as fault:
        if isinstance(fault, NotResumableError) and has_finished(path):  # by another process, since it was looked at
            return Made(name, OK)
        return Made(name, code(fault), str(fault))
    return Made(name, outcome.code, outcome.message)


@contextmanager
def _alone(folder: Path, name: str) -> Iterator[None]:
    """Within it, nobody else works on a run that is kept on a storage, as the claim on its folder sees to for others;
    where another process takes it over, the run here stops."""
    storage = stored(folder)
    if storage is None:
        yield
        return
    with held(storage, f"{RUNS}/{name}", lost=end_this):
        yield


def plan(sweep: SweepFolder, cell: Cell) -> Plan:
    """The plan of a cell, by what the sweep's folder says; RecipeError where that can't be run here."""
    problems = Problems()
    return compile_recipe(recipe(sweep, cell, problems), problems)


def recipe(sweep: SweepFolder, cell: Cell, problems: Problems) -> Recipe:
    """The recipe of a cell, with its mistakes added to the problems."""
    whole = _recipe(sweep)
    given = [ReadOverride(name, located(value, whole.start), whole.start) for name, value in cell.set.items()]
    return vary(whole, given, {}, problems)


@cache
def _recipe(sweep: SweepFolder) -> Recipe:
    """The recipe that the cells change."""
    path = sweep.at / RECIPE
    return read_text(load(path), str(path), replace(of_run(path), address=sweep.address), name=sweep.recipe)


def _start(sweep: SweepFolder, cell: Cell, options: Options, listeners: Sequence[Listener]) -> Outcome:
    path = sweep.runs / cell.name
    try:
        return session.start(plan(sweep, cell), path.parent, options, listeners, path)
    except FolderError as fault:
        if os.path.exists(path / RECIPE):  # another process was quicker
            raise BusyError(str(fault)) from fault
        raise


def _resume(sweep: SweepFolder, cell: Cell, options: Options, listeners: Sequence[Listener]) -> Outcome:
    path = sweep.runs / cell.name
    if not os.path.exists(path / RECIPE):
        raise UsageError(f"`{path}` has no {RECIPE}: delete it, and its cell is run again")
    return session.resume(plan_of(path, sweep.recipe), path, options, listeners)
