"""A reel: the turns of one optimiser's region; one where no camera films it, else as many as the camera takes."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from t2iflow.nodes.core.ambient import Tick
from t2iflow.nodes.core.types import Image
from t2iflow.nodes.film.takes import Camera, Guidance, Moved, Shown, Take, Turns
from t2iflow.pipelines.graph.graph import Graph, Node
from t2iflow.pipelines.plan.regions import Region, Shot
from t2iflow.runner.execution.circuit import Circuit
from t2iflow.runner.execution.link import Link, blaming
from t2iflow.runner.execution.stage import Stage, moment

ONE = Turns(1, 0)


@dataclass(frozen=True)
class Turn:
    """A turn that has begun: its place among others, the frame that it paints, and how its steps are taken."""

    number: int
    before: int
    """Steps of all turns before it."""
    frame: int
    take: Take
    region: Region

    @property
    def last(self) -> Tick:
        """Its last step."""
        return self._tick(self.take.steps - 1)

    def steps(self, first: int) -> Iterator[tuple[Tick, Guidance]]:
        """The steps from the `first` on, each with what the camera changes about it."""
        return ((self._tick(step), self.take.guidance(step)) for step in range(first, self.take.steps))

    def _tick(self, step: int) -> Tick:
        return moment(self.region, step, self.take.steps, self.frame)


class Reel:
    """Turns of a region: each begins with the moved last picture, takes its steps, and ends with frames to show."""

    def __init__(self, stage: Stage, turns: Turns = ONE, frames: int = 1, every: int = 1) -> None:
        """`frames` are made, one in `every` of the film's."""
        self.stage, self.turns, self.frames, self.every = stage, turns.number, frames, every
        self._steps = turns.steps
        self.total = self.before(self.turns)

    def before(self, number: int) -> int:
        """Steps of all turns before this one: the first takes the optimiser's own, each further one the camera's."""
        return self.stage.region.steps + (number - 1) * self._steps if number else 0

    def begin(self, number: int) -> Turn:
        """Make everything ready for a turn."""
        return self.turn(number)

    def aim(self, number: int) -> None:
        """Make everything that isn't remembered ready for the rest of a turn."""

    def turn(self, number: int) -> Turn:
        """A turn that has begun."""
        return Turn(number, self.before(number), 0, Take(self.stage.region.steps), self.stage.region)

    def end(self, turn: Turn) -> Iterator[Shown]:
        """Finish the picture of a turn, and show the frames that are due; each is shown when the next is asked for."""
        self.stage.finish(turn.last)
        yield from ()


class Film(Reel):
    """A reel that a camera makes."""

    def __init__(self, stage: Stage, shot: Shot, circuit: Circuit) -> None:
        self._node = circuit.links[shot.camera].node
        super().__init__(stage, _turns(self._node, shot), shot.made, shot.every)
        self._shot, self._circuit, self._values = shot, circuit, circuit.values
        self._camera: Camera = circuit.links[shot.camera].live
        self._canvases = [circuit.links[name] for name in stage.region.canvases]
        self._image = circuit.slots[shot.camera, "image"]

    @torch.no_grad()
    def begin(self, number: int) -> Turn:
        """Move what the canvases show, by all motions since the last turn."""
        again: dict[str, Link] = {}
        moved = False
        for frame in self._passed(number):
            self._compute(frame)
            for canvas in self._canvases:
                begun = self._move(canvas)
                moved = moved or begun is not None
                if begun is not None and not begun.itself:
                    again[canvas.node.name] = canvas
            self._values[self.stage.result] = self._values[self._image]
        for canvas in again.values():
            with blaming(canvas.node):
                canvas.live.repaint(self._values[canvas.outputs[0]])
        turn = self.turn(number)
        if moved:
            self.stage.restart(turn.take.carry)
        return turn

    @torch.no_grad()
    def aim(self, number: int) -> None:
        """Let the camera see again what it is wired to; what it made of the picture then, it remembers."""
        self.stage.give(self._values[self.stage.image])
        for frame in self._passed(number)[-1:]:
            self._compute(frame)

    def turn(self, number: int) -> Turn:
        """The first turn is as without a camera."""
        if number == 0:
            return super().turn(number)
        with blaming(self._node):
            take = self._camera.take()
        return Turn(number, self.before(number), self._passed(number)[-1], take, self.stage.region)

    def end(self, turn: Turn) -> Iterator[Shown]:
        """Finish the picture, and show the frames that are due; each is shown when the next is asked for."""
        picture = Image(self.stage.finish(turn.last))
        with blaming(self._node):
            due = self._camera.develop(picture, turn.number, self.every)
            shown = next(due, None)
        while shown is not None:
            self._values[self._image] = shown.image
            self._circuit.watch(self._shot.show, moment(turn.region, 0, 1, shown.frame), shown.number)
            yield shown
            with blaming(self._node):
                shown = next(due, None)

    def _passed(self, number: int) -> range:
        with blaming(self._node):
            return self._camera.passed(number, self.every) if number else range(0)

    def _compute(self, frame: int) -> None:
        """Compute the camera for a frame, and what aims it."""
        self._circuit.compute((*self._shot.aim, self._shot.camera), moment(self.stage.region, frame=frame))

    def _move(self, canvas: Link) -> Moved | None:
        """Move a canvas to the present frame, and what it shows."""
        slot = canvas.outputs[0]
        picture = self._values[self.stage.result if slot == self.stage.image else slot]
        with blaming(self._node):
            try:
                begun = self._camera.move(canvas.live, picture)
            except ValueError as fault:
                raise ValueError(f"the canvas `{canvas.node.name}` {fault}") from fault
        if begun is not None:
            self._values[slot] = begun.picture
        return begun


def total(region: Region, graph: Graph) -> int:
    """Steps of an optimiser and its camera together, before there is a reel; fewer where no edges newly come in."""
    number, steps = _turns(graph.nodes[region.shot.camera], region.shot) if region.shot else ONE
    return region.steps + (number - 1) * steps


def _turns(camera: Node, shot: Shot) -> Turns:
    kind: type[Camera] = camera.spec.model
    return kind.turns(camera.settings, shot.every)
