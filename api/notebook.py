"""A run in a notebook: one output that is kept up to date, at most twice a second."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from t2iflow.card import LIVE, Chart, card, html, picture
from t2iflow.nodes.core.types import Image
from t2iflow.nodes.pictures import codec
from t2iflow.runner.events import Ended, Event, Filmed, Fitted, Fitting, Noted, Stepped
from t2iflow.runner.report.losses import NAME as TABLE
from t2iflow.runner.report.losses import TOTAL, Losses
from t2iflow.runner.report.snapshots import small
from t2iflow.runner.timing.pace import Pace

if TYPE_CHECKING:
    from t2iflow.running import Run

EVERY, SHARE = 0.5, 0.05
"""Seconds between two updates, at least, and how much of a run's time they may take."""
LINES = 5
"""How many of the latest notes are shown."""


def shell() -> Any:
    """IPython's shell, if this is a notebook's."""
    ipython = sys.modules.get("IPython")
    found = ipython.get_ipython() if ipython else None
    return found if hasattr(found, "kernel") else None


class Shown:
    """Listens to a run, and shows it in the cell that began it. What is on the device is read only when it is shown."""

    def __init__(self, run: Run, title: str, notes: Sequence[str]) -> None:
        self._run, self._title = run, title
        self._id = uuid.uuid4().hex
        self._cell = shell().execution_count
        self._pace = Pace()
        self._losses = Losses(run.folder / TABLE)
        self._steps = 0
        self._optimizer = ""
        self._image: Tensor | None = None
        self._notes = dict.fromkeys(notes)
        self._next = 0.0
        self._show()

    @property
    def is_in_this_cell(self) -> bool:
        """Whether the cell that is run now shows it."""
        here = shell()
        return here is not None and here.execution_count == self._cell

    def __call__(self, event: Event) -> None:
        """Take note, and show what is new when it is time to."""
        self._pace(event)
        match event:
            case Fitting():
                self._optimizer, self._steps = event.node, event.steps
                self._losses.begin(event)
            case Stepped():
                self._image = event.image
                self._losses.add(event)
            case Filmed() | Fitted():
                self._image = event.image
            case Noted():
                self._notes[f"{'warning: ' * (event.level == 'warn')}{event.node}: {event.text}"] = None
        if not isinstance(event, Ended) and time.monotonic() >= self._next:
            self._update()

    def close(self) -> None:
        """Show the run as it has ended."""
        self._publish(card(self._run))

    def _update(self) -> None:
        began = time.monotonic()
        self._publish(self._html())
        ended = time.monotonic()
        self._next = max(began + EVERY, ended + (ended - began) / SHARE)

    def _show(self) -> None:
        from IPython.display import display

        display(self._bundle(self._html()), raw=True, display_id=self._id)

    def _publish(self, page: str) -> None:
        from IPython.display import update_display

        update_display(self._bundle(page), raw=True, display_id=self._id)

    def _bundle(self, page: str) -> dict[str, str]:
        return {"text/html": page, "text/plain": repr(self._run)}

    def _html(self) -> str:
        self._losses.read()
        curves = self._losses.curves().get(self._optimizer)
        chart = Chart(self._optimizer, curves[TOTAL], self._steps) if curves else None
        figures = [] if self._image is None else [picture(codec.frame(Image(small(self._image, LIVE))), LIVE)]
        words = [self._title, str(self._pace), *list(self._notes)[-LINES:]]
        return html(words, figures, chart, self._pace.part)
