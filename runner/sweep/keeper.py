"""Watches a sweep and keeps what people look at: its page while it goes on; at its end the ranking, the sheet and the
tables too."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import torch

from t2iflow.nodes.core.missing import MissingPackageError, MissingWeightsError
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.show.prompts import prompts_of
from t2iflow.runner.execution import faults
from t2iflow.runner.execution.device import choose
from t2iflow.runner.exits import NoDeviceError
from t2iflow.runner.folder.summary import summary
from t2iflow.runner.report.budget import of_pages
from t2iflow.runner.sweep.cell import Cell
from t2iflow.runner.sweep.driver import states
from t2iflow.runner.sweep.events import CellEnded, Event, Going
from t2iflow.runner.sweep.folder import SweepFolder
from t2iflow.runner.sweep.page import SweepData, write_page
from t2iflow.runner.sweep.ranking import Ranking, judge, prompt
from t2iflow.runner.sweep.results import Result, ranked, write_results
from t2iflow.runner.sweep.sheet import Heading, write_sheet
from t2iflow.runner.sweep.table import table
from t2iflow.runner.sweep.thumbnail import picture, thumbnail
from t2iflow.runner.sweep.work import plan


class Keeper:
    """Keeps the page, the sheet and the tables of a sweep."""

    def __init__(self, sweep: SweepFolder) -> None:
        self._sweep = sweep
        self._plan: Plan = plan(sweep, sweep.cells[0])
        prompts = prompts_of(self._plan)
        self._prompts = prompts if not sweep.drawn and prompts == prompts_of(plan(sweep, sweep.cells[-1])) else []
        self._strips = self._plan.strips
        self._table = table(sweep)
        self._states = states(sweep)
        self._messages: dict[str, str] = {}
        self._pictures: dict[str, Path] = {}
        self._small: dict[str, Path] = {}
        self._scores: dict[str, float] = {}
        self._judge = judge(self._plan, sweep.rank)
        self._budget = of_pages()
        for name, state in self._states.items():
            if state == "finished":
                self._take(name)

    def __call__(self, event: Event) -> None:
        """Take note; write the page when it is time to. A disk that takes no more is no reason to end."""
        if isinstance(event, CellEnded):
            self._states[event.cell] = event.state
            self._messages[event.cell] = event.message if event.state == "failed" else ""
            if event.state == "finished":
                self._take(event.cell)
        elif isinstance(event, Going):
            self._states |= dict.fromkeys(event.running, "running")
            if self._budget.allows():
                with self._budget.spending(), contextlib.suppress(OSError):
                    self._write(self._results(), event.left, goes_on=True)

    @property
    def best(self) -> tuple[str, Path | None]:
        """The cell whose picture fits its prompt best, and that picture; nothing where they are not ranked."""
        best = next(iter(ranked(self._scores)), "")
        return best, self._pictures.get(best)

    def end(self, stopping: Callable[[], bool]) -> str:
        """Rank, and write everything; gives why there is no ranking, if it failed. OSError where there is no room."""
        why = self._rank(stopping)
        ranks = ranked(self._scores)
        self._table = table(self._sweep, ranks)
        results = self._results()
        write_results(self._sweep, results)
        heading = Heading(self._title, self._judge.name)
        write_sheet(self._sweep.at, self._table, self._small, self._states, heading, ranks)
        self._write(results, None, goes_on=False)
        return why

    @property
    def _title(self) -> str:
        """What all cells were asked for: their prompts, or else the recipe."""
        return "; ".join(one.text for one in self._prompts) or self._plan.graph.recipe.title

    def _take(self, name: str) -> None:
        """Look for the picture of a finished cell."""
        with contextlib.suppress(Exception):  # what nodes wrote may be anything, also too large
            if found := picture(self._sweep.runs / name, self._strips):
                self._small[name] = thumbnail(self._sweep.at, name, found)
                self._pictures[name] = found

    def _rank(self, stopping: Callable[[], bool]) -> str:
        if len(self._pictures) < 2:
            return ""
        if not prompt(self._plan):
            return "the pictures are not ranked, since the recipe has no prompt"
        try:
            ranking = Ranking(self._sweep.at, self._judge, self._device())
            ranking.rank(self._pictures, self._prompt, stopping)
        except Exception as fault:  # weights, packages or memory may be missing: nothing worth a traceback
            missing = isinstance(fault, MissingPackageError | MissingWeightsError)
            return f"the pictures are not ranked: {fault if missing else faults.explain(fault)}"
        self._scores = {name: score for name, score in ranking.scores.items() if name in self._pictures}
        return ""

    def _device(self) -> torch.device:
        """The sweep's device, or the CPU, where that is unavailable."""
        with contextlib.suppress(NoDeviceError):
            return choose(self._sweep.device)[0]
        return torch.device("cpu")

    def _prompt(self, name: str) -> dict[str, float]:
        return prompt(plan(self._sweep, self._sweep.by_name[name]))

    def _results(self) -> list[Result]:
        places = ranked(self._scores)
        return [self._result(cell, places.get(cell.name)) for cell in self._sweep.cells]

    def _result(self, cell: Cell, rank: int | None) -> Result:
        name, state = cell.name, self._states[cell.name]
        known = summary(self._sweep.runs / name) if state in ("finished", "failed") else None
        message = self._messages.get(name) or (known.message if known and state == "failed" else "")
        seconds = known.seconds if known else None
        return Result(cell, state, message, seconds, self._pictures.get(name), self._scores.get(name), rank)

    def _write(self, results: list[Result], left: float | None, goes_on: bool) -> None:
        recipe, ranks = self._plan.graph.recipe, self._judge.name if self._scores else ""
        data = SweepData(self._sweep, recipe, self._prompts, self._table, results, self._small, ranks, goes_on, left)
        write_page(data)
