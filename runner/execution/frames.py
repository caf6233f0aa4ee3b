"""A reel: the turns of one optimiser's region; one if no camera films it, otherwise as many as the camera takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeAlias

import torch

from t2iflow.nodes.core.ambient import Tick
from t2iflow.nodes.core.hooks import Carries
from t2iflow.nodes.film.takes import Camera, Take, Turns
from t2iflow.pipelines.graph.graph import Graph, Node
from t2iflow.pipelines.plan.regions import Region, Shot
from t2iflow.runner.events import Filmed, Listener
from t2iflow.runner.execution.circuit import Circuit
from t2iflow.runner.execution.link import Link, blaming
from t2iflow.runner.execution.stage import Stage


class Turn(NamedTuple):
    """A turn: its place among others, the steps of those before it, and the frames that lead to the one it paints."""

    number: int
    before: int
    frames: range

    @property
    def frame(self) -> int:
        """The frame that it paints."""
        return self.frames[-1] if self.frames else 0


class Single:
    """The only turn of a region that no camera films."""

    turns = every = 1

    def __init__(self, stage: Stage) -> None:
        self.stage, self.total = stage, stage.region.steps

    def turn(self, number: int) -> Turn:
        """The only one."""
        return Turn(number, 0, range(0))

    def begin(self, turn: Turn) -> Take:
        """How its steps are taken."""
        return Take(self.total)

    take = begin

    def aim(self, turn: Turn) -> None:
        """Nothing: no camera has to see anything."""

    def end(self, turn: Turn, last: Tick, emit: Listener) -> int:
        """Finish the picture after the `last` step; no frame is shown."""
        self.stage.finish(last)
        return 0


class Film:
    """Turns that a camera makes: each begins with the moved last picture, takes its steps, and ends with frames to
    show; the first is as without a camera."""

    def __init__(self, stage: Stage, shot: Shot, circuit: Circuit) -> None:
        self._node = circuit.links[shot.camera].node
        self.stage, self.every = stage, shot.every
        self.turns, self._steps = _turns(self._node, shot)
        self.total = self._before(self.turns)
        self._shot, self._circuit, self._values = shot, circuit, circuit.values
        self._camera: Camera = circuit.links[shot.camera].live
        self._canvases = [circuit.links[name] for name in stage.region.canvases]
        self._image = circuit.slots[shot.camera, "image"]

    def turn(self, number: int) -> Turn:
        """One of its turns, with its frames."""
        with blaming(self._node):
            frames = self._camera.passed(self._node.settings, number, self.every) if number else range(0)
        return Turn(number, self._before(number), frames)

    @torch.no_grad()
    def begin(self, turn: Turn) -> Take:
        """Move what the canvases show, by all motions since the last turn; gives how its steps are taken."""
        if not turn.frames:
            return self.take(turn)
        moved: dict[Link, bool] = {}  # and whether it was always the canvas itself
        for frame in turn.frames:
            self._compute(frame)
            for canvas in self._canvases:
                slot = canvas.outputs[0]
                with blaming(self._node), _naming(canvas.node.name):
                    begun = self._camera.move(canvas.live, self._values[slot])
                if begun is not None:
                    self._values[slot] = begun.picture
                    moved[canvas] = begun.itself and moved.get(canvas, True)
            self._values[self.stage.result] = self._values[self._image]
        with blaming(self._node):
            take = self._camera.take()
        for canvas, itself in moved.items():
            with blaming(canvas.node):
                if not itself:
                    canvas.live.repaint(self._values[canvas.outputs[0]])
                elif isinstance(canvas.live, Carries):
                    canvas.live.carry(self._values[canvas.outputs[0]])
        if moved or not take.carry:
            self.stage.restart(take.carry)
        return take

    @torch.no_grad()
    def aim(self, turn: Turn) -> None:
        """For the rest of a turn that has begun, let the camera see again what it is wired to; what it made of the
        picture then, it remembers."""
        self._values[self.stage.result] = self._values[self.stage.image]
        if turn.frames:
            self._compute(turn.frame)

    def take(self, turn: Turn) -> Take:
        """How the steps of a turn that has begun are taken."""
        with blaming(self._node):
            return self._camera.take() if turn.frames else Take(self.stage.region.steps)

    def end(self, turn: Turn, last: Tick, emit: Listener) -> int:
        """Finish the picture after the `last` step, and show the frames that are due; gives how many frames there are
        now."""
        region, made = self.stage.region, 0
        picture = self.stage.finish(last)
        with blaming(self._node):
            for shown in self._camera.develop(picture, turn.number, self.every):
                self._values[self._image] = shown.image
                for watch in self._shot.show:
                    self._circuit.show(watch, region.tick(0, 1, shown.frame), shown.number)
                emit(Filmed(region.optimizer, shown.number, self._shot.made, shown.image))
                made = shown.number + 1
        return made

    def _compute(self, frame: int) -> None:
        """Compute the camera for a frame, and what aims it."""
        self._circuit.compute((*self._shot.aim, self._shot.camera), self.stage.region.tick(frame=frame))

    def _before(self, number: int) -> int:
        """Steps of all turns before this one: the first takes the optimiser's own, each further one the camera's."""
        return self.stage.region.steps + (number - 1) * self._steps if number else 0


Reel: TypeAlias = Single | Film
"""The turns of a region."""


@contextmanager
def _naming(canvas: str) -> Iterator[None]:
    """Within it, what a camera says of a canvas gets the canvas's name."""
    try:
        yield
    except ValueError as fault:
        raise ValueError(f"the canvas `{canvas}` {fault}") from fault


def total(region: Region, graph: Graph) -> int:
    """Steps of an optimiser and its camera together, before there is a reel; fewer where no edge comes into view."""
    number, steps = _turns(graph.nodes[region.shot.camera], region.shot) if region.shot else (1, 0)
    return region.steps + (number - 1) * steps


def _turns(camera: Node, shot: Shot) -> Turns:
    kind: type[Camera] = camera.spec.model
    return kind.turns(camera.settings, shot.every)
