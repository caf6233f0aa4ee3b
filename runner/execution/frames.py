"""A reel: the frames of one optimiser's region; one where no camera films it, else as many as the camera makes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from t2iflow.nodes.core.ambient import Tick
from t2iflow.nodes.core.node import Moves
from t2iflow.nodes.core.types import Image
from t2iflow.nodes.film.shooting import Camera
from t2iflow.pipelines.graph.graph import Graph
from t2iflow.pipelines.plan.regions import Region, Shot
from t2iflow.runner.execution.link import Link, NodeError, Slot
from t2iflow.runner.execution.stage import WHOLE, Stage


@dataclass(frozen=True)
class Frame:
    """A frame of the film, as it is shown: the `number`-th of the reel, and when it is."""

    number: int
    tick: Tick
    image: Tensor


class Reel:
    """Turns of a region: each begins with the moved last picture, takes its steps, and ends with frames to show."""

    turns = 1
    frames = 1
    every = 1

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    @property
    def total(self) -> int:
        """Steps of all turns."""
        return self.before(self.turns)

    def before(self, turn: int) -> int:
        """Steps of all turns before this one."""
        return self.stage.region.steps * turn

    def begin(self, turn: int) -> None:
        """Make everything ready for a turn."""

    def aim(self, turn: int) -> None:
        """Make everything that isn't remembered ready for the rest of a turn."""

    def steps(self, turn: int) -> int:
        """How many steps a turn has, once it has begun."""
        return self.stage.region.steps

    def ticks(self, turn: int, first: int = 0) -> Iterator[Tick]:
        """The steps of a turn from the `first` on, once it has begun."""
        steps = self.steps(turn)
        return (self.tick(turn, step, steps) for step in range(first, steps))

    def tick(self, turn: int, step: int, steps: int) -> Tick:
        """A time in a turn."""
        return self.stage.tick(step, steps)

    def step(self, tick: Tick) -> None:
        """Make everything ready for a step."""

    def end(self, turn: int) -> Iterator[Frame]:
        """Finish the picture of a turn, and show the frames that are due."""
        self.stage.finish(self.last(turn))
        yield from ()

    def last(self, turn: int) -> Tick:
        """The last step of a turn."""
        steps = self.steps(turn)
        return self.tick(turn, steps - 1, steps)


class Film(Reel):
    """A reel that a camera makes."""

    def __init__(
        self, stage: Stage, shot: Shot, links: Mapping[str, Link], slots: Mapping[Slot, int], values: list[Any]
    ) -> None:
        super().__init__(stage)
        self._shot, self._values = shot, values
        self._link = links[shot.camera]
        self.camera: Camera = self._link.live
        self._aim = [links[name] for name in shot.aim]
        self._show = [(watch, [links[name] for name in (*watch.before, watch.sink)]) for watch in shot.show]
        self._canvases = [(links[name], links[name].outputs[0]) for name in stage.region.canvases]
        self._image, self._motion = slots[shot.camera, "image"], slots[shot.camera, "motion"]
        self.every = shot.every
        self.turns = self.camera.turns(shot.every)
        self.frames = shot.made

    def before(self, turn: int) -> int:
        """The first turn takes the optimiser's own steps, each further one the camera's."""
        if turn == 0:
            return 0
        return self.stage.region.steps + (turn - 1) * (self.camera.steps + self.camera.edge_steps)

    @torch.no_grad()
    def begin(self, turn: int) -> None:
        """Move what the canvases show, by all motions since the last turn."""
        if turn == 0:
            return
        again: dict[int, Link] = {}
        moved = False
        for frame in self.camera.passed(turn, self._shot.every):
            tick = self.stage.tick(0, frame=frame)
            for link in (*self._aim, self._link):
                link(self._values, tick, WHOLE)
            if not self.camera.moves:
                continue
            moved = True
            for link, slot in self._canvases:
                if not self._moves(link):
                    again[slot] = link
                whole = slot == self.stage.image
                self._values[slot] = self._values[self._image] if whole else self.camera.moved(self._values[slot])
            self._values[self.stage.result] = self._values[self._image]
        for slot, link in again.items():
            link.guarded(link.live.repaint, image=self._values[slot])
        if moved:
            # Moments would go on changing what `only` leaves out.
            self.stage.fit.restart(self.camera.carry and not self._edge_steps)

    @torch.no_grad()
    def aim(self, turn: int) -> None:
        """Let the camera see again what it is wired to; what it made of the picture then, it remembers."""
        self.stage.give(self._values[self.stage.image])
        for frame in list(self.camera.passed(turn, self._shot.every))[-1:] if turn else ():
            for link in (*self._aim, self._link):
                link(self._values, self.stage.tick(0, frame=frame), WHOLE)

    def step(self, tick: Tick) -> None:
        """Hand the camera's wishes to the stage."""
        if tick.frame:
            self.stage.rate, self.stage.pull = self.camera.rate, self.camera.pull
            only = tick.steps - tick.step > self.camera.steps
            self.stage.only = self.camera.fresh if only else None

    def end(self, turn: int) -> Iterator[Frame]:
        """Finish the picture, and show the frames that are due; each is shown when the next is asked for."""
        picture = self.stage.finish(self.last(turn))
        for number, image in self.camera.develop(Image(picture), turn, self._shot.every):
            tick = self.stage.tick(0, 1, number)
            self._values[self._image] = image
            for watch, links in self._show:
                if self.camera.shown % watch.every == 0:
                    self._look(links, tick)
            self.camera.shown += 1
            yield Frame(self.camera.shown - 1, tick, image)

    @torch.no_grad()
    def _look(self, links: list[Link], tick: Tick) -> None:
        for link in links:
            link(self._values, tick, WHOLE)

    @property
    def _edge_steps(self) -> int:
        return self.camera.edge_steps if self.camera.fresh is not None else 0

    def steps(self, turn: int) -> int:
        """How many steps a turn has; in the first of them only what has newly come in changes."""
        if turn == 0:
            return self.stage.region.steps
        return self.camera.steps + self._edge_steps

    def tick(self, turn: int, step: int, steps: int) -> Tick:
        """A time in a turn."""
        return self.stage.tick(step, steps, self.camera.frame(turn, self._shot.every))

    def _moves(self, link: Link) -> bool:
        """Whether the canvas has moved itself."""
        if self.camera.restarts or not self.camera.latent:
            return False
        canvas, motion = link.live, self._values[self._motion]
        if isinstance(canvas, Moves) and canvas.move(motion, self.camera.border, self.camera.exact):
            return True
        if not self.camera.exact:
            can = "can't be moved so" if isinstance(canvas, Moves) else "can't be moved"
            fault = ValueError(f"the canvas `{link.node.name}` {can} in what it is painted from; take `move: auto`")
            raise NodeError(self._link.node, fault)
        return False


def total(region: Region, graph: Graph) -> int:
    """Steps of an optimiser and its camera together, before there is a reel; fewer where no edges newly come in."""
    if region.shot is None:
        return region.steps
    node = graph.nodes[region.shot.camera]
    settings = {name: value for name, value in node.settings.items() if node.spec.settings[name].once}
    devices = {name: torch.device("cpu") for name, kind in node.spec.ambient_once.items() if kind is torch.device}
    camera: Camera = node.spec.make(**settings, **devices)
    return region.steps + (camera.turns(region.shot.every) - 1) * (camera.steps + camera.edge_steps)
