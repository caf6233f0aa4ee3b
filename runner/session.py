"""A run from plan to run folder: its surroundings, its listeners, and an outcome for whatever goes wrong."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import torch

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.ambient import WHOLE, Part
from t2iflow.nodes.core.run_files import LOG, SAVE_EVERY
from t2iflow.nodes.core.shelf import Shelf
from t2iflow.nodes.core.texts import counted
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.show.prompts import prompts_of
from t2iflow.pipelines.show.resolved import overrides, params, resolved, shareable
from t2iflow.runner.audience import Audience
from t2iflow.runner.events import Ended, How, Listener, Noted, Started
from t2iflow.runner.execution import checkpoint, device, faults
from t2iflow.runner.execution.capture import Recording, recorder
from t2iflow.runner.execution.checkpoint import Checkpoint, DamagedError
from t2iflow.runner.execution.frames import total
from t2iflow.runner.execution.link import Surroundings
from t2iflow.runner.execution.loop import Cut, Loop, Stopped
from t2iflow.runner.execution.parts import parts
from t2iflow.runner.exits import FAILED, INTERRUPTED, OK
from t2iflow.runner.folder import folder as run_folder
from t2iflow.runner.folder import lock
from t2iflow.runner.folder.changes import check_inputs, check_recipe
from t2iflow.runner.folder.claim import claim
from t2iflow.runner.folder.log import EventLog, LogFile
from t2iflow.runner.folder.naming import run_name
from t2iflow.runner.folder.own_recipe import text_of
from t2iflow.runner.folder.places import resume_command
from t2iflow.runner.folder.provenance import line
from t2iflow.runner.report.listener import Report
from t2iflow.runner.report.live import Live
from t2iflow.runner.shared_work import Shared, SharedWork
from t2iflow.runner.signals import Stop
from t2iflow.runner.timing.figures import Stopwatch

NOT_COMPILED = "`--compile` works only on CUDA, where steps are recorded: this run continues without it"


@dataclass(frozen=True)
class Outcome:
    """How a run ended: the exit code, a message about what went wrong or is left to do, and the exception, if one
    ended it."""

    how: How
    code: int
    folder: Path
    message: str = ""
    fault: BaseException | None = None


@dataclass(frozen=True)
class Options:
    """How to run, whatever is painted: the device, the seconds between checkpoints, the `part` of a film to make, and
    on CUDA whether steps are recorded and replayed. Another thread can end the run through `stop`.

    Networks on the `shelf` of earlier runs are not loaded again; `shared_work` is done once for all runs that share it.
    Without a number of `threads`, torch's own is used; another number makes other bytes.
    """

    device: str = "auto"
    save_every: float = SAVE_EVERY
    part: Part = WHOLE
    recording: Recording = "on"
    stop: Stop = field(default_factory=Stop)
    shelf: Shelf = field(default_factory=Shelf)
    shared_work: SharedWork | None = None
    threads: int | None = None


def start(
    plan: Plan, parent: Path, options: Options, listeners: Sequence[Listener], folder: Path | None = None
) -> Outcome:
    """Run a plan in a new run folder under `parent`, or in just this `folder`."""
    path, recipe = prepare(plan, parent, options, folder)
    where, why = device.choose(options.device)
    with claim(path):
        return _Session(plan, path, recipe, where, why, options).run(listeners, resumed=False)


def prepare(plan: Plan, parent: Path, options: Options, folder: Path | None = None) -> tuple[Path, str]:
    """Make the folder of a run that `resume` can start later; returns it, and the recipe in it."""
    where, why = device.choose(options.device)
    recipe = resolved(plan.graph, plan.graph.files)
    path = run_folder.new_path(parent, run_name(plan)) if folder is None else folder
    threads = options.threads or torch.get_num_threads()
    run_folder.create(path, recipe, (str(where), why), threads, plan.graph.files, plan.graph.recipe.address)
    return path, recipe


def resume(plan: Plan, path: Path, options: Options, listeners: Sequence[Listener]) -> Outcome:
    """Resume a run from its checkpoint, or start one that has none yet or was only prepared; FolderError where neither
    is possible."""
    where, why = device.choose(options.device)
    run_folder.check_resumable(path)
    with claim(path):
        run_folder.check_unfinished(path)
        has_begun = not paths.no_content(path / LOG) or any(True for _ in checkpoint.kept(path))
        return _Session(plan, path, text_of(path), where, why, options).run(listeners, resumed=has_begun)


@dataclass
class _Session:
    plan: Plan
    path: Path
    recipe: str
    device: torch.device
    why: str
    options: Options
    progress: str = ""
    began: float = field(default_factory=time.monotonic)
    noted: dict[tuple[str, str], Noted] = field(default_factory=dict)
    _emit: Audience = field(init=False)

    def __post_init__(self) -> None:
        self.shared = shareable(self.recipe, self.plan.graph)
        self.report = Report(self.plan, self.shared, self.path)

    def run(self, listeners: Sequence[Listener], resumed: bool) -> Outcome:
        with closing(LogFile(self.path)) as log, self.options.stop.listening(), self._threads(resumed) as notes:
            self.options.shelf.begin()
            watch = Stopwatch(self.plan, self.device, lambda: self.options.shelf.spared)
            self._emit = Audience([watch, self.report, Live(self.path), EventLog(log.write)], listeners)
            self._emit(self._started(resumed))
            for note in [*notes, *([NOT_COMPILED] if self._uncompiled else [])]:
                self._emit(Noted("run", "warn", note))
            try:
                return self._ended(self._attempt(resumed))
            except KeyboardInterrupt:  # a second one, while the end was recorded
                return self._interrupted(INTERRUPTED)

    def _ended(self, outcome: Outcome) -> Outcome:
        """Record the end, then remove what only a resumed run would need."""
        ended = Ended(outcome.how, time.monotonic() - self.began, outcome.message)
        try:
            self._emit.end(ended)
        except Exception as fault:
            if outcome.code == OK:  # without its report it must not pass for finished
                outcome = Outcome("failed", FAILED, self.path, faults.explain(fault), fault)
                ended = replace(ended, how=outcome.how, message=outcome.message)
            self._emit(ended)
        if outcome.how == "finished":
            with suppress(OSError):  # if the disk fails, what could make it again stays
                run_folder.settle(self.path)
                run_folder.tidy(self.path)
        return outcome

    def _note(self, note: Noted) -> None:
        """Pass on a node's note, but only once, however many steps repeat it."""
        if (note.node, note.text) not in self.noted:
            self.noted[note.node, note.text] = note
            self._emit(note)

    @property
    def _uncompiled(self) -> bool:
        return self.options.recording == "compiled" and self.device.type != "cuda"

    def _started(self, resumed: bool) -> Started:
        recipe = self.plan.graph.recipe
        optimizers = tuple((region.optimizer, total(region, self.plan.graph)) for region in self.plan.regions)
        return Started(
            recipe.name,
            self.path,
            str(self.device),
            self.why,
            steps=sum(steps for _, steps in optimizers),
            resumed=resumed,
            seed=recipe.seed,
            params=params(self.plan.graph),
            overrides=overrides(self.plan.graph),
            prompts=tuple(one.text for one in prompts_of(self.plan)),
            optimizers=optimizers,
            threads=torch.get_num_threads(),
            date=datetime.now().astimezone().isoformat(timespec="seconds"),
        )

    def _attempt(self, resumed: bool) -> Outcome:
        try:
            self._run(resumed)
            lock.seal(self.path, self.plan)
        except Stopped:
            return self._interrupted(128 + self.options.stop.signal)
        except Cut:
            rest = f"this part is done; to make the rest:\n  {resume_command(self.path)}"
            return Outcome("part", OK, self.path, rest)
        except KeyboardInterrupt:
            return self._interrupted(128 + self.options.stop.signal if self.options.stop.signal else INTERRUPTED)
        except Exception as fault:  # nodes may raise anything, and none of it is worth a traceback
            faults.forget(fault)
            return Outcome("failed", faults.code(fault), self.path, faults.explain(fault), fault)
        return Outcome("finished", OK, self.path)

    def _interrupted(self, code: int) -> Outcome:
        reached = f" after {self.progress}; pictures and films show what there is so far" if self.progress else ""
        # On a line of its own, which a terminal does not break, so that it can be copied whole.
        message = f"interrupted{reached}; to resume:\n  {resume_command(self.path)}"
        return Outcome("interrupted", code, self.path, message)

    def _run(self, resumed: bool) -> None:
        """Run from the last checkpoint that is undamaged; from the start if there is none."""
        if resumed:
            check_inputs(self.path)
        for path, read in checkpoint.kept(self.path) if resumed else ():
            try:
                saved = read()
                if changed := check_recipe(self.path, saved, self.recipe, self.plan):
                    self._emit(Noted("run", "say", changed))
                self._loop().run(saved)
                return
            except DamagedError as fault:
                run_folder.discard(path)
                self._emit(Noted("run", "warn", f"{fault}; continuing from before that"))
        self._loop().run()

    def _loop(self) -> Loop:
        made = line(device.made_with(self.device), self.plan.graph.recipe.address)
        folder = run_folder.RunFolder(self.path, made + self.shared, self._emit)

        def save(state: Checkpoint) -> None:
            self.report.keep()
            replace(state, recipe=self.recipe).save(self.path)

        def unfinished(progress: str) -> None:
            self.progress = progress
            folder.recipe = f"{made}# unfinished: {progress}\n{self.shared}"

        return Loop(
            self.plan,
            Surroundings(
                self.plan.graph.recipe.seed,
                self.device,
                folder,
                lambda node: _Voice(node, self._note),
                parts(self.options.part, self.plan),
                self.options.shelf,
            ),
            self._emit,
            save=save,
            save_every=self.options.save_every,
            stopping=self.options.stop.asked,
            until=math.inf if self.options.part.last is None else self.options.part.last,
            unfinished=unfinished,
            recorder=recorder(self.device, self.options.recording),
            sharing=self._sharing(self.options.shared_work) if self.options.shared_work else None,
        )

    def _sharing(self, work: SharedWork) -> Shared:
        made = line(device.made_with(self.device))
        made_with = f"{self.plan.graph.recipe.seed} {self.options.recording} {lock.versions()} {made}"
        return Shared(work, made_with, self.report, self.noted.values, self._note, self.options.stop.asked)

    @contextmanager
    def _threads(self, resumed: bool) -> Iterator[list[str]]:
        """Compute with as many threads as the run began with, as others give other bytes; yields what else differs."""
        now = torch.get_num_threads()
        began = lock.threads(self.path) or now
        torch.set_num_threads(began)
        try:
            notes = list(lock.changed_surroundings(self.path, str(self.device))) if resumed else []
            notes = [f"{note}: the result may differ from an unbroken run's" for note in notes]
            threads = counted(began, "thread")
            why = "as the run began" if resumed else "as it was made with"
            yield [*notes, *([f"computing with {threads}, {why}"] if began != now else [])]
        finally:
            torch.set_num_threads(now)


@dataclass(frozen=True)
class _Voice:
    """The `Notes` of one node."""

    node: str
    note: Callable[[Noted], None]

    def say(self, text: str) -> None:
        self.note(Noted(self.node, "say", text))

    def warn(self, text: str) -> None:
        self.note(Noted(self.node, "warn", text))
