"""An output of a notebook that is kept up to date while something runs, at most twice a second."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from t2iflow.card import LIVE, Chart, html, picture
from t2iflow.nodes.core.run_files import LOSSES
from t2iflow.nodes.core.texts import counted
from t2iflow.nodes.core.types import Image
from t2iflow.nodes.pictures import codec
from t2iflow.nodes.pictures.opening import loaded
from t2iflow.runner.events import Ended, Event, Filmed, Fitted, Fitting, Noted, Stepped
from t2iflow.runner.report.budget import Budget
from t2iflow.runner.report.losses import Losses
from t2iflow.runner.report.snapshots import small
from t2iflow.runner.report.table import TOTAL
from t2iflow.runner.sweep.events import Event as SweepEvent
from t2iflow.runner.sweep.events import Going
from t2iflow.runner.sweep.thumbnail import so_far
from t2iflow.runner.timing.duration import duration
from t2iflow.runner.timing.pace import Pace

if TYPE_CHECKING:
    from t2iflow.running import Run
    from t2iflow.sweeping import Sweep

EVERY, SHARE = 0.5, 0.05
"""Seconds between two updates, at least, and how much of the time they may take."""
MOST, SMALL = 12, 160
"""How many pictures of a running sweep are shown, and pixels of their longer side."""
LINES = 5
"""How many of the latest notes are shown."""


def shell() -> Any:
    """IPython's shell, if this is a notebook's."""
    ipython = sys.modules.get("IPython")
    found = ipython.get_ipython() if ipython else None
    return found if hasattr(found, "kernel") else None


class Output:
    """An output of the cell that is run when it is made."""

    def __init__(self, owner: object, page: str) -> None:
        """`owner` prints as what is shown where there is no HTML."""
        from IPython.display import display

        self._owner = owner
        self._id = uuid.uuid4().hex
        self._cell = shell().execution_count
        self._budget = Budget(EVERY, SHARE)
        display(self._bundle(page), raw=True, display_id=self._id)

    @property
    def is_in_this_cell(self) -> bool:
        """Whether it is an output of the cell that is run now."""
        here = shell()
        return here is not None and here.execution_count == self._cell

    def update(self, page: Callable[[], str]) -> None:
        """Show a page in its place, if it is time to."""
        if self._budget.allows():
            with self._budget.spending():
                self.replace(page())

    def replace(self, page: str) -> None:
        """Show a page in its place."""
        from IPython.display import update_display

        update_display(self._bundle(page), raw=True, display_id=self._id)

    def _bundle(self, page: str) -> dict[str, str]:
        return {"text/html": page, "text/plain": repr(self._owner)}


class Live:
    """Listens to a run and shows it. What is on the device is read only when it is shown."""

    def __init__(self, run: Run, title: str, notes: Sequence[str]) -> None:
        self._title = title
        self._pace = Pace()
        self._losses = Losses(run.folder / LOSSES)
        self._fitting: Fitting | None = None
        self._image: Tensor | None = None
        self._notes = dict.fromkeys(notes)
        self.output = Output(run, self._page())

    def __call__(self, event: Event) -> None:
        """Take note, and show what is new when it is time to."""
        self._pace(event)
        match event:
            case Fitting():
                self._fitting = event
                self._losses.begin(event)
            case Stepped():
                self._image = event.image
                self._losses.add(event)
            case Filmed() | Fitted():
                self._image = event.image
            case Noted():
                self._notes[f"{'warning: ' * (event.level == 'warn')}{event.node}: {event.text}"] = None
        if not isinstance(event, Ended):
            self.output.update(self._page)

    def _page(self) -> str:
        figures = [] if self._image is None else [picture(codec.frame(Image(small(self._image, LIVE))), LIVE)]
        words = [self._title, str(self._pace), *list(self._notes)[-LINES:]]
        return html(words, figures, self._chart(), self._pace.part)

    def _chart(self) -> Chart | None:
        self._losses.read()
        fitting = self._fitting
        curves = self._losses.curves().get(fitting.node) if fitting else None
        return Chart(fitting.node, curves[TOTAL], fitting.steps) if fitting and curves else None


class LiveSweep:
    """Listens to a sweep and shows how far it is, with its pictures as they come."""

    def __init__(self, sweep: Sweep) -> None:
        self._title = f"{sweep.folder}"
        self._folder, self._cells, self._going = sweep.folder, [cell.name for cell in sweep.cells], Going(0, 0)
        self._shown: dict[tuple[Path, int], str] = {}
        self.output = Output(sweep, self._page())

    def __call__(self, event: SweepEvent) -> None:
        """Take note, and show what is new when it is time to."""
        if isinstance(event, Going):
            self._going = event
            with suppress(Exception):  # the sweep continues when nobody watches any more
                self.output.update(self._page)

    def _page(self) -> str:
        going = self._going
        done = going.finished + going.failed
        words = [f"{going.finished} of {counted(len(self._cells), 'run')} finished"]
        words += [f"{going.failed} failed"] * (going.failed > 0)
        words += [] if going.left is None else [f"about {duration(going.left)} left"]
        part = (done + sum(going.running.values())) / len(self._cells)
        return html([self._title, ", ".join(words)], list(self._figures()), part=part)

    def _figures(self) -> Iterator[str]:
        """The last pictures that there are, in the order of the cells; each is made smaller once."""
        found = [path for cell in self._cells if (path := so_far(self._folder, cell))][-MOST:]
        places = {path: (path, path.stat().st_mtime_ns) for path in found}
        self._shown = {place: self._shown.get(place) or picture(loaded(path), SMALL) for path, place in places.items()}
        yield from self._shown.values()
