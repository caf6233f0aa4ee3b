"""A stage: one optimiser's region, built and linked, and the order of its step.

A step paints the picture once and judges it in one or more passes: with `accumulate: k` the judge runs k times on a
detached picture, adding up the picture's gradient, and the paint is differentiated once. Memory then grows with one
pass's crops, and k passes cost no extra painting.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from t2iflow.nodes.core.ambient import Share, Tick
from t2iflow.nodes.core.hooks import Finishes, Paced, Settles
from t2iflow.nodes.core.types import Image, Loss
from t2iflow.nodes.film.takes import FREE, Guidance
from t2iflow.nodes.optimizers import Fit
from t2iflow.pipelines.graph.schedule import least
from t2iflow.pipelines.plan.regions import Region
from t2iflow.pipelines.plan.terms import terms
from t2iflow.runner.execution.circuit import Circuit
from t2iflow.runner.execution.link import blaming, run

LOOK_EVERY = 25
"""Steps between looks at whether a GPU's loss is still finite; each look waits for the device."""


class NotFiniteError(ArithmeticError):
    """A value became infinite or not a number; says in which node first."""


@dataclass(frozen=True)
class Judged:
    """What a step found before it moved: its loss, picture and rate, and the terms of the loss, read when asked for."""

    loss: Loss
    image: Image
    rate: float
    terms: Callable[[], Mapping[str, Tensor]]


class Stage:
    """One optimiser's region, live: `build` makes one."""

    def __init__(self, region: Region, circuit: Circuit) -> None:
        links, slots = circuit.links, circuit.slots
        self.region = region
        self.passes = region.accumulate
        self._circuit, self._values = circuit, circuit.values
        self._optimizer = links[region.optimizer]
        self._fit: Fit = self._optimizer.live
        self._camera = links[region.shot.camera] if region.shot else None
        self._canvases = [links[name] for name in region.canvases]
        self._paint = [links[name] for name in region.paint]
        self._judge = [links[name] for name in region.judge]
        self._settle = [link for link in self._canvases if isinstance(link.live, Settles)]
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

    def begin(self) -> None:
        """Let the optimiser take on what the canvases train, and paint the first picture."""
        tensors: list[Tensor] = []
        paces: list[float] = []
        for link in self._canvases:
            with blaming(link.node):
                trained = link.live.trainable()
                tensors += trained
                paces += [_pace(link.live)] * len(trained)
        with blaming(self._optimizer.node):  # a library's optimiser may refuse its settings
            self._fit.start(tensors, paces)
        self._circuit.compute(self.region.paint, moment(self.region))

    @property
    def device(self) -> torch.device:
        """Where the picture is."""
        image: Tensor = self._values[self.image]
        return image.device

    @property
    def most_passes(self) -> int:
        """How many passes a step can be judged in at most: no node may be left without a crop to make."""
        counts = [
            least(link.node.said("count"))
            for link in self._judge
            if Share in link.node.spec.ambient.values() and "count" in link.node.spec.meanings
        ]
        return int(min(counts, default=1))

    def step(self, tick: Tick, guidance: Guidance = FREE) -> None:
        """Take a whole step."""
        self.move(tick, self.judge(tick, guidance))

    def judge(self, tick: Tick, guidance: Guidance = FREE) -> Judged:
        """Paint, judge and differentiate, which changes nothing that lasts."""
        self._fit.clear()
        rate = self._optimizer.setting("rate", tick) if guidance.rate is None else guidance.rate
        run(self._paint, self._values, tick)
        painted = self._detach()
        loss, found = self._judged(tick)
        pulled = self._pulled(guidance)
        if pulled is not None:
            loss = Loss(loss + pulled)
        image: Image = self._values[self.image].detach()
        if self._looks_at(tick) and not torch.isfinite(loss):
            self._blame(tick)
        self._differentiate(painted, guidance.only)
        return Judged(loss, image, float(rate), lambda: self._weighted(tick, found, pulled))

    def forget(self) -> None:
        """Let go of all that a step had computed when it failed."""
        self._fit.clear()
        for link in self._judge:
            for slot in link.outputs:
                self._values[slot] = None

    def move(self, tick: Tick, judged: Judged) -> None:
        """Take the optimiser's step along the gradients, settle the canvases, and show the outputs."""
        with blaming(self._optimizer.node):
            self._fit(judged.image, judged.loss, rate=judged.rate)
        for link in self._settle:
            with blaming(link.node):
                link.live.settle()
        self._circuit.watch(self.region.watch, tick, tick.step)

    def restart(self, carry: bool) -> None:
        """Begin anew with what the canvases were moved to; `carry` keeps the optimiser's moments."""
        with blaming(self._optimizer.node):
            self._fit.restart(carry)

    def finish(self, tick: Tick, show: bool = True) -> Tensor:
        """Paint the finished picture (of the running mean, if one is kept), show it and give it on."""
        with ExitStack() as stack:
            for link in self._canvases:
                if isinstance(link.live, Finishes):
                    with blaming(link.node):
                        stack.enter_context(link.live.finished())
            stack.enter_context(self._fit.averaged())
            self._circuit.compute(self.region.paint, tick)
        if show:
            self._circuit.watch(self.region.watch, tick)
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
        """The loss, and its terms in each pass as they are before their weights."""
        total = torch.zeros((), device=self.device)
        found = []
        for number in range(self.passes):
            run(self._judge, self._values, tick, Share(number, self.passes))
            loss = self._values[self._loss] / self.passes
            loss.backward()
            total += loss.detach()
            found.append([self._values[slot].detach() for slot in self._terms.values()])
        return Loss(total), found

    def _pulled(self, guidance: Guidance) -> Tensor | None:
        """What the camera adds to the loss, differentiated."""
        if guidance.pull is None or self._camera is None:
            return None
        with blaming(self._camera.node):
            pulled = guidance.pull(self._values[self.image])
        if pulled is None:
            return None
        pulled.backward()  # type: ignore[no-untyped-call]
        return pulled.detach()

    def _weighted(self, tick: Tick, passes: list[list[Tensor]], pulled: Tensor | None) -> Mapping[str, Tensor]:
        """The terms times their weights, by name; computed only on demand."""
        found: dict[str, Tensor] = {}
        for term, values in zip(self._terms, zip(*passes, strict=True), strict=True):
            weights = self._circuit.links[term.total].setting("weights", tick) if term.total else None
            mean = torch.stack(values).mean() if len(values) > 1 else values[0]
            value = mean * (1.0 if weights is None else weights[term.place])
            found[term.name] = found[term.name] + value if term.name in found else value
        if pulled is not None and self.region.shot is not None:
            found[self.region.shot.camera] = pulled
        return found

    def _differentiate(self, painted: list[tuple[int, Tensor]], only: Tensor | None) -> None:
        """Carry the gathered gradients on through the paint."""
        reached = [(value, self._values[slot].grad) for slot, value in painted]
        reached = [(value, _kept_in(gradient, only)) for value, gradient in reached if gradient is not None]
        torch.autograd.backward([value for value, _ in reached], [gradient for _, gradient in reached])

    def _looks_at(self, tick: Tick) -> bool:
        return self.device.type == "cpu" or tick.step % LOOK_EVERY == 0

    @torch.no_grad()
    def _blame(self, tick: Tick) -> None:
        """Compute the step again, looking at each node's values."""
        for link in (*self._paint, *self._judge):
            run([link], self._values, tick, Share(0, self.passes))
            for slot in link.outputs:
                if not all(bool(torch.isfinite(tensor).all()) for tensor in _tensors(self._values[slot])):
                    raise NotFiniteError(
                        f"at step {tick.step} the values of `{link.node.name}` ({link.node.spec.name}) are no longer"
                        " finite; a lower rate or a smaller weight of its loss may help"
                    )
        raise NotFiniteError(f"at step {tick.step} the loss is no longer finite; a lower rate may help")


def build(region: Region, circuit: Circuit) -> Stage:
    """Make a region's nodes live, with all that they begin with, and paint its first picture."""
    for name in region.first:
        circuit.make([name])
        circuit.compute([name], moment(region))
    circuit.make(region.members)
    stage = Stage(region, circuit)
    stage.begin()
    return stage


def moment(region: Region, step: int = 0, steps: int | None = None, frame: int = 0) -> Tick:
    """A time in a region."""
    shot = region.shot
    steps = region.steps if steps is None else steps
    return Tick(step, steps, frame, shot.frames, shot.fps) if shot else Tick(step, steps)


def _kept_in(gradient: Tensor, only: Tensor | None) -> Tensor:
    """A gradient only where the picture may change; of what is no picture, all of it."""
    if only is None or gradient.ndim != 4 or gradient.shape[1] != 3:
        return gradient
    return gradient * F.interpolate(only, gradient.shape[-2:], mode="bilinear").to(gradient)


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
