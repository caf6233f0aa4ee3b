"""A stage: one optimiser's region, built and linked, and the order of its step.

A step paints the picture once and judges it in one or more parts: with `accumulate: k` the judge runs k times on a
detached picture, adding up the picture's gradient, and the paint is differentiated once. Memory then grows with one
part's crops, and k passes cost no extra painting.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from t2iflow.nodes.core.ambient import Share, Tick
from t2iflow.nodes.core.node import Finishes, Paced, Settles
from t2iflow.nodes.core.types import Image, Loss
from t2iflow.nodes.optimizers import Fit
from t2iflow.pipelines.graph.schedule import least
from t2iflow.pipelines.plan.regions import Region
from t2iflow.pipelines.plan.terms import terms
from t2iflow.runner.execution.link import Link, NodeError, Slot

WHOLE = Share()
LOOK_EVERY = 25
"""Steps between looks at whether a GPU's loss is still finite; each look waits for the device."""


class NotFiniteError(ArithmeticError):
    """A value became infinite or not a number; says in which node first."""


@dataclass(frozen=True)
class Judged:
    """What a step found before it moved: the loss, what adds up to it (read when asked for), and the picture."""

    loss: Loss
    image: Image
    terms: Callable[[], Mapping[str, Tensor]]


class Stage:
    """One optimiser's region.

    A camera may say from frame to frame: `rate`, at which the optimiser steps in place of its own; `pull`, what else
    the picture is judged by; and `only`, where alone it changes, (1, 1, h, w) in 0..1.
    """

    rate: float | None = None
    pull: Callable[[Tensor], Loss | None] | None = None
    only: Tensor | None = None

    def __init__(self, region: Region, links: Mapping[str, Link], slots: Mapping[Slot, int], values: list[Any]) -> None:
        self.region = region
        self.parts = region.accumulate
        self._values, self._links = values, links
        for name in region.first:
            links[name].make(values)
            with torch.no_grad():
                links[name](values, self.tick(), WHOLE)
        for name in region.members:
            links[name].make(values)
        canvases = [links[name].live for name in region.canvases]
        self._optimizer = links[region.optimizer]
        self.fit: Fit = self._optimizer.live
        try:
            paced = [(tensor, _pace(canvas)) for canvas in canvases for tensor in canvas.trainable()]
            self.fit.start([tensor for tensor, _ in paced], [pace for _, pace in paced])
        except Exception as fault:  # a library's optimiser refuses its settings
            raise NodeError(self._optimizer.node, fault) from fault
        self._finishes = [canvas for canvas in canvases if isinstance(canvas, Finishes)]
        self._settle = [canvas.settle for canvas in canvases if isinstance(canvas, Settles)]
        self._paint = [links[name] for name in region.paint]
        self._judge = [links[name] for name in region.judge]
        self._watch = [(watch, [links[name] for name in (*watch.before, watch.sink)]) for watch in region.watch]
        wires = self._optimizer.node.wires
        self.image, self._loss = (slots[wires[port][0].node, wires[port][0].output] for port in ("image", "loss"))
        nodes = {name: link.node for name, link in links.items()}
        self._terms = {term: slots[term.source.node, term.source.output] for term in terms(self._optimizer.node, nodes)}
        self.result = slots[region.optimizer, ""]
        self.results = {region.optimizer: self.result}
        if region.shot:
            self.results[region.shot.camera] = slots[region.shot.camera, "image"]
        made = {slot for link in self._paint for slot in link.outputs}
        used = {slot for link in self._judge for slot in link.inputs} | {self._loss, self.image}
        self._crossing = sorted(made & used)
        self._repaint(self.tick())

    def tick(self, step: int = 0, steps: int | None = None, frame: int = 0) -> Tick:
        """A time in this region."""
        shot = self.region.shot
        steps = self.region.steps if steps is None else steps
        return Tick(step, steps, frame, shot.frames, shot.fps) if shot else Tick(step, steps)

    @property
    def device(self) -> torch.device:
        """Where the picture is."""
        image: Tensor = self._values[self.image]
        return image.device

    @property
    def most_parts(self) -> int:
        """Into how many parts a step can be split at most: no node may be left without a crop to make."""
        counts = [
            least(link.node.settings["count"])
            for link in self._judge
            if Share in link.node.spec.ambient.values() and "count" in link.node.settings
        ]
        return int(min(counts, default=1))

    def step(self, tick: Tick) -> None:
        """Take a whole step."""
        self.move(tick, self.judge(tick))

    def judge(self, tick: Tick) -> Judged:
        """Paint, judge and differentiate, which changes nothing that lasts."""
        self.fit.clear()
        for link in self._paint:
            link(self._values, tick, WHOLE)
        painted = self._detach()
        loss, parts = self._judged(tick)
        pulled = self._pulled()
        if pulled is not None:
            loss = Loss(loss + pulled)
        image: Image = self._values[self.image].detach()
        if self._looks_at(tick) and not torch.isfinite(loss):
            self._blame(tick)
        self._differentiate(painted)
        return Judged(loss, image, lambda: self._weighted(tick, parts, pulled))

    def forget(self) -> None:
        """Let go of all that a step had computed when it failed."""
        self.fit.clear()
        for link in self._judge:
            for slot in link.outputs:
                self._values[slot] = None

    def rate_at(self, tick: Tick) -> float:
        """How far the optimiser goes at this time."""
        return float(self._optimizer.setting("rate", tick) if self.rate is None else self.rate)

    def move(self, tick: Tick, judged: Judged) -> None:
        """Take the optimiser's step along the gradients, settle the canvases, and let outputs look on."""
        self.fit(judged.image, judged.loss, rate=self.rate_at(tick))
        for settle in self._settle:
            settle()
        self._show(tick)

    def finish(self, tick: Tick, show: bool = True) -> Tensor:
        """Paint the finished picture (of the running mean, if one is kept), show it and give it on."""
        with ExitStack() as stack:
            for canvas in self._finishes:
                stack.enter_context(canvas.finished())
            stack.enter_context(self.fit.averaged())
            self._repaint(tick)
        if show:
            self._show(tick, always=True)
        image: Tensor = self._values[self.image].detach()
        if not torch.isfinite(image).all():
            raise NotFiniteError(
                f"the last step of `{self.region.optimizer}` made the picture infinite; lower its rate"
            )
        self.give(image)
        return image

    def give(self, image: Tensor) -> None:
        """Put the finished picture where the rest of the run finds it."""
        self._values[self.result] = image

    def _detach(self) -> list[tuple[int, Tensor]]:
        """Cut the picture off the paint, so that the judge's gradients gather there; gives what was cut."""
        painted = []
        for slot in self._crossing:
            value = self._values[slot]
            if isinstance(value, Tensor) and value.requires_grad:
                painted.append((slot, value))
                self._values[slot] = value.detach().requires_grad_()
        return painted

    def _judged(self, tick: Tick) -> tuple[Loss, list[list[Tensor]]]:
        """The loss, and its terms of each part as they are before their weights."""
        total = torch.zeros((), device=self.device)
        parts = []
        for part in range(self.parts):
            share = Share(part, self.parts)
            for link in self._judge:
                link(self._values, tick, share)
            loss = self._values[self._loss] / self.parts
            loss.backward()
            total += loss.detach()
            parts.append([self._values[slot].detach() for slot in self._terms.values()])
        return Loss(total), parts

    def _pulled(self) -> Tensor | None:
        """What the camera adds to the loss, differentiated."""
        pulled = None if self.pull is None else self.pull(self._values[self.image])
        if pulled is None:
            return None
        pulled.backward()  # type: ignore[no-untyped-call]
        return pulled.detach()

    def _weighted(self, tick: Tick, parts: list[list[Tensor]], pulled: Tensor | None) -> Mapping[str, Tensor]:
        """The terms times their weights, by name; not reckoned before somebody wants them."""
        found: dict[str, Tensor] = {}
        for term, values in zip(self._terms, zip(*parts, strict=True), strict=True):
            weights = self._links[term.total].setting("weights", tick) if term.total else None
            mean = torch.stack(values).mean() if len(values) > 1 else values[0]
            value = mean * (1.0 if weights is None else weights[term.place])
            found[term.name] = found[term.name] + value if term.name in found else value
        if pulled is not None and self.region.shot is not None:
            found[self.region.shot.camera] = pulled
        return found

    def _differentiate(self, painted: list[tuple[int, Tensor]]) -> None:
        """Carry the gathered gradients on through the paint."""
        reached = [(value, self._values[slot].grad) for slot, value in painted]
        reached = [(value, self._kept_in(gradient)) for value, gradient in reached if gradient is not None]
        torch.autograd.backward([value for value, _ in reached], [gradient for _, gradient in reached])

    def _kept_in(self, gradient: Tensor) -> Tensor:
        """A gradient only where the picture may change; of what is no picture, all of it."""
        if self.only is None or gradient.ndim != 4 or gradient.shape[1] != 3:
            return gradient
        return gradient * F.interpolate(self.only, gradient.shape[-2:], mode="bilinear").to(gradient)

    @torch.no_grad()
    def _repaint(self, tick: Tick) -> None:
        for link in self._paint:
            link(self._values, tick, WHOLE)

    @torch.no_grad()
    def _show(self, tick: Tick, always: bool = False) -> None:
        for watch, links in self._watch:
            if always or tick.step % watch.every == 0:
                for link in links:
                    link(self._values, tick, WHOLE)

    def _looks_at(self, tick: Tick) -> bool:
        return self.device.type == "cpu" or tick.step % LOOK_EVERY == 0

    @torch.no_grad()
    def _blame(self, tick: Tick) -> None:
        """Compute the step again, looking at each node's values."""
        for link in (*self._paint, *self._judge):
            link(self._values, tick, Share(0, self.parts))
            for slot in link.outputs:
                if not all(bool(torch.isfinite(tensor).all()) for tensor in _tensors(self._values[slot])):
                    raise NotFiniteError(
                        f"at step {tick.step} the values of `{link.node.name}` ({link.node.spec.name}) are no longer"
                        " finite; a lower rate or a smaller weight of its loss may help"
                    )
        raise NotFiniteError(f"at step {tick.step} the loss is no longer finite; a lower rate may help")


def _pace(canvas: object) -> float:
    return canvas.pace if isinstance(canvas, Paced) else 1.0


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in a value."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)
    elif hasattr(value, "__dataclass_fields__"):
        for item in vars(value).values():
            yield from _tensors(item)
