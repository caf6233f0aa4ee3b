"""A sweep from its recipe to its folder, and from its folder to its pictures."""

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from t2iflow.nodes.core.missing import MissingPackageError
from t2iflow.nodes.perceptors.clip.sources import check_published
from t2iflow.pipelines.problems import Problems
from t2iflow.pipelines.text.located import Located
from t2iflow.pipelines.text.recipe import Recipe
from t2iflow.pipelines.text.sweep import Sweep
from t2iflow.runner.exits import FAILED, INTERRUPTED, OK
from t2iflow.runner.folder.folder import named
from t2iflow.runner.folder.naming import recipe_name
from t2iflow.runner.preview.preview import Preview, preview
from t2iflow.runner.session import SAVE_EVERY
from t2iflow.runner.signals import Stop
from t2iflow.runner.sweep import folder, grid
from t2iflow.runner.sweep.driver import Crew, drive
from t2iflow.runner.sweep.events import Ended, Event, Watcher
from t2iflow.runner.sweep.folder import SweepFolder, going_on
from t2iflow.runner.sweep.forecast import forecast
from t2iflow.runner.sweep.grid import Grid
from t2iflow.runner.sweep.keeper import Keeper
from t2iflow.runner.sweep.page import NAME as PAGE
from t2iflow.runner.sweep.pool import Pool
from t2iflow.runner.sweep.sharing import tidy
from t2iflow.runner.sweep.slot import cores, slots, threads


@dataclass(frozen=True)
class Ending:
    """How a sweep ended: an exit code, and words for what is left to do or went wrong."""

    code: int
    message: str = ""


def begin(
    recipe: Recipe,
    sweep: Sweep,
    problems: Problems,
    parent: Path,
    device: str,
    jobs: int | None = None,
    per_gpu: int = 1,
) -> SweepFolder:
    """Compile all cells of a sweep and make its folder under `parent`; RecipeError with all their mistakes, and with
    these `problems`, which were found before."""
    cells = _compiled(recipe, sweep, problems)
    many = len(slots(device, jobs, per_gpu)[: len(cells.cells)])
    return folder.create(named(parent, recipe_name(recipe.name)), recipe.name, cells, sweep, device, threads(many))


def plan(
    recipe: Recipe, sweep: Sweep, problems: Problems, device: str, jobs: int | None = None, per_gpu: int = 1
) -> Preview:
    """What a sweep would do: its first cell, what all cells share, and what they cost; RecipeError and NoDeviceError as
    for one that begins."""
    cells = _compiled(recipe, sweep, problems)
    return preview(cells.plan, device).also("sweep", _forecast(cells, sweep, device, jobs, per_gpu))


def with_own(made: Preview, device: str) -> Preview:
    """What a run of a recipe would do, and of the recipe's own sweep, if it has one, what is shared and what it
    costs."""
    recipe = made.plan.graph.recipe
    if not recipe.sweep.axes:
        return made
    cells = _compiled(recipe, recipe.sweep, Problems())
    return made.also("sweep", _forecast(cells, recipe.sweep, device, None, 1))


def _forecast(cells: Grid, sweep: Sweep, device: str, jobs: int | None, per_gpu: int) -> list[str]:
    many = len(slots(device, jobs, per_gpu)[: len(cells.cells)])
    return forecast(cells, [len(axis.rows) for axis in sweep.axes], device, many, threads(many))


def pool(
    sweep: SweepFolder, device: str, jobs: int | None = None, per_gpu: int = 1, save_every: float = SAVE_EVERY
) -> Pool:
    """The processes of this machine for a sweep; NoDeviceError where the device is unavailable."""
    places = slots(device, jobs, per_gpu)
    if jobs is None and places[0].device == "cpu":  # as many as the cores have room for, each with the sweep's threads
        places = places[: max(1, cores() // sweep.threads)]
    return Pool(sweep.at, places[: len(sweep.cells)], save_every)


def run(
    sweep: SweepFolder,
    crew: AbstractContextManager[Crew],
    watchers: Sequence[Watcher] = (),
    retry: bool = False,
    stop: Stop | None = None,
) -> Ending:
    """Make all cells that have not finished, with a crew, and keep what people look at. A signal stops all with their
    checkpoints, and so does whoever sets that of `stop`."""
    stop = stop or Stop()
    keeper = Keeper(sweep)
    everybody: list[Watcher] = [keeper, *watchers]

    def watch(event: Event) -> None:
        for watcher in everybody:
            watcher(event)

    def stopping() -> bool:
        return stop.signal > 0

    began = time.monotonic()
    with stop.listening():
        try:
            with crew as makers:
                counts = Counter(drive(sweep, makers, stopping, watch, retry).values())
            unranked = keeper.end(stopping)
        except KeyboardInterrupt:  # a second signal
            return Ending(INTERRUPTED, _resuming(sweep))
        except OSError as fault:
            return Ending(FAILED, f"can't write in `{sweep.at}`: {fault.strerror or fault}")
    total, finished, failed = len(sweep.cells), counts["finished"], counts["failed"]
    watch(Ended(total, finished, failed, time.monotonic() - began, sweep.at / PAGE, *keeper.best))
    if finished == total:
        tidy(sweep.at)
    if stopping():
        return Ending(128 + stop.signal, _resuming(sweep))
    if failed:
        again = f"{going_on(sweep.at)} --retry failed"
        return Ending(FAILED, f"{failed} of {total} cells failed; to try them again:\n  {again}")
    return Ending(OK if finished == total else FAILED, unranked)


def _resuming(sweep: SweepFolder) -> str:
    return f"interrupted; to resume:\n  {going_on(sweep.at)}"


def _compiled(recipe: Recipe, sweep: Sweep, problems: Problems) -> Grid:
    if sweep.rank is not None:
        _check_perceptor(sweep.rank, problems)
    return grid.compiled(recipe, sweep, problems)


def _check_perceptor(rank: Located, problems: Problems) -> None:
    """Report a perceptor that there isn't."""
    try:
        if rank.value != "lite":
            check_published(str(rank.value), None)
    except (ValueError, MissingPackageError) as fault:
        problems.add("T2I204", f"`rank`: {fault}", rank.place)
