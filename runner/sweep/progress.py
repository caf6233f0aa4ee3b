"""What a user sees of a sweep: all that runs, on a terminal; elsewhere a line for each cell, and now and then one for
all; or JSON lines."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from t2iflow.nodes.core.texts import counted, printable
from t2iflow.runner.audience import leaving
from t2iflow.runner.console import Console
from t2iflow.runner.sweep.events import Begun, CellEnded, Ended, Event, Going, Watcher
from t2iflow.runner.timing.duration import duration

SCHEMA = "t2iflow.sweep-event/1"
TYPES: dict[type, str] = {Begun: "begun", CellEnded: "cell", Going: "going", Ended: "ended"}
LINE_EVERY = 30.0
"""Seconds between lines that say how far all are, where no cell ends."""
BAR = 24


@contextmanager
def shown(console: Console) -> Iterator[Watcher]:
    """Shows the user a sweep."""
    view = _View(console)
    try:
        yield view
    finally:
        leaving(view.close)


@contextmanager
def lines() -> Iterator[Watcher]:
    """Prints each event as a JSON line."""

    def watch(event: Event) -> None:
        line = {"schema": SCHEMA, "type": TYPES[type(event)], **asdict(event)}
        sys.stdout.write(json.dumps(line, default=str) + "\n")
        sys.stdout.flush()

    yield watch


class _View:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._cells = 0
        self._going = Going(0, 0)
        self._said = time.monotonic()

    def __call__(self, event: Event) -> None:
        """Show what is worth showing."""
        if isinstance(event, Begun):
            self._begin(event)
        elif isinstance(event, CellEnded):
            self._end(event)
        elif isinstance(event, Ended):
            self.close()
            self._console.say(f"{event.finished} of {event.cells} finished in {duration(event.seconds)}")
            if event.picture:
                self._console.say("the best: ", (str(event.picture), "bold"))
            self._console.say("page: ", (str(event.page), "bold"))
        else:
            self._going = event
            if self._live:
                self._live.update(self._bars(), refresh=True)
            elif time.monotonic() - self._said > LINE_EVERY:
                self._said = time.monotonic()
                running = ", ".join(f"{name} {part:.0%}" for name, part in event.running.items())
                self._console.say(self._standing(), f"; running: {running}" if running else "")

    def close(self) -> None:
        """Leave what was printed."""
        if self._live:
            self._live.stop()

    def _begin(self, event: Begun) -> None:
        self._cells = event.cells
        self._going = Going(event.finished, event.failed)
        done = f", {event.finished} finished before" if event.finished else ""
        failed = f", {event.failed} failed" if event.failed else ""
        self._console.say((counted(event.cells, "cell"), "bold"), f"{done}{failed}")
        self._console.say(f"sweep folder: {event.folder}")
        if self._console.is_interactive:
            self._live = Live(self._bars(), console=self._console, auto_refresh=False, transient=True)
            self._live.start()

    def _end(self, event: CellEnded) -> None:
        self._said = time.monotonic()
        finished, failed = event.state == "finished", event.state == "failed"
        going = self._going
        self._going = replace(going, finished=going.finished + finished, failed=going.failed + failed)
        style = {"failed": "red", "stopped": "yellow"}.get(event.state, "")
        self._console.say((event.state, style), f" {event.cell} ({self._standing()})")
        if event.state == "failed" and event.message:
            self._console.prose("  ", event.message.replace("\n", "\n  "))

    def _standing(self) -> str:
        going = self._going
        over = going.finished + going.failed == self._cells
        left = "" if over or going.left is None else f", about {duration(going.left)} left"
        failed = f", {going.failed} failed" if going.failed else ""
        return f"{going.finished} of {self._cells}{failed}{left}"

    def _bars(self) -> Group:
        """A bar for all, and one for each cell that runs."""
        table = Table.grid(padding=(0, 1))
        done = self._going.finished + self._going.failed
        whole = done + sum(self._going.running.values())
        table.add_row(Text("all", "bold"), ProgressBar(max(self._cells, 1), whole, BAR), Text(self._standing()))
        for name, part in self._going.running.items():
            table.add_row(Text(printable(name)), ProgressBar(1.0, part, BAR), Text(f"{part:.0%}"))
        return Group(table)
