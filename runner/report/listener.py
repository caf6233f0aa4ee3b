"""Listens to a run and keeps a page about it, `report.html`, and its current picture, `now.png`."""

import contextlib
import math
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from t2iflow.nodes.core.run_files import LOSSES, NOW, REPORT
from t2iflow.nodes.core.types import Image
from t2iflow.nodes.core.whole import write
from t2iflow.nodes.pictures import codec
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.show import draw
from t2iflow.runner import entries
from t2iflow.runner.entries import Entry
from t2iflow.runner.events import Ended, Event, Filmed, Fitted, Fitting, Noted, Started, Stepped, Wrote
from t2iflow.runner.folder import history, outputs
from t2iflow.runner.report import table
from t2iflow.runner.report.budget import of_pages
from t2iflow.runner.report.losses import Losses
from t2iflow.runner.report.page import ReportData, Running, page, versions
from t2iflow.runner.report.past_steps import PastSteps
from t2iflow.runner.report.snapshots import Snapshots, png, small
from t2iflow.runner.timing.pace import Pace

SIDE = 1024
"""Pixels of the longer side of the picture as it is."""


class Report:
    """Gathers a run's events. What is on the device stays there until it is time to write, so that no step waits."""

    def __init__(self, plan: Plan, recipe: str, folder: Path) -> None:
        """`recipe` is the resolved recipe as YAML."""
        self._plan, self._recipe, self._folder = plan, recipe, folder
        self._budget = of_pages()
        self._pace = Pace()
        self._losses = Losses(folder / LOSSES)
        self._snapshots = Snapshots(folder, plan)
        self._started: Started | None = None
        self._steps: dict[str, int] = {}
        self._image: Tensor | None = None
        self._notes: dict[Noted, None] = {}
        self._files: dict[Path, None] = {}
        self._hears: dict[type, Callable[[Any], None]] = {
            Started: self._start,
            Fitting: self._fitting,
            Stepped: self._stepped,
            Filmed: self._filmed,
            Fitted: self._fitted,
            Noted: self._noted,
            Wrote: self._wrote,
        }

    def __call__(self, event: Event) -> None:
        """Take note; write the page when it is time to, and at the end."""
        if hear := self._hears.get(type(event)):
            hear(event)
        self._pace(event)
        if isinstance(event, Ended):
            self._end(event)
        elif self._budget.allows():
            self._refresh()

    def keep(self) -> None:
        """Bring to the disk what a checkpoint that is about to be written will not have made again."""
        for part in (self._losses, self._snapshots):
            with contextlib.suppress(OSError):  # it stays here, and is tried again
                part.keep()

    def past_steps(self, optimizer: str) -> PastSteps:
        """What there is to show of an optimiser's steps so far."""
        self._losses.read()
        with contextlib.suppress(OSError):
            self._snapshots.keep()
        return PastSteps(self._losses.of(optimizer), self._snapshots.of(optimizer))

    def take_over(self, optimizer: str, past_steps: PastSteps) -> None:
        """Show steps that another run has taken, in place of those that this one may have."""
        self._losses.put(optimizer, past_steps.losses)
        with contextlib.suppress(OSError):
            self._snapshots.put(optimizer, past_steps.snapshots)

    def _start(self, event: Started) -> None:
        self._started = event
        if event.resumed:
            self._losses.remember()
            self._snapshots.remember()
            for entry in history.read(self._folder):
                self._remember(entry)
            self._files |= dict.fromkeys(outputs.wrote(self._folder))

    def _remember(self, entry: Entry) -> None:
        match entry:
            case entries.Fitting():
                self._steps[entry.node] = min(entry.steps, table.MOST)
            case entries.Noted():
                self._noted(Noted(entry.node, entry.level, entry.text))

    def _fitting(self, event: Fitting) -> None:
        self._steps[event.node] = event.steps
        self._losses.begin(event)
        self._snapshots.begin(event)

    def _stepped(self, event: Stepped) -> None:
        self._image = event.image
        self._losses.add(event)
        self._snapshots.step(event)

    def _filmed(self, event: Filmed) -> None:
        self._image = event.image
        self._snapshots.frame(event)

    def _fitted(self, event: Fitted) -> None:
        self._image = event.image

    def _noted(self, event: Noted) -> None:
        self._notes[event] = None

    def _wrote(self, event: Wrote) -> None:
        self._files[event.path] = None

    def _refresh(self) -> None:
        """Write the picture and the page as they are now; a disk that takes no more is no reason for a run to fail."""
        self._wait()
        with self._budget.spending(), contextlib.suppress(OSError):
            self.keep()
            self._show(self._seen())
            self._write(Running(str(self._pace), self._pace.part, time.time()))

    def _end(self, ended: Ended) -> None:
        finished = ended.how == "finished"
        self.keep()
        with contextlib.suppress(OSError):
            self._show(None if finished else self._seen())
        try:
            self._write(ended)
        except OSError:  # a page that says for ever that the run goes on is worse than none, and takes up room
            (self._folder / REPORT).unlink(missing_ok=True)
            self._write(ended)

    def _wait(self) -> None:
        """Let a GPU finish the step that it is at, which is no cost of the page's."""
        with contextlib.suppress(RuntimeError):
            if self._image is not None and self._image.is_cuda:
                torch.cuda.synchronize(self._image.device)

    def _seen(self) -> Tensor | None:
        """The last picture, on the CPU."""
        with contextlib.suppress(RuntimeError):  # a device that failed may give nothing back
            if self._image is not None:
                return small(self._image, SIDE // math.ceil(math.sqrt(len(self._image))))
        return None

    def _show(self, seen: Tensor | None) -> None:
        if seen is not None:
            write(self._folder / NOW, png(codec.frame(Image(seen))))

    def _write(self, state: Ended | Running) -> None:
        data = ReportData(
            plan=self._plan,
            recipe=self._recipe,
            folder=self._folder,
            graph=self._drawn,
            versions=self._versions,
            started=self._started,
            state=state,
            losses=self._losses.curves(),
            steps=self._steps,
            snapshots=list(self._snapshots.all()),
            notes=list(self._notes),
            files=list(self._files),
        )
        write(self._folder / REPORT, page(data).encode("utf-8", errors="replace"))  # a folder's name may be no text

    @cached_property
    def _versions(self) -> Mapping[str, str]:
        return versions(self._folder)

    @cached_property
    def _drawn(self) -> str:
        return draw.svg(self._plan)
