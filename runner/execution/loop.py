"""The loop: walks the plan, writes checkpoints, and is where a run can be stopped and resumed."""

import sys
from collections.abc import Callable

import torch
from torch import Tensor

from t2iflow.nodes.core.ambient import Tick
from t2iflow.nodes.core.hooks import Closes
from t2iflow.nodes.core.texts import counted
from t2iflow.nodes.film.takes import Take
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.plan.regions import Region
from t2iflow.runner.events import Computing, Fitted, Fitting, Listener, Noted, Stepped
from t2iflow.runner.execution import device
from t2iflow.runner.execution.capture import Recorder
from t2iflow.runner.execution.checkpoint import Checkpoint, DamagedError, UnfitError
from t2iflow.runner.execution.circuit import Circuit
from t2iflow.runner.execution.faults import out_of_memory
from t2iflow.runner.execution.frames import Film, Reel, Single, Turn
from t2iflow.runner.execution.link import NodeError, Surroundings
from t2iflow.runner.execution.resuming import recall, take_up
from t2iflow.runner.execution.saver import Saver
from t2iflow.runner.execution.sharing import Alone, Sharing
from t2iflow.runner.execution.stage import Judged, Stage, build


class Stopped(Exception):
    """The run was asked to stop, and did so between two steps."""


class Cut(Exception):
    """The requested part of a film is done, but not the whole film."""


class Loop:
    """A plan made live."""

    def __init__(
        self,
        plan: Plan,
        around: Surroundings,
        emit: Listener,
        *,
        save: Callable[[Checkpoint], None] = lambda checkpoint: None,
        save_every: float = float("inf"),
        stopping: Callable[[], bool] = lambda: False,
        until: float = float("inf"),
        recorder: Callable[[], Recorder] | None = None,
        unfinished: Callable[[str], None] = lambda progress: None,
        sharing: Sharing | None = None,
    ) -> None:
        """`save` is called with a checkpoint every `save_every` seconds, after each frame, and when `stopping` says so;
        `until` is the last frame that is wanted of a film; `unfinished` is called with how far a stopped run has come,
        before its pictures so far are made; each optimiser's steps are recorded by a `recorder` of its own, if there is
        one, and its work is taken over by `sharing` where another run has done it."""
        self._plan, self._emit = plan, emit
        self._recorder, self._sharing = recorder, sharing or Alone()
        self._stopping, self._until, self._unfinished = stopping, until, unfinished
        self._circuit = Circuit(plan, around)
        self._saver = Saver(self._circuit, save, save_every)

    def stage(self, optimizer: str) -> Stage:
        """One optimiser's stage, made live with all that it needs: for looking at a step by itself."""
        for item in self._plan.items:
            if isinstance(item, str):
                self._compute(item)
                continue
            stage = self._build(item)
            if item.optimizer == optimizer:
                return stage
        raise LookupError(optimizer)

    @device.single_precision()
    def run(self, resume: Checkpoint | None = None) -> None:
        """Run all items of the plan, from the checkpoint on if there is one.

        Raises Stopped, Cut, NodeError, NotFiniteError or torch.OutOfMemoryError; outputs are closed in every case but
        one: a checkpoint that can't be used raises UnfitError or DamagedError, and nothing is done.
        """
        if resume is not None and resume.optimizer not in self._order:
            raise UnfitError(f"the checkpoint is of the optimiser `{resume.optimizer}`, which this recipe doesn't have")
        try:
            with device.at_work(self._circuit.around.device):
                self._run(resume)
        finally:
            if not isinstance(sys.exc_info()[1], UnfitError | DamagedError):
                self._close()

    def _run(self, resume: Checkpoint | None) -> None:
        for item in self._plan.items:
            if self._stopping():
                raise Stopped
            if isinstance(item, Region):
                self._fit(item, resume)
            else:
                self._compute(item)

    def _compute(self, name: str) -> None:
        self._emit(Computing(name))
        values, slot = self._circuit.values, self._circuit.slots.get((name, ""))
        with self._sharing.begin(name) as known:
            if known is not None and slot is not None:
                values[slot] = known.results[name].to(self._circuit.around.device)
                return
            self._circuit.make([name])
            self._circuit.compute([name], Tick())
            if slot is not None and isinstance(values[slot], Tensor):
                self._sharing.keep(name, (name,), self._saver.final_state((), {name: values[slot]}))

    def _close(self) -> None:
        """Close all outputs; a failure is raised after the last, unless another exception is on its way."""
        failed: NodeError | None = None
        for link in self._circuit.links.values():
            if link.node.spec.is_class and isinstance(link.live, Closes):
                try:
                    link.live.close()
                except Exception as fault:
                    failed = NodeError(link.node, fault)
        if failed is not None and sys.exc_info()[0] is None:
            raise failed

    @property
    def _order(self) -> list[str]:
        return [region.optimizer for region in self._plan.regions]

    def _fit(self, region: Region, resume: Checkpoint | None) -> None:
        stage, name = self._build(region), region.optimizer
        if resume is not None and self._order.index(name) < self._order.index(resume.optimizer):
            self._saver.results |= recall(stage, self._circuit, resume)
            return
        reel = Film(stage, region.shot, self._circuit) if region.shot else Single(stage)
        with self._sharing.begin(name) as known:
            if known is None:
                results = self._work(reel, resume if resume and name == resume.optimizer else None)
            else:
                results = recall(stage, self._circuit, known)
                self._emit(Fitting(name, reel.total, reel.total))
        self._saver.results |= results
        self._emit(Fitted(name, reel.total, results[name]))

    def _work(self, reel: Reel, resume: Checkpoint | None) -> dict[str, Tensor]:
        """Take all turns that are left; gives the finished pictures."""
        stage, region = reel.stage, reel.stage.region
        first, step = take_up(reel, self._circuit, resume) if resume else (0, 0)
        self._emit(Fitting(region.optimizer, reel.turn(first).before + step, reel.total))
        self._saver.begin(region.optimizer)
        for number in range(first, reel.turns):
            self._turn(reel, number, step if number == first else 0)
        results = {name: self._circuit.values[slot] for name, slot in stage.results.items()}
        if stage.passes == region.passes:  # else another machine's memory decides how it rounds
            self._sharing.keep(region.optimizer, region.members, self._saver.final_state(region.members, results))
        return results

    def _build(self, region: Region) -> Stage:
        return build(region, self._circuit, self._recorder() if self._recorder else None)

    def _turn(self, reel: Reel, number: int, first: int) -> None:
        """Take a turn from the `first` step on, and show the frames that are due."""
        turn = reel.turn(number)
        take = reel.take(turn) if first else reel.begin(turn)
        for step in range(first, take.steps):
            self._step(reel, turn, take, reel.stage.region.tick(step, take.steps, turn.frame))
        made = reel.end(turn, reel.stage.region.tick(take.steps - 1, take.steps, turn.frame), self._emit)
        cut = made * reel.every > self._until
        if number + 1 < reel.turns and (cut or self._saver.rested):
            self._saver.save(number + 1, 0, reel.stage.passes)  # no frame is ever made again
            if cut:
                raise Cut

    def _step(self, reel: Reel, turn: Turn, take: Take, tick: Tick) -> None:
        """Take a step, and save the run if a checkpoint is due."""
        stage, done = reel.stage, turn.before + tick.step
        judged = self._judge(stage, tick, take)
        rate = stage.move(tick, take)
        name = stage.region.optimizer
        self._emit(Stepped(name, done, reel.total, judged.loss, judged.image, rate, judged.terms))
        stopping = self._stopping()
        if stopping or self._saver.due:
            self._saver.save(turn.number, tick.step + 1, stage.passes)
        if stopping:
            self._leave(stage, tick, f"{done + 1} of {counted(reel.total, 'step')}")
            raise Stopped

    @torch.no_grad()
    def _leave(self, stage: Stage, tick: Tick, progress: str) -> None:
        """Make the pictures that follow from what is painted so far, except those that need a later optimiser.

        The checkpoint doesn't record this: a resumed run makes them again at its end.
        """
        try:
            picture = stage.finish(tick, show=False)
            values = self._circuit.values
            for slot in stage.results.values():
                values[slot] = picture if values[slot] is None else values[slot]
            self._unfinished(progress)
            lacking: set[str] = set()
            items = self._plan.items
            for later in items[items.index(stage.region) + 1 :]:
                if isinstance(later, Region):
                    lacking |= set(later.members)
                elif lacking.isdisjoint(self._plan.graph.net.predecessors(later)):
                    self._compute(later)
                else:
                    lacking.add(later)
        except Exception as fault:  # it is an extra, and the run is safe
            self._emit(Noted(stage.region.optimizer, "warn", f"there is no picture so far: {fault}"))

    def _judge(self, stage: Stage, tick: Tick, take: Take) -> Judged:
        """Judge a step, in more passes if memory runs out."""
        while True:
            try:
                return stage.judge(tick, take)
            except Exception as fault:
                if not out_of_memory(fault):
                    raise
                spare = self._circuit.around.shelf.clear()  # else another run would decide in how many passes
                if not spare and stage.passes >= stage.most_passes:
                    raise
            stage.forget()
            device.release(stage.device)
            if spare:
                continue
            stage.passes = min(stage.passes * 2, stage.most_passes)
            text = f"out of memory: the crops of a step are now judged in {stage.passes} passes (`accumulate`)"
            self._emit(Noted(stage.region.optimizer, "warn", text))
