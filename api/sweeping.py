"""Many runs: a recipe with every combination of other values."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2iflow.arguments import shown
from t2iflow.asking import RecipeLike, at_least, plain, request
from t2iflow.faults import mistaken, refusing
from t2iflow.nodes.core.run_files import SAVE_EVERY
from t2iflow.nodes.core.texts import counted
from t2iflow.prepared import prepared
from t2iflow.running import Run
from t2iflow.task import Task, given

if TYPE_CHECKING:
    import PIL.Image

    from t2iflow.runner.signals import Stop
    from t2iflow.runner.sweep.driver import Crew
    from t2iflow.runner.sweep.events import State, Watcher
    from t2iflow.runner.sweep.folder import SweepFolder
    from t2iflow.runner.sweep.sweeping import Ending


@dataclass(frozen=True)
class Cell:
    """One run of a sweep: what varies in it, how far it is, and how well its picture fits its prompt: its `score`, and
    its `rank` among all, from 1, once they are ranked."""

    name: str
    values: Mapping[str, Any]
    state: State
    run: Run
    score: float | None = None
    rank: int | None = None


class Sweep(Task):
    """Many runs: their pictures side by side, the best of them, and how far all are.

    `sweep` makes one. `Sweep(folder)` looks at any sweep's folder, even one in which other processes work.
    """

    @property
    def cells(self) -> list[Cell]:
        """All runs, in the order of the grid, in which the last axis varies quickest."""
        from t2iflow.runner.sweep.driver import state

        scores = self._scores()
        sweep = self._read()
        return [
            Cell(
                cell.name, cell.set, state(sweep, cell.name), Run.at(sweep.runs / cell.name), *scores.get(cell.name, ())
            )
            for cell in sweep.cells
        ]

    @property
    def best(self) -> Run | None:
        """The run whose picture ranks first; None until they are ranked."""
        return next((cell.run for cell in self.cells if cell.rank == 1), None)

    @property
    def sheet(self) -> PIL.Image.Image | None:
        """All pictures side by side, labelled; None until it is made."""
        from t2iflow.nodes.pictures.opening import loaded
        from t2iflow.runner.folder.places import SHEET

        file = self.folder / SHEET
        return loaded(file) if os.path.isfile(file) else None

    @property
    def message(self) -> str:
        """What went wrong, or how to resume, as far as this process knows; empty while all is well."""
        from t2iflow.runner.folder.places import resume_command

        if not self._job or self._job.active:
            return ""
        if self._job.fault:
            return str(self._job.fault)
        place = self._read().place
        command, call = resume_command(place), f"t2iflow.sweep({place!r}"
        message = self._job.result.message if self._job.result else f"stopped before it began; to go on:\n  {command}"
        return message.replace(f"{command} --retry failed", f"{call}, retry=True)").replace(command, f"{call})")

    def resume(self, **how: Any) -> Sweep:
        """Resume it; takes what `t2iflow.sweep` takes for a folder."""
        return sweep(self._read().place, **how)

    def _read(self) -> SweepFolder:
        from t2iflow.runner.sweep.folder import read

        with refusing():
            return read(self.folder)

    def _scores(self) -> dict[str, tuple[float | None, int | None]]:
        """The score and the rank of each cell that has any."""
        from t2iflow.nodes.core import json_file
        from t2iflow.runner.folder.places import RESULTS

        try:
            rows = json_file.read(self.folder / RESULTS)["cells"]
            return {row["cell"]: (row["score"], row["rank"]) for row in rows}
        except (KeyError, TypeError):  # there is none yet, or somebody's edit
            return {}

    def _view(self, show: bool | None, wait: bool) -> AbstractContextManager[Watcher]:
        """What shows how it goes on, as with a run."""
        from t2iflow.notebook import LiveSweep, shell
        from t2iflow.runner.console import err
        from t2iflow.runner.sweep.progress import shown

        if show is not False and shell():
            live = LiveSweep(self)
            self._output = live.output
            return nullcontext(live)
        return shown(err()) if show or (show is None and wait) else nullcontext(lambda event: None)

    def _check_folder(self) -> None:
        self._read()

    def _card(self) -> str:
        from t2iflow.card import sweep_card

        return sweep_card(self)

    def __repr__(self) -> str:
        states = [cell.state for cell in self.cells]
        counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        return f"<Sweep of {counted(len(states), 'run')}, {counts}: {self.folder}>"


@prepared
def sweep(
    recipe: RecipeLike,
    *,
    each: Mapping[str, Iterable[Any]] | None = None,
    together: Mapping[str, Iterable[Any]] | None = None,
    best: int | None = None,
    rank: str | None = None,
    preset: str | Sequence[str] = (),
    set: Mapping[str, Any] | None = None,
    seed: int | str | None = None,
    out: str | os.PathLike[str] = "sweeps",
    device: str = "auto",
    jobs: int | None = None,
    per_gpu: int = 1,
    checkpoint: float = SAVE_EVERY,
    on: str = "",
    retry: bool = False,
    wait: bool = True,
    show: bool | None = None,
    **params: Any,
) -> Sweep:
    """Run a recipe with every combination of other values, several at once; or, given a sweep's folder, resume it.

    `each` has lists of values by the names of params and settings, such as `{"prompt": ["a fox", "a castle"], "seed":
    range(4)}`; the values in `together` vary in step; `best=4` runs four seeds. The pictures are ranked by how well
    they fit their prompts, judged by `rank` or the recipe's perceptor. `jobs`: how many run at once; `per_gpu`: how
    many on each GPU; `on`: a cluster, `ray` or `ray=HOST:PORT`; `retry` tries again what failed. All else is as with
    `run`: RecipeError lists the mistakes of all runs before any starts.
    """
    from t2iflow.runner.exits import UsageError
    from t2iflow.runner.sweep import sweeping
    from t2iflow.runner.sweep.joining import check
    from t2iflow.runner.sweep.slot import How
    from t2iflow.runner.sweep.storage import is_address
    from t2iflow.runner.sweep.varied import varied

    how = How(device, jobs, per_gpu, on, checkpoint)
    with refusing():
        at_least(1, best=best, jobs=jobs, per_gpu=per_gpu)
        at_least(0, checkpoint=checkpoint)
        if on:
            check(on)
        begun = _begun(recipe)
        new = each or together or best or rank or preset or set or params or seed is not None
        if begun and (new or os.fspath(out) != "sweeps"):
            raise UsageError(f"the sweep in `{recipe}` has begun, so nothing in it can be changed; start another")
        if begun is None and retry:
            raise UsageError("`retry` is for the folder of a sweep: name that in place of the recipe")
        if begun is None:
            asked = request(recipe, preset, set, seed, params)
            made_in = out if is_address(os.fspath(out)) else given(out).absolute()
            begun = sweeping.begin(varied(asked, values(each), values(together), rank, best), os.fspath(made_in), how)
        crew = sweeping.crew(begun, how)
    made = Sweep.at(begun.at)
    view = made._view(show, wait)
    return made._start(lambda stop: _run(begun, crew, view, retry, stop), wait)


def _begun(recipe: RecipeLike) -> SweepFolder | None:
    """The sweep whose folder is named, if one is."""
    from t2iflow.runner.sweep.sweeping import opened

    if not isinstance(recipe, str | os.PathLike) or "\n" in os.fspath(recipe):
        return None
    return opened(_place(recipe))


def _place(where: str | os.PathLike[str]) -> str:
    """A folder that a user gave, from the root on, or a storage's address."""
    from t2iflow.nodes.core import paths
    from t2iflow.runner.sweep.storage import is_address

    text = os.fspath(where)
    return text if is_address(text) else str(paths.given(text).absolute())


def values(axes: Mapping[str, Iterable[Any]] | None) -> dict[str, list[Any]]:
    """The values of each name, as YAML can have them."""
    for name, values in (axes or {}).items():
        if not isinstance(name, str):
            raise mistaken(f"name what varies with a text, such as `seed` or `fit.rate`, not {shown(name)}")
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise mistaken(f"`{name}` needs a list of values{_hint(values)}, not {shown(values)}")
    return {name: [plain(name, value) for value in values] for name, values in (axes or {}).items()}


def _hint(value: Any) -> str:
    """What a list may look like, where the command line's way of writing one was given."""
    if isinstance(value, str) and (found := re.fullmatch(r"\s*(\d{1,9})\.\.(\d{1,9})\s*", value)):
        first, end = int(found[1]), int(found[2]) + 1
        return f", such as `range({end})`" if first == 0 else f", such as `range({first}, {end})`"
    if isinstance(value, str) and value.startswith("@"):
        return f", such as `pathlib.Path({value[1:]!r}).read_text().splitlines()`"
    return f", such as `[{shown(value)}]`"


def _run(
    begun: SweepFolder,
    crew: AbstractContextManager[Crew],
    view: AbstractContextManager[Watcher],
    retry: bool,
    stop: Stop,
) -> Ending:
    from t2iflow.runner.sweep import sweeping

    with view as watcher:
        return sweeping.run(begun, crew, [watcher], retry, stop)
