"""What a person sees of a run: a progress bar on a terminal, plain lines elsewhere; always on standard error."""

import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from t2iflow.runner.events import Computing, Ended, Event, Filmed, Fitted, Fitting, Noted, Started, Stepped, Wrote

REDRAW_EVERY = 0.2
LINE_EVERY = 10.0
"""Seconds between looks at the loss, on a terminal and in plain lines."""


class Reporter:
    """Tells a person about a run, event by event."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._began = (0, 0.0)
        self._looked = 0.0
        self._frame = ""

    def __call__(self, event: Event) -> None:
        """Show what is worth showing."""
        show: dict[type, Callable[[Any], None]] = {
            Started: self._started,
            Computing: self._computing,
            Fitting: self._fitting,
            Stepped: self._stepped,
            Filmed: self._filmed,
            Fitted: self._fitted,
            Noted: self._noted,
            Wrote: self._wrote,
            Ended: self._ended,
        }
        show[type(event)](event)

    def _started(self, event: Started) -> None:
        verb = "going on with" if event.resumed else "running"
        self._say(f"[bold]{escape(event.recipe)}[/bold]: {verb} on {event.device} ({escape(event.why)})")
        self._say(f"run folder: {escape(str(event.folder))}")

    def _computing(self, event: Computing) -> None:
        if self._console.is_terminal and self._progress is None:
            self._console.print(f"[dim]{event.node} ...[/dim]", end="\r")

    def _fitting(self, event: Fitting) -> None:
        self._frame = ""
        self._began = (event.first, time.monotonic())
        self._looked = time.monotonic()
        if self._console.is_terminal:
            self._progress = Progress(
                TextColumn("[bold]{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[frame]}loss {task.fields[loss]}  {task.fields[speed]} steps/s"),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._task = self._progress.add_task(
                event.node, total=event.steps, completed=event.first, loss="-", speed="-", frame=""
            )
            self._progress.start()

    def _stepped(self, event: Stepped) -> None:
        now = time.monotonic()
        if now - self._looked < (REDRAW_EVERY if self._progress else LINE_EVERY):
            return
        self._looked = now
        done = event.step + 1
        speed = (done - self._began[0]) / max(now - self._began[1], 1e-9)
        if self._progress:
            shown = {"loss": f"{float(event.loss):.4f}", "speed": f"{speed:.1f}", "frame": self._frame}
            self._progress.update(self._task, completed=done, **shown)  # type: ignore[arg-type]
        else:
            left = (event.steps - done) / speed
            self._say(
                f"{event.node}: {self._frame}step {done} of {event.steps}, loss {float(event.loss):.4f}, "
                f"{speed:.1f} steps/s, about {left:.0f} s left"
            )

    def _filmed(self, event: Filmed) -> None:
        self._frame = f"frame {event.frame + 1} of {event.frames}, "

    def _fitted(self, event: Fitted) -> None:
        if self._progress:
            self._progress.update(self._task, completed=event.steps)
        self._stop()

    def _noted(self, event: Noted) -> None:
        mark = "[yellow]warning:[/yellow] " if event.level == "warn" else ""
        self._say(f"{mark}{event.node}: {escape(event.text)}")

    def _wrote(self, event: Wrote) -> None:
        self._say(f"wrote [bold]{escape(str(event.path))}[/bold]")

    def _ended(self, event: Ended) -> None:
        self._stop()
        if event.how == "finished":
            self._say(f"done in {event.seconds:.1f} s")

    def _stop(self) -> None:
        if self._progress:
            self._progress.stop()
            self._progress = None

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)
