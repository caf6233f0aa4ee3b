"""A run as Python sees it, and as a notebook shows it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from t2iflow.faults import RunError
from t2iflow.helm import Helm
from t2iflow.prepared import prepared
from t2iflow.task import Task

if TYPE_CHECKING:
    import PIL.Image

    from t2iflow.runner.events import Listener
    from t2iflow.runner.folder.summary import Summary
    from t2iflow.runner.report.table import Row
    from t2iflow.runner.session import Outcome
    from t2iflow.runner.signals import Stop

State: TypeAlias = Literal["waiting", "running", "finished", "part", "stopped", "failed", "damaged"]
"""The state of a run. A run is `waiting` for another run of the same process to end, or to start in a sweep; `part`
means that the requested frames of a film are done; a `stopped` run can be resumed, and so can most that `failed`."""


RESUMING = re.compile(r"(?<=\n  )t2iflow resume .+")
"""In a message, how to resume a run, with its folder as whoever began it named that."""


class Run(Task):
    """A run: the pictures that it has made so far, its losses, and its state.

    `run` and `resume` return one. `Run(folder)` looks at any run's folder, even one in which another process works.
    """

    @cached_property
    def _helm(self) -> Helm:
        return Helm()

    @property
    def state(self) -> State:
        """The run's state; see `State`."""
        if self._job and self._job.active:
            return "waiting" if self._job.waiting else "running"
        if self._job and not self._job.result:
            return "failed" if self._job.fault else "stopped"
        return self._summary.state if os.path.exists(self.folder) else "waiting"

    @property
    def message(self) -> str:
        """What went wrong, or how to resume; empty while all is well."""
        if self._job and not self._job.active and not self._job.result:
            return str(self._job.fault) if self._job.fault else "stopped before it began"
        message = self._summary.message if os.path.exists(self.folder) else ""
        call = f"t2iflow.resume({str(self.folder)!r})"
        return RESUMING.sub(lambda command: call, message)

    @property
    def recipe(self) -> str:
        """The name of its recipe."""
        return self._summary.recipe

    @property
    def prompt(self) -> str:
        """Its first prompt."""
        return self._summary.prompt

    @property
    def seed(self) -> int | None:
        """Its seed, as far as is known."""
        return self._summary.seed

    @property
    def _summary(self) -> Summary:
        from t2iflow.runner.folder.summary import summary

        return summary(self.folder)

    @property
    def files(self) -> list[Path]:
        """The files that are complete, in the order in which they were written."""
        from t2iflow.runner.folder.outputs import wrote

        return wrote(self.folder)

    @property
    def images(self) -> list[PIL.Image.Image]:
        """The pictures that are complete, in the order in which they were written, without strips."""
        from t2iflow.nodes.pictures.opening import loaded
        from t2iflow.pictures import pictures

        return [loaded(path) for path in pictures(self.folder, self.files)]

    @property
    def image(self) -> PIL.Image.Image | None:
        """The run's main picture: `picture`, or else the last one written; until then, the picture so far."""
        from t2iflow.nodes.core.run_files import NOW
        from t2iflow.nodes.pictures.opening import loaded
        from t2iflow.pictures import best

        path = best(self.folder, self.files) or self.folder / NOW
        return loaded(path) if os.path.isfile(path) else None

    @property
    def losses(self) -> Sequence[Row]:
        """The loss of each step and its terms, as in `losses.csv`; up to a few seconds old during the run."""
        from t2iflow.nodes.core.run_files import LOSSES
        from t2iflow.runner.report.table import rows_of

        return rows_of(self.folder / LOSSES)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Each event so far and, during the run, each as it comes: what `--json` prints, as mappings."""
        from t2iflow.runner.folder.history import follow

        return follow(self.folder, lambda: self.state in ("waiting", "running"))

    def resume(self, **how: Any) -> Run:
        """Resume the run where it was stopped; takes what `t2iflow.resume` takes."""
        from t2iflow.starting import resume

        return resume(self, **how)

    @prepared
    def steer(self, *, set: Mapping[str, Any] | None = None, wait: bool = True, **params: Any) -> Run:
        """Continue with another prompt, rate or anything else that can change over time, from the run's next step.

        `params` and `set` are those of `t2iflow.run`; a loss's weight is `{"fit.loss.score": 0.5}`. The change becomes
        a keyframe in the run's recipe, so that running that recipe makes the same bytes. A run in this process carries
        on, and this returns once it has the change; a stopped run is resumed, and with `wait` this returns at its end.
        RecipeError for mistakes in a value; RunError, with what you can steer, for what you can't.
        """
        from t2iflow.asking import overrides
        from t2iflow.faults import refusing
        from t2iflow.helm import Change
        from t2iflow.runner.steering import steer

        changes = overrides({**(set or {}), **params})
        if self._job and self._job.active:
            Change(changes).hand_over(self._helm, self._job)
            return self
        with refusing():
            steer(self.folder, changes)
        return self.resume(wait=wait)

    def _begin(
        self,
        begin: Callable[[Sequence[Listener], Stop], Outcome],
        title: str,
        notes: Sequence[str],
        wait: bool,
        show: bool | None,
    ) -> Run:
        """Execute it in a thread, and `show` it: by default in a notebook, and elsewhere with `wait`."""
        from t2iflow.notebook import Live, shell
        from t2iflow.runner.console import err
        from t2iflow.runner.progress import Reporter

        listeners: list[Listener] = []
        if show is not False and shell():
            live = Live(self, title, notes)
            self._output, listeners = live.output, [live]
        elif show or (show is None and wait):
            listeners = [Reporter(err())]
            for note in notes:
                err().prose(f"note: {note}")
        return self._start(lambda stop: begin(listeners, stop), wait)

    def _check_folder(self) -> None:
        from t2iflow.runner.exits import USAGE
        from t2iflow.runner.folder.places import is_run, is_sweep

        if is_sweep(self.folder):
            raise RunError(f"`{self.folder}` is the folder of a sweep: `t2iflow.Sweep({str(self.folder)!r})`", USAGE)
        if not is_run(self.folder):
            what = "is not the folder of a run" if os.path.exists(self.folder) else "doesn't exist"
            raise RunError(f"`{self.folder}` {what}; `t2iflow.runs()` lists all runs", USAGE)

    def _card(self) -> str:
        from t2iflow.card import card

        return card(self)

    def __repr__(self) -> str:
        return f"<Run {self.state}: {self.folder}>"
