"""The loop: walks the plan, keeps checkpoints, and is where a run can be stopped and taken up again."""

import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from t2iflow.nodes.core.ambient import Tick
from t2iflow.nodes.core.node import Closes
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.plan.regions import Region
from t2iflow.runner.events import Computing, Filmed, Fitted, Fitting, Listener, Noted, Stepped
from t2iflow.runner.execution import device
from t2iflow.runner.execution.checkpoint import Checkpoint, DamagedError, UnfitError
from t2iflow.runner.execution.faults import out_of_memory
from t2iflow.runner.execution.frames import Film, Reel
from t2iflow.runner.execution.link import Link, NodeError, Surroundings, number_slots
from t2iflow.runner.execution.memories import gather, give_back
from t2iflow.runner.execution.stage import WHOLE, Judged, Stage


class Stopped(Exception):
    """The run was asked to stop, and did so between two steps."""


class Cut(Exception):
    """The part of a film that was wanted is there, and the film not at its end."""


class Loop:
    """A plan made live."""

    def __init__(
        self,
        plan: Plan,
        around: Surroundings,
        tell: Listener,
        *,
        save: Callable[[Checkpoint], None] = lambda checkpoint: None,
        save_every: float = float("inf"),
        stopping: Callable[[], bool] = lambda: False,
        until: float = float("inf"),
        unfinished: Callable[[str], None] = lambda progress: None,
    ) -> None:
        """`save` is called with a checkpoint every `save_every` seconds, after each frame, and when `stopping` says so;
        `until` is the last frame that is wanted of a film; `unfinished` is told how far a stopped run has come, before
        its pictures so far are made."""
        self._plan = plan
        self._tell = tell
        self._save, self._save_every, self._stopping, self._until = save, save_every, stopping, until
        self._unfinished = unfinished
        self._slots = number_slots(plan.graph)
        self._values: list[Any] = [None] * len(self._slots)
        self._links = {name: Link(node, self._slots, around) for name, node in plan.graph.nodes.items()}
        self._results: dict[str, Tensor] = {}

    def stage(self, optimizer: str) -> Stage:
        """One optimiser's stage, made live with all that it needs: for looking at a step by itself."""
        for item in self._plan.items:
            if isinstance(item, Region):
                stage = Stage(item, self._links, self._slots, self._values)
                if item.optimizer == optimizer:
                    return stage
            else:
                self._compute(item)
        raise LookupError(optimizer)

    def run(self, resume: Checkpoint | None = None) -> None:
        """Run all items of the plan, from the checkpoint on if there is one.

        Raises Stopped, Cut, NodeError, NotFiniteError or torch.OutOfMemoryError; outputs are closed in any case, but
        where the checkpoint is of no use: UnfitError or DamagedError, and nothing is done.
        """
        if resume is not None and not self._is_region(resume.item):
            raise UnfitError(f"the checkpoint is at item {resume.item} of the plan, where this recipe has no optimiser")
        try:
            for index, item in enumerate(self._plan.items):
                if self._stopping():
                    raise Stopped
                if isinstance(item, Region):
                    self._fit(index, item, resume)
                else:
                    self._compute(item)
        finally:
            if not isinstance(sys.exc_info()[1], UnfitError | DamagedError):
                self._close()

    def _is_region(self, item: int) -> bool:
        return 0 <= item < len(self._plan.items) and isinstance(self._plan.items[item], Region)

    def _compute(self, name: str) -> None:
        self._tell(Computing(name))
        link = self._links[name]
        link.make(self._values)
        with torch.no_grad():
            link(self._values, Tick(), WHOLE)

    def _close(self) -> None:
        """Close all outputs; what fails in that is raised after the last, unless something else is on its way."""
        failed: NodeError | None = None
        for link in self._links.values():
            if link.node.spec.is_class and isinstance(link.live, Closes):
                try:
                    link.live.close()
                except Exception as fault:
                    failed = NodeError(link.node, fault)
        if failed is not None and sys.exc_info()[0] is None:
            raise failed

    def _fit(self, index: int, region: Region, resume: Checkpoint | None) -> None:
        stage = Stage(region, self._links, self._slots, self._values)
        reel = self._reel(stage)
        first, step = 0, 0
        if resume is not None and index < resume.item:
            self._recall(stage, resume)
            return
        if resume is not None and index == resume.item:
            first, step = resume.turn, resume.step
            self._take_up(stage, reel, resume)
        self._tell(Fitting(region.optimizer, reel.before(first) + step, reel.total))
        saved = time.monotonic()
        for turn in range(first, reel.turns):
            if not step:
                reel.begin(turn)
            for tick in reel.ticks(turn, step):
                reel.step(tick)
                judged = self._patiently(stage, tick)
                done, rate = reel.before(turn) + tick.step, stage.rate_at(tick)
                self._tell(Stepped(region.optimizer, done, reel.total, judged.loss, judged.image, rate, judged.terms))
                stopping = self._stopping()
                if stopping or time.monotonic() - saved > self._save_every:
                    self._save(self._checkpoint(index, turn, tick.step + 1, stage))
                    saved = time.monotonic()
                if stopping:
                    self._leave(index, stage, tick, f"{done + 1} of {reel.total} steps")
                    raise Stopped
            step = 0
            shown = -1
            for frame in reel.end(turn):
                self._tell(Filmed(region.optimizer, frame.number, reel.frames, frame.image))
                shown = frame.number
            if turn + 1 < reel.turns:
                self._save(self._checkpoint(index, turn + 1, 0, stage))  # no frame is ever made again
                saved = time.monotonic()
                if (shown + 1) * reel.every > self._until:
                    raise Cut
        self._results |= {name: self._values[slot] for name, slot in stage.results.items()}
        self._tell(Fitted(region.optimizer, reel.total, self._results[region.optimizer]))

    def _recall(self, stage: Stage, resume: Checkpoint) -> None:
        """Of a region that had ended before the checkpoint: its results."""
        others = [name for name in stage.region.members if name != stage.region.optimizer]
        give_back(self._links, others, resume)
        for name, slot in stage.results.items():
            result = resume.results.get(name)
            if result is None or result.shape != self._values[stage.image].shape:
                raise UnfitError(f"the checkpoint lacks the finished picture of `{name}`")
            self._results[name] = self._values[slot] = result.to(stage.device)

    def _take_up(self, stage: Stage, reel: Reel, resume: Checkpoint) -> None:
        """Let the region be where the checkpoint was written."""
        turn, step = resume.turn, resume.step
        wrong = UnfitError(f"the checkpoint is at turn {turn}, step {step}, which this recipe doesn't reach")
        if turn >= reel.turns or resume.parts > max(stage.most_parts, stage.parts):
            raise wrong
        if step:
            reel.aim(turn)
        give_back(self._links, stage.region.members, resume)
        stage.parts = resume.parts
        if step > reel.steps(turn):
            raise wrong
        if turn and not step:
            stage.finish(reel.last(turn - 1), show=False)  # what the next frame begins with

    @torch.no_grad()
    def _leave(self, index: int, stage: Stage, tick: Tick, progress: str) -> None:
        """Make the pictures that follow from what is painted so far, but for those that need a later optimiser.

        The checkpoint knows nothing of it: a resumed run makes them anew at its end.
        """
        try:
            picture = stage.finish(tick, show=False)
            for slot in stage.results.values():
                self._values[slot] = picture if self._values[slot] is None else self._values[slot]
            self._unfinished(progress)
            lacking: set[str] = set()
            for item in self._plan.items[index + 1 :]:
                if isinstance(item, Region):
                    lacking |= set(item.members)
                elif lacking.isdisjoint(self._plan.graph.net.predecessors(item)):
                    self._compute(item)
                else:
                    lacking.add(item)
        except Exception as fault:  # it is an extra, and the run is safe
            self._tell(Noted(stage.region.optimizer, "warn", f"there is no picture so far: {fault}"))

    def _patiently(self, stage: Stage, tick: Tick) -> Judged:
        """Take the step, judging in smaller parts if memory does not suffice."""
        while True:
            try:
                judged = stage.judge(tick)
            except Exception as fault:
                if not out_of_memory(fault) or stage.parts >= stage.most_parts:
                    raise
            else:
                stage.move(tick, judged)
                return judged
            stage.parts = min(stage.parts * 2, stage.most_parts)
            stage.forget()
            device.release(stage.device)
            text = f"out of memory: the crops of a step are now judged in {stage.parts} passes (`accumulate`)"
            self._tell(Noted(stage.region.optimizer, "warn", text))

    def _reel(self, stage: Stage) -> Reel:
        shot = stage.region.shot
        return Film(stage, shot, self._links, self._slots, self._values) if shot else Reel(stage)

    def _checkpoint(self, item: int, turn: int, step: int, stage: Stage) -> Checkpoint:
        trained, memories = gather(self._links)
        return Checkpoint(item, turn, step, stage.parts, trained, memories, dict(self._results))
