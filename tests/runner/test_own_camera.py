"""A camera of another package films as ours do, with nothing of our base class."""

from collections.abc import Callable

import pytest
import torch

from tests.runner.conftest import Command
from tests.runner.test_film import FILM, frames, told_of

CAMERA = '''
import torch
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.types import Factor, Frames, FrameSteps, Image
from t2iflow.nodes.film.shooting import Framed
from t2iflow.nodes.film.takes import Moved, Shown, Take, Turns
from t2iflow.nodes.pictures.motion import Still

@node(role="camera")
class Flip:
    """Mirror each frame."""

    def __init__(self, *, frames: Frames = 4, steps: FrameSteps = 2) -> None:
        self.frames, self.steps = frames, steps

    def __call__(self, image: Image, *, rate: Factor = 0.0) -> Framed:
        self.rate = rate
        return Framed(image.flip(-1), Still())

    @classmethod
    def turns(cls, settings, every):
        return Turns(-(-settings["frames"] // every), settings["steps"])

    @classmethod
    def passed(cls, settings, turn, every):
        return range((turn - 1) * every + 1, turn * every + 1)

    def move(self, canvas, picture):
        return Moved(picture.flip(-1), False)

    def take(self):
        return Take(self.steps, self.rate)

    def develop(self, picture, turn, every):
        yield Shown(turn, turn * every, picture)
'''
FLIPPED = FILM.replace("camera.zoom", "mine.flip").replace(", scale: {0: 1, 10: 1.05, 100%: 1}, turn: 1", "")


@pytest.fixture(autouse=True)
def _camera(plugin: Callable[[str], None]) -> None:
    plugin(CAMERA)


def test_a_camera_of_another_package_makes_a_film(command: Command) -> None:
    told = command("run", FLIPPED)
    assert told.code == 0, told.err
    assert told.folder
    first, *others = frames(told)
    assert len(others) == 29
    for number, frame in enumerate(others, 1):
        assert torch.equal(frame, first.flip(-1) if number % 2 else first)
    assert [event["steps"] for event in told_of(told.folder, "fitting")] == [4 + 29 * 2]


def test_a_camera_of_another_package_says_at_which_rate_its_steps_are_taken(command: Command) -> None:
    first, second, *_ = frames(command("run", FLIPPED.replace("frames: $length", "frames: $length, rate: 0.1")))
    assert 0 < float((second - first.flip(-1)).abs().mean()) < 0.2


def test_a_part_of_a_film_by_another_packages_camera_is_made_and_then_the_rest(command: Command) -> None:
    whole, part = command("run", FLIPPED), command("run", FLIPPED, "--frames", "3..9")
    assert whole.folder
    assert part.folder
    assert command("resume", str(part.folder)).code == 0
    assert (part.folder / "strip.png").read_bytes() == (whole.folder / "strip.png").read_bytes()
