"""A run from plan to run folder: its surroundings, its listeners, and an outcome for whatever goes wrong."""

import math
import shlex
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Literal

import torch

from t2iflow.nodes.ambient import WHOLE, Part
from t2iflow.nodes.blame import blamed
from t2iflow.nodes.perceptors.missing import MissingPackageError, MissingWeightsError
from t2iflow.nodes.store import pins, places
from t2iflow.pipelines.plan import Plan
from t2iflow.pipelines.resolved import overrides, params, resolved, shareable
from t2iflow.runner import checkpoint, device, folder
from t2iflow.runner.checkpoint import Checkpoint
from t2iflow.runner.events import Ended, Event, Listener, Noted, Started
from t2iflow.runner.exits import FAILED, INTERRUPTED, MEMORY, OK, TERMINATED, WEIGHTS
from t2iflow.runner.link import NodeError, Surroundings
from t2iflow.runner.loop import Cut, Loop, Stopped, out_of_memory
from t2iflow.runner.naming import run_name
from t2iflow.runner.provenance import line
from t2iflow.runner.report import Report
from t2iflow.runner.stage import NotFiniteError

SAVE_EVERY = 10.0
"""Seconds between checkpoints."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended: an exit code, words for what went wrong, and for those who look closer what was raised."""

    code: int
    folder: Path
    message: str = ""
    fault: BaseException | None = None


def start(
    plan: Plan,
    parent: Path,
    wanted: str,
    listeners: Sequence[Listener],
    save_every: float = SAVE_EVERY,
    part: Part = WHOLE,
) -> Outcome:
    """Run a plan on the wanted device in a new run folder under `parent`, with a checkpoint every so many seconds; of a
    film only up to the end of a part."""
    where, why = device.choose(wanted)
    recipe = resolved(plan.graph, plan.graph.files)
    path = folder.create(parent, run_name(plan.graph), recipe, f"{where}: {why}", plan.graph.files)
    return _Session(plan, path, recipe, where, why, list(listeners), save_every, part).run(going_on=False)


def resume(
    plan: Plan,
    path: Path,
    wanted: str,
    listeners: Sequence[Listener],
    save_every: float = SAVE_EVERY,
    part: Part = WHOLE,
) -> Outcome:
    """Go on with a run from its checkpoint (or from the start, if it was stopped before the first)."""
    where, why = device.choose(wanted)
    recipe = (path / folder.RECIPE).read_text(encoding="utf-8")
    return _Session(plan, path, recipe, where, why, list(listeners), save_every, part).run(going_on=True)


@dataclass
class _Session:
    plan: Plan
    path: Path
    recipe: str
    device: torch.device
    why: str
    listeners: list[Listener]
    save_every: float
    part: Part
    stopped_by: int = 0
    began: float = field(default_factory=time.monotonic)
    noted: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.shared = shareable(self.recipe, self.plan.graph)
        self.report = Report(self.plan, self.shared, self.path)

    def run(self, going_on: bool) -> Outcome:
        with folder.event_log(self.path) as log, self._signals():
            self.listeners += [folder.EventLog(log.write), self.report]
            self._tell(self._started(going_on))
            outcome = self._attempt(going_on)
            how: Literal["finished", "part", "interrupted", "failed"] = "failed"
            if outcome.code == OK:
                how = "part" if outcome.message else "finished"
            elif outcome.code in (INTERRUPTED, TERMINATED):
                how = "interrupted"
            ended = Ended(how, time.monotonic() - self.began, outcome.message)
            folder.tidy(self.path, ended)
            self._tell(ended)
        return outcome

    def _note(self, note: Noted) -> None:
        """Pass on what a node says, but not again what it said in an earlier step."""
        if (note.node, note.text) not in self.noted:
            self.noted.add((note.node, note.text))
            self._tell(note)

    def _started(self, going_on: bool) -> Started:
        recipe = self.plan.graph.recipe
        return Started(
            recipe.name,
            self.path,
            str(self.device),
            self.why,
            steps=sum(region.total for region in self.plan.regions),
            resumed=going_on,
            seed=recipe.seed,
            params=params(self.plan.graph),
            overrides=overrides(self.plan.graph),
            optimizers=tuple((region.optimizer, region.total) for region in self.plan.regions),
            threads=torch.get_num_threads(),
            date=datetime.now().astimezone().isoformat(timespec="seconds"),
        )

    def _attempt(self, going_on: bool) -> Outcome:
        run_folder = folder.RunFolder(self.path, line(self.device) + self.shared, self._tell)
        around = Surroundings(
            self.plan.graph.recipe.seed, self.device, run_folder, lambda node: _Voice(node, self._note), self.part
        )
        try:
            loop = Loop(
                self.plan,
                around,
                self._tell,
                save=self._save,
                save_every=self.save_every,
                stopping=lambda: self.stopped_by > 0,
                until=math.inf if self.part.last is None else self.part.last,
            )
            loop.run(checkpoint.load(self.path) if going_on else None)
        except Stopped:
            code = TERMINATED if self.stopped_by == signal.SIGTERM else INTERRUPTED
            return Outcome(code, self.path, f"interrupted; to go on:\n{self._resuming()}")
        except Cut:
            return Outcome(OK, self.path, f"this part is done; to make the rest:\n{self._resuming()}")
        except KeyboardInterrupt:
            return Outcome(INTERRUPTED, self.path, "interrupted")
        except Exception as fault:  # nodes may raise anything, and none of it is worth a traceback
            return Outcome(_code(fault), self.path, self._explain(fault), fault)
        folder.seal(self.path, dict(_weights(self.plan)))
        return Outcome(OK, self.path)

    def _resuming(self) -> str:
        """The command, on a line of its own, where a terminal does not break it and it can be copied whole."""
        return f"  t2iflow resume {shlex.quote(str(self.path))}"

    def _save(self, state: Checkpoint) -> None:
        self.report.keep()
        state.save(self.path)

    def _explain(self, fault: BaseException) -> str:
        if out_of_memory(fault):
            return (
                "out of memory. What helps most, in this order: a smaller `size` of the canvas, a smaller `count` of"
                " the crops, a higher `accumulate` of the optimiser"
            )
        if isinstance(fault, NodeError):
            place, cause = fault.node.place, fault.cause
            kind = "" if isinstance(cause, ValueError | RuntimeError | OSError) else f"{type(cause).__name__}: "
            at = f"{place.file}:{place.line}:{place.column}, node `{fault.node.name}`"
            return _with_places(f"{kind}{cause}", at, blamed(cause, fault.node.spec.target))
        if isinstance(fault, checkpoint.UnfitError | NotFiniteError | OSError):
            return str(fault)
        return _with_places(f"{type(fault).__name__}: {fault} (`--debug` shows the traceback)", blamed(fault))

    def _tell(self, event: Event) -> None:
        for listener in self.listeners:
            listener(event)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Let the first Ctrl-C end the step that is running and write a checkpoint; the second stops at once."""

        def ask(number: int, frame: FrameType | None) -> None:
            if self.stopped_by:
                raise KeyboardInterrupt
            self.stopped_by = number

        try:
            kept = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not the main thread, which alone hears signals
            kept = {}
        try:
            yield
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)


@dataclass(frozen=True)
class _Voice:
    """The `Notes` of one node."""

    node: str
    note: Callable[[Noted], None]

    def say(self, text: str) -> None:
        self.note(Noted(self.node, "say", text))

    def warn(self, text: str) -> None:
        self.note(Noted(self.node, "warn", text))


def _with_places(message: str, *places: str | None) -> str:
    return "\n  --> ".join([message, *filter(None, places)])


def _weights(plan: Plan) -> Iterator[tuple[str, str]]:
    """The digests of the files of weights that nodes name."""
    for node in plan.graph.nodes.values():
        for name, setting in node.spec.settings.items():
            if setting.loads and (record := places.find(node.settings[name] or "")):
                yield from pins.digests(record).items()


def _code(fault: BaseException) -> int:
    if out_of_memory(fault):
        return MEMORY
    cause = fault.cause if isinstance(fault, NodeError) else fault
    return WEIGHTS if isinstance(cause, MissingWeightsError | MissingPackageError | ModuleNotFoundError) else FAILED
