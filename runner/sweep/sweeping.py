"""A sweep from its recipe to its folder, and from its folder to its pictures."""

import os
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.texts import counted
from t2iflow.pipelines.problems import Problems
from t2iflow.pipelines.text.sweep import Sweep
from t2iflow.runner.audience import hand_on
from t2iflow.runner.exits import FAILED, INTERRUPTED, OK, NoDeviceError, UsageError
from t2iflow.runner.folder.folder import clear, new_path
from t2iflow.runner.folder.naming import recipe_name
from t2iflow.runner.folder.places import SWEEP, is_sweep, local, resume_command
from t2iflow.runner.opening import in_folder
from t2iflow.runner.preview.preview import Preview, preview
from t2iflow.runner.signals import Stop
from t2iflow.runner.sweep import folder, grid, kept
from t2iflow.runner.sweep.cluster import Cluster
from t2iflow.runner.sweep.driver import Crew, drive
from t2iflow.runner.sweep.events import Ended, Event, Watcher
from t2iflow.runner.sweep.folder import SweepFolder
from t2iflow.runner.sweep.forecast import forecast
from t2iflow.runner.sweep.grid import Grid
from t2iflow.runner.sweep.joining import address, knock
from t2iflow.runner.sweep.keeper import Keeper
from t2iflow.runner.sweep.page import PAGE
from t2iflow.runner.sweep.processes import Processes
from t2iflow.runner.sweep.sharing import tidy
from t2iflow.runner.sweep.slot import How, cores, slots, threads
from t2iflow.runner.sweep.storage import Storage, StorageError, is_address
from t2iflow.runner.sweep.varied import Varied


@dataclass(frozen=True)
class Ending:
    """How a sweep ended: an exit code, words for what is left to do or went wrong, and the address at which all is
    kept, if it is."""

    code: int
    message: str = ""
    kept: str = ""


def begin(varied: Varied, out: str | Path, how: How) -> SweepFolder:
    """Compile all cells of a sweep and make its folder in `out`, a folder or a storage's address; RecipeError with all
    mistakes, NoDeviceError where the device or the cluster is unavailable."""
    cells = grid.compiled(varied.recipe, varied.sweep, varied.problems)
    if how.on:
        knock(address(how.on))
    many = len(slots(replace(how, device="cpu") if how.on else how)[: len(cells.cells)])
    name = new_path(Path(), recipe_name(varied.recipe.name))
    storage = Storage(f"{out}/{name}") if is_address(str(out)) else None
    path = storage.folder if storage else local(out) / name
    made = folder.create(path, varied.recipe, cells, varied.sweep, how.device, threads(many))
    if storage:
        try:
            kept.begin(storage)
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            raise
    return made


def opened(place: str) -> SweepFolder | None:
    """The sweep that has begun in a folder or is kept at an address, or None for what is no folder.

    FolderError if it is damaged, UsageError for another folder.
    """
    if is_address(place):
        return kept.opened(place)
    path = paths.given(place)
    if is_sweep(path):
        return folder.read(path)
    if os.path.isdir(path):  # which answers for impossible names too
        what = f"`{place}` is neither a recipe nor the folder of a sweep, which has a {SWEEP}"
        raise UsageError("; ".join([what, *in_folder(path)]))
    return None


def plan(varied: Varied, how: How) -> Preview:
    """What a sweep would do: its first cell, what all cells share, and what they cost; RecipeError and NoDeviceError as
    for one that begins."""
    cells = grid.compiled(varied.recipe, varied.sweep, varied.problems)
    return preview(cells.plan, how.device).also("sweep", _forecast(cells, varied.sweep, how))


def with_own(made: Preview, device: str) -> Preview:
    """What a run of a recipe would do, and of the recipe's own sweep, if it has one, what is shared and what it
    costs."""
    recipe = made.plan.graph.recipe
    if not recipe.sweep.axes:
        return made
    cells = grid.compiled(recipe, recipe.sweep, Problems())
    return made.also("sweep", _forecast(cells, recipe.sweep, How(device)))


def _forecast(cells: Grid, sweep: Sweep, how: How) -> list[str]:
    many = len(slots(how)[: len(cells.cells)])
    return forecast(cells, [len(axis.rows) for axis in sweep.axes], how.device, many, threads(many))


def crew(sweep: SweepFolder, how: How) -> AbstractContextManager[Crew]:
    """Those who make a sweep's cells: processes of this machine, or tasks on a cluster; NoDeviceError where the device
    or the cluster is unavailable. The device `auto` is that of the sweep."""
    how = replace(how, device=sweep.device) if how.device == "auto" else how
    if how.on:
        return Cluster(sweep, how)
    places = slots(how)
    if how.jobs is None and places[0].device == "cpu":  # as many as the cores have room for, with the sweep's threads
        places = places[: max(1, cores() // sweep.threads)]
    return Processes(sweep.at, places[: len(sweep.cells)], how.save_every)


def run(
    sweep: SweepFolder,
    crew: AbstractContextManager[Crew],
    watchers: Sequence[Watcher] = (),
    retry: bool = False,
    stop: Stop | None = None,
) -> Ending:
    """Make all cells that have not finished, with a crew, and keep what people look at. A signal stops all with their
    checkpoints, and so does whoever sets that of `stop`; a watcher that fails hears no more."""
    stop = stop or Stop()
    keeper, listeners = Keeper(sweep), list(watchers)

    def watch(event: Event) -> None:
        keeper(event)
        hand_on(event, listeners)

    began = time.monotonic()
    with stop.listening():
        try:
            with crew as makers:
                counts = Counter(drive(sweep, makers, stop.asked, watch, retry).values())
            unranked = keeper.end(stop.asked)
        except KeyboardInterrupt:  # a second signal
            return Ending(INTERRUPTED, _resumable(sweep, "interrupted"))
        except NoDeviceError as fault:
            raise NoDeviceError(_resumable(sweep, fault)) from fault
        except OSError as fault:
            return Ending(FAILED, f"can't write in `{sweep.at}`: {fault.strerror or fault}")
    total, finished, failed = len(sweep.cells), counts["finished"], counts["failed"]
    watch(Ended(total, finished, failed, time.monotonic() - began, sweep.at / PAGE, *keeper.best))
    if finished == total:
        tidy(sweep.at)
        clear(sweep.runs, 0)  # nobody starts here any more
    try:
        place = kept.bring(sweep)
    except StorageError as fault:
        return Ending(FAILED, _resumable(sweep, fault))
    if stop.asked():
        return Ending(128 + stop.signal, _resumable(sweep, "interrupted"), place)
    if failed:
        again = f"{resume_command(sweep.place)} --retry failed"
        cells = counted(total, "cell")
        return Ending(FAILED, f"{failed} of {cells} failed; to try them again:\n  {again}", place)
    return Ending(OK if finished == total else FAILED, unranked, place)


def _resumable(sweep: SweepFolder, why: object) -> str:
    return f"{why}; to resume:\n  {resume_command(sweep.place)}"
