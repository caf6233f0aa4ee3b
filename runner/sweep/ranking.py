"""The pictures of a sweep ranked: how well each fits its own prompt, to one perceptor, in the scores of `clip.rank`.

Never by losses: different settings make those incomparable.
"""

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from t2iflow.nodes import clip
from t2iflow.nodes.core import json_file
from t2iflow.nodes.core.ambient import SILENCE, Tick
from t2iflow.nodes.core.catalog import find
from t2iflow.nodes.core.types import Image
from t2iflow.nodes.core.whole import share
from t2iflow.nodes.perceptors.interface import Clip, Wanted
from t2iflow.nodes.pictures.codec import to_tensor
from t2iflow.pipelines.graph.graph import Node
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.problems import NOWHERE
from t2iflow.pipelines.show.prompts import prompts_of
from t2iflow.runner.execution.device import single_precision
from t2iflow.runner.execution.link import Link, Surroundings, now, run
from t2iflow.runner.sweep.thumbnail import opened

SCORES = "scores.json"


@dataclass(frozen=True)
class Judge:
    """A perceptor: the node that makes it."""

    node: Node

    @property
    def name(self) -> str:
        """What it is called."""
        return str(self.node.file("perceptor") or self.node.spec.name)

    def perceptor(self, device: torch.device) -> Clip:
        """Make it."""
        values: list[Any] = [None]
        link = Link(self.node, {(self.node.name, ""): 0}, Surroundings(0, device, None, lambda _: SILENCE))
        link.make(values)
        run([link], values, now(Tick()))
        made: Clip = values[0]
        return made


def judge(plan: Plan, named: str | None) -> Judge:
    """The perceptor of this name, or the recipe's own, or `lite`, if it has none."""
    own = (node for node in plan.graph.nodes.values() if node.spec.kind is Clip and not node.wires)
    found = next(own, None) if named is None else None
    return Judge(found or Node("", find("clip.model"), NOWHERE, {"name": named or "lite"}, {}))


def prompt(plan: Plan) -> dict[str, float]:
    """What a picture is judged by: its prompts with their weights; of those that change, the last."""
    texts = prompts_of(plan)
    steady = [one for one in texts if not one.when] or texts[-1:]
    return {one.text: 1.0 if one.weight is None else one.weight for one in steady}


class Ranking:
    """Scores of pictures, which are kept in the folder of a sweep: each is looked at once."""

    def __init__(self, folder: Path, judge: Judge, device: torch.device) -> None:
        self._file, self._judge, self._device = folder / SCORES, judge, device
        self.scores: dict[str, float] = {}
        said = json_file.read(self._file)
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):  # somebody's edit
            if said["perceptor"] == judge.name:
                self.scores = {cell: float(score) for cell, score in said["scores"].items()}
        self._clip: Clip | None = None
        self._wanted: dict[tuple[tuple[str, float], ...], Wanted] = {}

    def rank(
        self, pictures: Mapping[str, Path], prompt: Callable[[str], dict[str, float]], stopping: Callable[[], bool]
    ) -> None:
        """Look at the pictures that have no score yet; `prompt` gives what a cell's was painted for."""
        for cell, path in pictures.items():
            if cell not in self.scores and not stopping() and (texts := prompt(cell)):
                image = _image(path)
                if image is not None:
                    self.scores[cell] = round(self._score(image, texts), 5)
        share(self._file, json.dumps({"perceptor": self._judge.name, "scores": self.scores}, indent=1) + "\n")

    @single_precision()
    @torch.no_grad()
    def _score(self, image: Image, texts: dict[str, float]) -> float:
        perceptor = self._perceptor()
        key = tuple(texts.items())
        if key not in self._wanted:
            self._wanted[key] = clip.text(perceptor, SILENCE, prompt=texts)
        return float(clip.rank(Image(image.to(self._device)), self._wanted[key], perceptor).scores[0])

    def _perceptor(self) -> Clip:
        if self._clip is None:
            self._clip = self._judge.perceptor(self._device)
        return self._clip


def _image(path: Path) -> Image | None:
    """A picture, (1, 3, h, w); None where it can't be read, or is too large for that."""
    try:
        return Image(to_tensor(opened(path)))
    except (OSError, ValueError, SyntaxError):  # as Pillow raises
        return None
