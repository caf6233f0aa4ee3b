"""What a user sees of a run: a progress bar on a terminal that can draw one, plain lines elsewhere; always on standard
error."""

from collections.abc import Callable, Iterable
from typing import Any

from rich.console import RenderableType
from rich.constrain import Constrain
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from t2iflow.runner.console import Console
from t2iflow.runner.events import Computing, Ended, Event, Fitted, Fitting, Noted, Started, Stepped, Wrote
from t2iflow.runner.timing.duration import duration
from t2iflow.runner.timing.pace import Pace

REDRAW_EVERY, SHOW_EVERY = 0.2, 1.0
"""Seconds between drawings of the bar, alone and with a picture, which many terminals take long to draw."""
LINE_EVERY = 10.0
"""Seconds between looks at the loss in plain lines; on a terminal it is looked at as often as the bar is drawn."""


class Reporter:
    """Shows a person a run, event by event."""

    def __init__(self, console: Console, above: RenderableType | None = None) -> None:
        """`above` the bar something else may be shown, such as the picture, and is drawn as often."""
        self._console = console
        self._above = above
        self._bar: _Bar | None = None
        self._pace = Pace()
        self._looked = 0.0
        self._shows: dict[type, Callable[[Any], None]] = {
            Started: self._started,
            Computing: self._computing,
            Fitting: self._fitting,
            Stepped: self._stepped,
            Fitted: self._fitted,
            Noted: self._noted,
            Wrote: self._wrote,
            Ended: self._ended,
        }

    def __call__(self, event: Event) -> None:
        """Show what is worth showing."""
        self._pace(event)
        if show := self._shows.get(type(event)):
            show(event)

    def _started(self, event: Started) -> None:
        verb = "resuming" if event.resumed else "running"
        self._console.say((event.recipe, "bold"), f": {verb} on {event.device} ({event.why})")
        self._console.say(f"run folder: {event.folder}")
        if self._console.is_interactive:
            self._bar = _Bar(self._console, self._above)
            self._bar.start()

    def _computing(self, event: Computing) -> None:
        if self._bar:
            self._bar.wait_for(event.node)

    def _fitting(self, event: Fitting) -> None:
        self._looked = event.at
        if self._bar:
            self._bar.begin(event.node, event.first, event.steps)

    def _stepped(self, event: Stepped) -> None:
        if event.at - self._looked < (REDRAW_EVERY if self._bar else LINE_EVERY):
            return
        self._looked = event.at
        done, frame = event.step + 1, self._pace.frame
        how = f"loss {float(event.loss):.4f}, {_speed(self._pace.speed)}, {self._pace.left}"
        if self._bar:
            self._bar.move(done, f"{frame}{how}")
        else:
            self._console.say(f"{event.node}: {frame}step {done} of {event.steps}, {how}")

    def _fitted(self, event: Fitted) -> None:
        if self._bar:
            self._bar.finish(event.steps)

    def _noted(self, event: Noted) -> None:
        self._console.prose(
            *([("warning: ", "yellow")] if event.level == "warn" else []), f"{event.node}: {event.text}"
        )

    def _wrote(self, event: Wrote) -> None:
        self._console.say("wrote ", (str(event.path), "bold"))

    def _ended(self, event: Ended) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None
        if event.how == "finished":
            self._console.say(f"done in {duration(event.seconds)}")


class _Bar(Progress):
    """One line for what goes on now, and above it one for each optimiser that has ended."""

    def __init__(self, console: Console, above: RenderableType | None) -> None:
        self._terminal = console
        self._above = above
        bar = BarColumn(bar_width=16, table_column=Column(no_wrap=True))
        text = TextColumn("{task.fields[text]}", markup=False, table_column=Column())  # wraps where the rest is wide
        name, steps = _Name(Column(no_wrap=True)), _Steps(table_column=Column(no_wrap=True))
        super().__init__(name, bar, steps, text, console=console, refresh_per_second=self._rate)
        self._now = self.add_task("", total=None, visible=False, text="")

    @property
    def _rate(self) -> float:
        return 1 / (REDRAW_EVERY if self._above is None else SHOW_EVERY)

    def get_renderables(self) -> Iterable[RenderableType]:
        """Leave room at the right for the `^C` that a terminal writes there: a line it would break is drawn twice."""
        if self._above is not None:
            yield self._above
        yield Constrain(self.make_tasks_table(self.tasks), self._terminal.width - len("^C"))

    def wait_for(self, node: str) -> None:
        """A node that runs once is at it."""
        self.reset(self._now, total=None, description=node, visible=True, text="", start=True)

    def begin(self, optimizer: str, done: int, steps: int) -> None:
        """An optimiser begins."""
        self.reset(self._now, total=steps, completed=done, description=optimizer, visible=True, text="", start=True)

    def move(self, done: int, text: str) -> None:
        """The number of steps taken so far."""
        self.update(self._now, completed=done, text=text)

    def finish(self, steps: int) -> None:
        """It has taken them all; what comes next has a line of its own."""
        self.update(self._now, completed=steps, text="")
        self._now = self.add_task("", total=None, visible=False, text="")

    def stop(self) -> None:
        """Leave only the lines that say something."""
        self.update(self._now, visible=self.tasks[-1].total is not None)
        super().stop()


class _Name(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(task.description, style="bold" if task.total else "dim")


class _Steps(MofNCompleteColumn):
    def render(self, task: Task) -> Text:
        return super().render(task) if task.total else Text("")


def _speed(speed: float) -> str:
    """Steps a second, or seconds a step where that is more than one."""
    return f"{speed:.1f} steps/s" if speed >= 1 else f"{1 / speed:.1f} s/step"
