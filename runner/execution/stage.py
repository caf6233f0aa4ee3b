"""A stage: one optimiser's region, built and linked, and the order of its step.

A step paints the picture once and judges it in one or more passes: with `accumulate: k` the judge runs k times on a
detached picture, adding up the picture's gradient, and the paint is differentiated once. Memory then grows with one
pass's crops, and k passes cost no extra painting.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from t2iflow.nodes.core.ambient import Share, Tick
from t2iflow.nodes.core.hooks import Finishes, Paced, Settles
from t2iflow.nodes.core.types import Image, Loss
from t2iflow.nodes.film.takes import Take
from t2iflow.nodes.optimizing.fit import Fit
from t2iflow.pipelines.graph.graph import Node
from t2iflow.pipelines.graph.schedule import least
from t2iflow.pipelines.plan.regions import Region
from t2iflow.pipelines.plan.terms import terms
from t2iflow.runner.execution.capture import Capture, Recorder
from t2iflow.runner.execution.circuit import Circuit
from t2iflow.runner.execution.finite import NotFiniteError, blame
from t2iflow.runner.execution.link import ALL, Arguments, blaming, now, run
from t2iflow.runner.execution.tensors import mapped

LOOK_EVERY = 25
"""Steps between looks at whether a GPU's loss is still finite; each look waits for the device."""


@dataclass(frozen=True)
class Judged:
    """What a step found before it moved: its loss, the terms that add up to it, and its picture."""

    loss: Loss
    terms: Mapping[str, Tensor]
    image: Image


class Stage:
    """One optimiser's region, live: `build` makes one."""

    def __init__(self, region: Region, circuit: Circuit, recorder: Recorder | None = None) -> None:
        links, slots = circuit.links, circuit.slots
        self.region = region
        self.passes = region.passes
        self._circuit, self._values = circuit, circuit.values
        self._optimizer = links[region.optimizer]
        self._fit: Fit = self._optimizer.live
        self._canvases = [links[name] for name in region.canvases]
        self._camera = links[region.shot.camera].node if region.shot else None
        self._ahead = [links[name] for name in region.ahead]
        self._paint = [links[name] for name in region.paint if name not in region.ahead]
        self._judge = [links[name] for name in region.judge if name not in region.ahead]
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
        around = circuit.around
        notes = around.notes(region.optimizer)
        self._capture = Capture(recorder, self._values, around.device, notes) if recorder else None

    def begin(self) -> None:
        """Hand the optimiser what the canvases train, and paint the first picture."""
        self._trained: list[Tensor] = []
        paces: list[float] = []
        for link in self._canvases:
            with blaming(link.node):
                trained = link.live.trainable()
                self._trained += trained
                paces += [_pace(link.live)] * len(trained)
        with blaming(self._optimizer.node):  # a library's optimiser may refuse its settings
            self._fit.start(self._trained, paces)
        self._circuit.compute(self.region.paint, self.region.tick())

    @property
    def device(self) -> torch.device:
        """Where the picture is."""
        image: Tensor = self._values[self.image]
        return image.device

    @property
    def most_passes(self) -> int:
        """The most passes that a step can be judged in: every node needs a crop to make in each."""
        counts = [
            least(link.node.value("count"))
            for link in self._judge
            if Share in link.node.spec.ambient.values() and "count" in link.node.spec.meanings
        ]
        return int(min(counts, default=1))

    def step(self, tick: Tick, take: Take) -> None:
        """Take a whole step."""
        self.judge(tick, take)
        self.move(tick, take)

    def judge(self, tick: Tick, take: Take) -> Judged:
        """Paint and judge, changing nothing that lasts."""
        for link in self._ahead:
            with torch.no_grad():
                link.compute(self._values, link.changing(tick, ALL))
        shares = [Share(number, self.passes) for number in range(self.passes)]
        if self._capture is not None and self._capture.on:
            judged = self._replayed(shares, tick, self._capture)
        else:
            judged, _ = self._judged(shares, now(tick))
        if take.pull is not None and self._camera is not None:
            judged = self._with_pull(judged, take.pull, self._camera)
        if take.fresh is not None and tick.step < take.edge_steps:
            self._keep_in(take.fresh)
        if (judged.image.is_cpu or tick.step % LOOK_EVERY == 0) and not torch.isfinite(judged.loss):
            raise blame((*self._ahead, *self._paint, *self._judge), self._values, tick, shares[0])
        return judged

    def _judged(self, shares: Sequence[Share], given: Arguments) -> tuple[Judged, Mapping[int, Any]]:
        """What a step finds, and all values of it; the gradients are gathered at the picture."""
        values = self._values
        self.forget()
        run(self._paint, values, given)
        crossing = {slot: values[slot] for slot in self._crossing}
        self._painted = {slot: one for slot, one in crossing.items() if isinstance(one, Tensor) and one.requires_grad}
        for slot, painted in self._painted.items():
            values[slot] = painted.detach().requires_grad_()
        losses, found = [], []
        for share in shares:
            run(self._judge, values, given, share)
            loss = values[self._loss] / len(shares)
            loss.backward()
            losses.append(loss.detach())
            found.append([values[slot].detach() for slot in self._terms.values()])
        picture: Tensor = values[self.image]
        if self._camera is not None and picture.requires_grad and picture.grad is None:
            picture.grad = torch.zeros_like(picture)  # where what the camera pulls is gathered, in every step
        image = Image(picture.detach())
        judged = Judged(Loss(torch.stack(losses).sum()), self._term_values(found, given, shares[0]), image)
        return judged, {slot: values[slot] for link in (*self._paint, *self._judge) for slot in link.outputs}

    def _replayed(self, shares: Sequence[Share], tick: Tick, capture: Capture) -> Judged:
        """What a step finds, replayed if it was recorded."""
        calls = [*((link, ALL) for link in self._paint), *((link, share) for share in shares for link in self._judge)]
        ahead = [slot for link in self._ahead for slot in link.outputs]
        given = capture.prepare(calls, ahead, tick)
        plainly = partial(self._judged, shares, now(tick))
        judged, values = capture.part("judge", partial(self._judged, shares, given), plainly)
        for slot, value in values.items():
            self._values[slot] = value
        cloned: Judged = mapped(judged, torch.clone)
        return cloned

    def _term_values(self, passes: list[list[Tensor]], given: Arguments, share: Share) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for term, values in zip(self._terms, zip(*passes, strict=True), strict=True):
            total = self._circuit.links[term.total] if term.total else None
            weights = {**total.settings, **given(total, share)}["weights"] if total else None
            mean = torch.stack(values).mean() if len(values) > 1 else values[0]
            value = mean * (1.0 if weights is None else weights[term.place])
            found[term.name] = found[term.name] + value if term.name in found else value
        return found

    def _with_pull(self, judged: Judged, pull: Callable[[Tensor], Loss], camera: Node) -> Judged:
        """What a step finds, with what the camera adds to its loss."""
        with blaming(camera):
            pulled = pull(self._values[self.image])
        pulled.backward()  # type: ignore[no-untyped-call]
        terms = {**judged.terms, camera.name: pulled.detach()}
        return Judged(Loss(judged.loss + pulled.detach()), terms, judged.image)

    def _keep_in(self, fresh: Tensor) -> None:
        """Let the picture change only where it is fresh; what isn't a picture may change everywhere."""
        for gradient in (self._values[slot].grad for slot in self._painted):
            if gradient is not None and gradient.ndim == 4 and gradient.shape[1] == 3:
                gradient.mul_(F.interpolate(fresh, gradient.shape[-2:], mode="bilinear").to(gradient))

    def forget(self) -> None:
        """Release all that the last step computed, even if it failed."""
        for tensor in self._trained:
            tensor.grad = None
        self._painted = {}
        for link in self._judge:
            for slot in link.outputs:
                self._values[slot] = None

    def move(self, tick: Tick, take: Take) -> float:
        """Carry the gradients on through the paint, take the optimiser's step, settle, and show the outputs; gives the
        rate."""
        gradients = self._part("carry", self._carry, lambda: self._carry_anew(tick, take))
        for tensor, gradient in zip(self._trained, gradients, strict=True):
            tensor.grad = gradient
        rate: float = self._optimizer.setting("rate", tick) if take.rate is None else take.rate
        self._fit.set_out(rate)
        if self._fit.capturable:
            self._part("advance", blaming(self._optimizer.node)(self._fit.step))
        else:
            blaming(self._optimizer.node)(self._fit.step)()
        for link in self._canvases:
            if isinstance(link.live, Settles):
                self._part(f"settle {link.node.name}", blaming(link.node)(link.live.settle))
        for watch in self.region.watch:
            self._circuit.show(watch, tick, tick.step)
        return rate

    def _part(self, name: str, act: Callable[[], Any], instead: Callable[[], Any] | None = None) -> Any:
        """Do part of a step; if that can't be recorded, do `instead`."""
        return act() if self._capture is None else self._capture.part(name, act, instead or act)

    def _carry(self) -> list[Tensor | None]:
        """Carry the gradients on through the paint; gives those of what is trained."""
        reached = [(painted, self._values[slot].grad) for slot, painted in self._painted.items()]
        sums = [(painted * gradient).sum() for painted, gradient in reached if gradient is not None]
        torch.autograd.backward(sums)  # which, given the gradients themselves, would first import an algebra system
        return [tensor.grad for tensor in self._trained]

    def _carry_anew(self, tick: Tick, take: Take) -> list[Tensor | None]:
        """The same for a step that has to be judged again, since it can't be recorded."""
        self.judge(tick, take)
        return self._carry()

    def restart(self, carry: bool) -> None:
        """Start again from what the canvases were moved to; `carry` keeps the optimiser's moments."""
        with blaming(self._optimizer.node):
            self._fit.restart(carry)

    def finish(self, tick: Tick, show: bool = True) -> Image:
        """Paint the finished picture (of the running mean, if one is kept), show it and pass it on."""
        with ExitStack() as stack:
            for link in self._canvases:
                if isinstance(link.live, Finishes):
                    with blaming(link.node):
                        stack.enter_context(link.live.finished())
            stack.enter_context(self._fit.averaged())
            self._circuit.compute(self.region.paint, tick)
        for watch in self.region.watch if show else ():
            self._circuit.show(watch, tick)
        image: Image = self._values[self.image].detach()
        if not torch.isfinite(image).all():
            raise NotFiniteError(
                f"the last step of `{self.region.optimizer}` made the picture infinite; lower its rate"
            )
        self._values[self.image] = self._values[self.result] = image
        return image


def build(region: Region, circuit: Circuit, recorder: Recorder | None = None) -> Stage:
    """Make a region's nodes live, after whatever they start from, and paint its first picture."""
    for name in region.first:
        circuit.make([name])
        circuit.compute([name], region.tick())
    circuit.make(region.members)
    stage = Stage(region, circuit, recorder)
    stage.begin()
    return stage


def _pace(canvas: object) -> float:
    return canvas.pace if isinstance(canvas, Paced) else 1.0
