"""A stage: one optimiser's region, built and linked, and the order of its step.

A step paints the picture once and judges it in one or more passes: with `accumulate: k` the judge runs k times on a
detached picture, adding up the picture's gradient, and the paint is differentiated once. Memory then grows with one
pass's crops, and k passes cost no extra painting.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from t2iflow.nodes.core.ambient import Share, Tick
from t2iflow.nodes.core.hooks import Finishes, Paced, Settles
from t2iflow.nodes.core.types import Image, Loss
from t2iflow.nodes.film.takes import Take
from t2iflow.nodes.optimizing.fit import Fit
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
    """What a step found before it moved: its loss, the terms that add up to it, and its picture."""

    loss: Loss
    terms: Mapping[str, Tensor]
    image: Image


class Stage:
    """One optimiser's region, live: `build` makes one."""

    def __init__(self, region: Region, circuit: Circuit) -> None:
        links, slots = circuit.links, circuit.slots
        self.region = region
        self.passes = region.passes
        self._circuit, self._values = circuit, circuit.values
        self._optimizer = links[region.optimizer]
        self._fit: Fit = self._optimizer.live
        self._canvases = [links[name] for name in region.canvases]
        self._paint = [links[name] for name in region.paint]
        self._judge = [links[name] for name in region.judge]
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
        self._painted: dict[int, Tensor] = {}
        """What the judge's gradients are gathered at, before it was cut off the paint."""

    def begin(self) -> None:
        """Let the optimiser take on what the canvases train, and paint the first picture."""
        self._trained: list[Tensor] = []
        paces: list[float] = []
        for link in self._canvases:
            with blaming(link.node):
                trained = link.live.trainable()
                self._trained += trained
                paces += [_pace(link.live)] * len(trained)
        with blaming(self._optimizer.node):  # a library's optimiser may refuse its settings
            self._fit.start(self._trained, paces)
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

    def step(self, tick: Tick, take: Take) -> None:
        """Take a whole step."""
        self.move(tick, take, self.judge(tick, take))

    def judge(self, tick: Tick, take: Take) -> Judged:
        """Paint and judge, which changes nothing that lasts."""
        loss, terms = self._judged(tick)
        image: Image = self._values[self.image].detach()
        if take.pull is not None and self.region.shot is not None:
            with blaming(self._circuit.links[self.region.shot.camera].node):
                pulled = take.pull(self._values[self.image])
            pulled.backward()  # type: ignore[no-untyped-call]
            loss, terms = loss + pulled.detach(), {**terms, self.region.shot.camera: pulled.detach()}
        if (image.is_cpu or tick.step % LOOK_EVERY == 0) and not torch.isfinite(loss):
            self._blame(tick)
        return Judged(Loss(loss), terms, image)

    def _judged(self, tick: Tick) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, and its terms times their weights, by name; the gradients are gathered at the picture."""
        values = self._values
        self.forget()
        run(self._paint, values, tick)
        crossing = {slot: values[slot] for slot in self._crossing}
        self._painted = {slot: one for slot, one in crossing.items() if isinstance(one, Tensor) and one.requires_grad}
        for slot, painted in self._painted.items():
            values[slot] = painted.detach().requires_grad_()
        losses, found = [], []
        for number in range(self.passes):
            run(self._judge, values, tick, Share(number, self.passes))
            loss = values[self._loss] / self.passes
            loss.backward()
            losses.append(loss.detach())
            found.append([values[slot].detach() for slot in self._terms.values()])
        return torch.stack(losses).sum(), self._weighed(tick, found)

    def _weighed(self, tick: Tick, passes: list[list[Tensor]]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for term, values in zip(self._terms, zip(*passes, strict=True), strict=True):
            weights = self._circuit.links[term.total].setting("weights", tick) if term.total else None
            mean = torch.stack(values).mean() if len(values) > 1 else values[0]
            value = mean * (1.0 if weights is None else weights[term.place])
            found[term.name] = found[term.name] + value if term.name in found else value
        return found

    def forget(self) -> None:
        """Let go of all that the last step had computed, even if it failed."""
        for tensor in self._trained:
            tensor.grad = None
        self._painted = {}
        for link in self._judge:
            for slot in link.outputs:
                self._values[slot] = None

    def move(self, tick: Tick, take: Take, judged: Judged) -> float:
        """Carry the gradients on through the paint, take the optimiser's step, settle, and show the outputs; gives the
        rate."""
        reached = [(painted, self._values[slot].grad) for slot, painted in self._painted.items()]
        reached = [(painted, gradient) for painted, gradient in reached if gradient is not None]
        fresh = take.fresh if tick.step < take.edge_steps else None
        gradients = [gradient if fresh is None else _kept_in(gradient, fresh) for _, gradient in reached]
        torch.autograd.backward([painted for painted, _ in reached], gradients)
        rate: float = self._optimizer.setting("rate", tick) if take.rate is None else take.rate
        with blaming(self._optimizer.node):
            self._fit(judged.image, judged.loss, rate=rate)
        for link in self._canvases:
            if isinstance(link.live, Settles):
                with blaming(link.node):
                    link.live.settle()
        self._circuit.watch(self.region.watch, tick, tick.step)
        return rate

    def restart(self, carry: bool) -> None:
        """Begin anew with what the canvases were moved to; `carry` keeps the optimiser's moments."""
        with blaming(self._optimizer.node):
            self._fit.restart(carry)

    def finish(self, tick: Tick, show: bool = True) -> Image:
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
        image: Image = self._values[self.image].detach()
        if not torch.isfinite(image).all():
            raise NotFiniteError(
                f"the last step of `{self.region.optimizer}` made the picture infinite; lower its rate"
            )
        self._values[self.image] = self._values[self.result] = image
        return image

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


def _kept_in(gradient: Tensor, only: Tensor) -> Tensor:
    """A gradient only where the picture may change; of what is no picture, all of it."""
    if gradient.ndim != 4 or gradient.shape[1] != 3:
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
