"""Listens to a run and leaves a page about it, `report.html`, however the run ends."""

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from t2iflow.nodes.pictures import from_tensor
from t2iflow.pipelines.plan import Plan
from t2iflow.runner import folder as run_folder
from t2iflow.runner.events import Ended, Event, Filmed, Fitting, Noted, Started, Stepped, Wrote
from t2iflow.runner.page import Snapshot, Told, page

NAME = "report.html"
POINTS, SHOTS = 200, 8
"""How many losses and how many snapshots of each optimiser are kept, about."""
SIDE = 160
"""Pixels of a snapshot's longer side."""


class Report:
    """Gathers what a run tells. Losses stay where they are until the end, so that no step waits for them."""

    def __init__(self, plan: Plan, recipe: str, folder: Path) -> None:
        """`recipe` is the resolved recipe as YAML."""
        self._plan, self._recipe, self._folder = plan, recipe, folder
        self._started: Started | None = None
        self._steps: dict[str, int] = {}
        self._losses: dict[str, dict[int, Tensor | float]] = {}
        self._shots: dict[tuple[str, Literal["step", "frame"], int], Tensor] = {}
        self._wanted: set[int] = set()
        self._last: Stepped | None = None
        self._notes: list[Noted] = []
        self._files: dict[Path, None] = {}

    def __call__(self, event: Event) -> None:
        """Take note; at the end, write the page."""
        if isinstance(event, Stepped):
            self._stepped(event)
        elif isinstance(event, Filmed):
            self._filmed(event)
        elif isinstance(event, Fitting):
            self._fitting(event)
        elif isinstance(event, Started):
            self._started = event
            if event.resumed:
                self._remember()
        elif isinstance(event, Noted):
            self._notes.append(event)
        elif isinstance(event, Wrote):
            self._files[event.path] = None
        elif isinstance(event, Ended):
            with contextlib.suppress(OSError):  # a full disk must not turn a finished run into a failed one
                self._write(event)

    def _remember(self) -> None:
        """Take the losses that were told before the run was stopped."""
        for told in _told_before(self._folder / run_folder.EVENTS):
            with contextlib.suppress(KeyError, TypeError, ValueError):  # somebody's edit
                if told["type"] == "fitting":
                    self._take_up(str(told["node"]), int(told["first"]), int(told["steps"]))
                elif told["type"] == "stepped" and told["step"] % _every(told["steps"]) == 0:
                    self._losses[told["node"]][told["step"]] = float(told["loss"])

    def _take_up(self, node: str, first: int, steps: int) -> None:
        """An optimiser begins at `first`; what was told of later steps is void."""
        self._steps[node] = steps
        self._losses[node] = {step: loss for step, loss in self._losses.get(node, {}).items() if step < first}

    def _fitting(self, event: Fitting) -> None:
        self._take_up(event.node, event.first, event.steps)
        region = next(region for region in self._plan.regions if region.optimizer == event.node)
        steps = region.steps if region.shot else event.steps
        # Squares, because a picture changes most at first.
        self._wanted = {round((number / (SHOTS - 1)) ** 2 * (steps - 1)) for number in range(SHOTS)}

    def _stepped(self, event: Stepped) -> None:
        self._last = event
        if event.step % _every(event.steps) == 0 or event.step == event.steps - 1:
            self._losses[event.node][event.step] = event.loss.detach()
        if event.step in self._wanted:
            self._shoot(event)

    def _shoot(self, event: Stepped) -> None:
        self._shots[event.node, "step", event.step] = _small(event.image)

    def _filmed(self, event: Filmed) -> None:
        if event.frame in {round(number / (SHOTS - 1) * (event.frames - 1)) for number in range(SHOTS)}:
            self._shots[event.node, "frame", event.frame] = _small(event.image)

    def _write(self, ended: Ended) -> None:
        with contextlib.suppress(RuntimeError):  # a device that failed may give nothing back
            if self._last and ended.how != "finished":
                self._losses[self._last.node][self._last.step] = self._last.loss
                self._shoot(self._last)
        told = Told(
            self._plan,
            self._recipe,
            self._folder,
            self._started,
            ended,
            {node: _read(losses) for node, losses in self._losses.items() if losses},
            self._steps,
            [Snapshot(*key, _png(image)) for key, image in self._shots.items()],
            self._notes,
            list(self._files),
        )
        fresh = self._folder / f".{NAME}"
        fresh.write_text(page(told), encoding="utf-8", errors="replace")  # a folder's name may be no text
        fresh.replace(self._folder / NAME)


def _every(steps: int) -> int:
    return max(1, -(-steps // POINTS))


def _told_before(log: Path) -> Iterator[dict[str, Any]]:
    """The events in a log; a line that was cut short by a kill is left out."""
    with contextlib.suppress(OSError):
        for line in log.read_text("utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                told = json.loads(line)
                if isinstance(told, dict) and "type" in told:
                    yield told


def _read(losses: dict[int, Tensor | float]) -> dict[int, float]:
    """The losses as numbers, read from the device at once."""
    there = {step: loss for step, loss in losses.items() if isinstance(loss, Tensor)}
    known = {step: loss for step, loss in losses.items() if not isinstance(loss, Tensor)}
    with contextlib.suppress(RuntimeError):  # a device that failed gives nothing back
        if there:
            known |= dict(zip(there, torch.stack(list(there.values())).tolist(), strict=True))
    return dict(sorted(known.items()))


@torch.no_grad()
def _small(image: Tensor) -> Tensor:
    """The first picture of a batch, (3, h, w), no larger than a snapshot, on the CPU."""
    height, width = image.shape[-2:]
    scale = min(1.0, SIDE / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    return F.interpolate(image[:1].float(), size, mode="bilinear", antialias=True)[0].cpu()


def _png(image: Tensor) -> bytes:
    buffer = io.BytesIO()
    from_tensor(image).save(buffer, "PNG")
    return buffer.getvalue()
