"""Scenes: what `lite` knows of cities, nights or forests, which are no subjects of its network.

A scene has names and colours (`scenes.txt`). Some have looks besides: what the network's outputs are for pictures of
them, on average, which a picture can be steered to as to a subject (a prototype, as in Snell et al. 2017).
"""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from t2iflow.nodes.perceptors.lite.subjects import Reading, Subjects
from t2iflow.nodes.weights.records import SMALL

LOOKS = SMALL / "lite-scenes.safetensors"


class Scene(NamedTuple):
    """What it is called, and the colours in it."""

    names: tuple[str, ...]
    colours: tuple[str, ...]


@cache
def scenes() -> tuple[Scene, ...]:
    """All scenes of the table."""
    lines = Path(__file__).with_suffix(".txt").read_text("utf-8").splitlines()
    return tuple(_scene(line) for line in lines if not line.startswith("#"))


@cache
def colours() -> dict[str, tuple[str, ...]]:
    """The colours of each scene that has some, by the words that name it."""
    return {name: scene.colours for scene in scenes() if scene.colours for name in scene.names if " " not in name}


class Scenes:
    """Those that have looks, and what a prompt says of them."""

    def __init__(self) -> None:
        looks = load_file(LOOKS)
        self.known = [scene for scene in scenes() if scene.names[0] in looks]
        self._names = Subjects([scene.names for scene in self.known])
        self._looks = torch.stack([F.normalize(looks[scene.names[0]].float(), dim=0) for scene in self.known])

    def read(self, prompt: str) -> Reading:
        """Find which scenes a prompt is about, and what the network makes of those."""
        reading = self._names.read(prompt)
        nearest = max(reading.subjects, key=lambda subject: subject.near)
        own = next(scene.colours for scene in self.known if scene.names[0] == nearest.name)
        return replace(reading, classes=F.normalize(reading.classes @ self._looks, dim=0), colours=own)


def _scene(line: str) -> Scene:
    names, _, colours = line.partition(":")
    return Scene(tuple(name.strip() for name in names.split("|")), tuple(colours.replace(",", " ").split()))
