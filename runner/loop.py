"""The loop: walks the plan, keeps checkpoints, and is where a run can be stopped and taken up again."""

import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from t2iflow.nodes.ambient import Tick
from t2iflow.nodes.node import Closes, Remembers, Trainable
from t2iflow.pipelines.plan import Plan, Region
from t2iflow.runner.checkpoint import Checkpoint, UnfitError
from t2iflow.runner.events import Computing, Filmed, Fitted, Fitting, Listener, Noted, Stepped
from t2iflow.runner.link import Link, NodeError, Surroundings, number_slots
from t2iflow.runner.reel import Film, Reel
from t2iflow.runner.stage import WHOLE, Judged, Stage


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
    ) -> None:
        """`save` is called with a checkpoint every `save_every` seconds, after each frame, and when `stopping` says so;
        `until` is the last frame that is wanted of a film."""
        self._plan = plan
        self._tell = tell
        self._save, self._save_every, self._stopping, self._until = save, save_every, stopping, until
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

        Raises Stopped, Cut, NodeError, NotFiniteError or torch.OutOfMemoryError; outputs are closed in any case.
        """
        try:
            for index, item in enumerate(self._plan.items):
                if isinstance(item, Region):
                    self._fit(index, item, resume)
                else:
                    self._compute(item)
        finally:
            self._close()

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
        if resume is not None and index <= resume.item:
            stage, first, step = self._resumed(index, region, resume)
            if index < resume.item:
                return
        else:
            stage, first, step = Stage(region, self._links, self._slots, self._values), 0, 0
        reel = self._reel(stage)
        if first and not step:
            stage.finish(reel.last(first - 1), show=False)  # what the next frame begins with
        self._tell(Fitting(region.optimizer, reel.before(first) + step, reel.total))
        saved = time.monotonic()
        for turn in range(first, reel.turns):
            if not step:
                reel.begin(turn)
            for tick in reel.ticks(turn)[step:]:
                reel.step(tick)
                judged = self._patiently(stage, tick)
                done, rate = reel.before(turn) + tick.step, stage.rate_at(tick)
                self._tell(Stepped(region.optimizer, done, reel.total, judged.loss, judged.image, rate, judged.terms))
                stopping = self._stopping()
                if stopping or time.monotonic() - saved > self._save_every:
                    self._save(self._checkpoint(index, turn, tick.step + 1, stage))
                    saved = time.monotonic()
                if stopping:
                    raise Stopped
            step = 0
            shown = -1
            for frame in reel.end(turn):
                self._tell(Filmed(region.optimizer, frame.number, reel.frames, frame.image))
                shown = frame.number
            if turn + 1 < reel.turns:
                self._save(self._checkpoint(index, turn + 1, 0, stage))  # no frame is ever made again
                saved = time.monotonic()
                if shown >= self._until:
                    raise Cut
        self._results |= {name: self._values[slot] for name, slot in stage.results.items()}
        self._tell(Fitted(region.optimizer, reel.total, self._results[region.optimizer]))

    def _resumed(self, index: int, region: Region, resume: Checkpoint) -> tuple[Stage, int, int]:
        """The stage as a checkpoint has it; of a region that had ended, only its results."""
        stage = Stage(region, self._links, self._slots, self._values)
        try:
            self._remember(region, resume)
            if index < resume.item:
                for name, slot in stage.results.items():
                    self._results[name] = self._values[slot] = resume.results[name].to(stage.device)
                return stage, 0, 0
            stage.fit.load_state_dict(resume.memories[region.optimizer])
        except (KeyError, RuntimeError, ValueError) as fault:
            raise UnfitError(f"the checkpoint does not fit the recipe; was that changed since? ({fault})") from fault
        stage.parts = resume.parts
        return stage, resume.turn, resume.step

    def _patiently(self, stage: Stage, tick: Tick) -> Judged:
        """Take the step, judging in smaller parts if memory does not suffice."""
        while True:
            try:
                judged = stage.judge(tick)
            except (torch.OutOfMemoryError, NodeError) as fault:
                if not out_of_memory(fault) or stage.parts >= stage.most_parts:
                    raise
            else:
                stage.move(tick, judged)
                return judged
            stage.parts = min(stage.parts * 2, stage.most_parts)
            stage.fit.clear()
            if stage.device.type == "cuda":
                torch.cuda.empty_cache()
            text = f"out of memory: the crops of a step are now judged in {stage.parts} passes (`accumulate`)"
            self._tell(Noted(stage.region.optimizer, "warn", text))

    def _reel(self, stage: Stage) -> Reel:
        shot = stage.region.shot
        return Film(stage, shot, self._links, self._slots, self._values) if shot else Reel(stage)

    def _checkpoint(self, item: int, turn: int, step: int, stage: Stage) -> Checkpoint:
        built = {name: link.live for name, link in self._links.items() if link.node.spec.is_class}
        return Checkpoint(
            item=item,
            turn=turn,
            step=step,
            parts=stage.parts,
            trained={name: live.trainable() for name, live in built.items() if isinstance(live, Trainable)},
            memories={name: live.state_dict() for name, live in built.items() if isinstance(live, Remembers)},
            results=dict(self._results),
        )

    @torch.no_grad()
    def _remember(self, region: Region, checkpoint: Checkpoint) -> None:
        """Give the canvases and outputs of a region back what they had."""
        for name in region.members:
            live = self._links[name].live
            if name in checkpoint.trained:
                for tensor, saved in zip(live.trainable(), checkpoint.trained[name], strict=True):
                    tensor.copy_(saved)
            if name in checkpoint.memories and name != region.optimizer:
                live.load_state_dict(checkpoint.memories[name])


def out_of_memory(fault: BaseException) -> bool:
    """Whether this is a device or the machine saying that it has no memory left."""
    if isinstance(fault, torch.OutOfMemoryError | MemoryError):
        return True
    cause = fault.cause if isinstance(fault, NodeError) else fault
    return isinstance(cause, torch.OutOfMemoryError | MemoryError) or "not enough memory" in str(cause)
