"""Scenes: what `lite` knows of cities, deserts, nights or forests, which are no classes of its network.

A scene has names and colours (`scenes.txt`). Some have looks besides, to which a picture can be steered as to a class:
a mixture of classes that show it together, or what the network's outputs are for pictures of it, on average (a
prototype, as in Snell et al. 2017).
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from t2iflow.nodes.perceptors import imagenet
from t2iflow.nodes.weights.records import SMALL

LOOKS = SMALL / "lite-scenes.safetensors"


class Scene(NamedTuple):
    """What it is called, the colours in it, and the shares of classes that show it."""

    names: tuple[str, ...]
    colours: tuple[str, ...]
    classes: dict[str, float]


@cache
def scenes() -> tuple[Scene, ...]:
    """All scenes of the table."""
    return tuple(_scene(line) for line in _lines("scenes.txt"))


@cache
def seen() -> dict[str, tuple[Scene, Tensor]]:
    """The scenes that have looks, by their first names; a look is a share of each class, (1000,), unit length."""
    learnt = load_file(LOOKS)
    looks = [(scene, _mixed(scene) if scene.classes else learnt.get(scene.names[0])) for scene in scenes()]
    return {scene.names[0]: (scene, F.normalize(look.float(), dim=0)) for scene, look in looks if look is not None}


@cache
def colours() -> dict[str, tuple[str, ...]]:
    """The colours of each scene that has nothing else, by the words that name it."""
    bare = [scene for scene in scenes() if scene.names[0] not in seen()]
    return {name: scene.colours for scene in bare for name in scene.names}


@cache
def strangers() -> tuple[str, ...]:
    """The names of what has no looks."""
    unseen = [name for scene in scenes() if scene.names[0] not in seen() for name in scene.names]
    return (*unseen, *(name for line in _lines("strangers.txt") for name in _names(line)))


def _scene(line: str) -> Scene:
    names, colours, classes = [*line.split(":"), ""][:3]
    shares = (one.rpartition(" ") for one in classes.split(",") if one.strip())
    return Scene(
        _names(names),
        tuple(colours.replace(",", " ").split()),
        {name.strip(): float(share) for name, _, share in shares},
    )


def _mixed(scene: Scene) -> Tensor:
    look = torch.zeros(len(imagenet.classes()))
    for name, share in scene.classes.items():
        look[_numbers()[name]] = share
    return look


@cache
def _numbers() -> dict[str, int]:
    """The number of each class, by its first name."""
    return {imagenet.bare(names[0]): number for number, names in enumerate(imagenet.classes())}


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split("|"))


def _lines(file: str) -> list[str]:
    lines = Path(__file__).with_name(file).read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]
