"""Two runs, pictures or recipes compared: the settings, inputs and versions in which they differ, and the pictures."""

import os
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import PIL.Image

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.run_files import NOW, RECIPE
from t2iflow.nodes.core.texts import aligned, in_line
from t2iflow.nodes.pictures.endings import CARRIERS, VIDEOS, proper
from t2iflow.nodes.weights.content import brief, sha256
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.show.difference import Difference, differences
from t2iflow.pipelines.text.origin import INPUTS
from t2iflow.runner.apart import Finding, apart, pictures
from t2iflow.runner.folder import lock, provenance
from t2iflow.runner.folder.outputs import outputs
from t2iflow.runner.folder.own_recipe import plan_of
from t2iflow.runner.request import Request
from t2iflow.runner.side_by_side import side_by_side

LABELLED = 6
"""How many settings the label of a picture shows, at most."""


@dataclass(frozen=True)
class Side:
    """What is compared: its `name`, its recipe's plan, and, if it is a picture or a run, its file or folder."""

    name: str
    plan: Plan
    path: Path | None = None

    @property
    def pictures(self) -> list[Path]:
        """Its pictures and films."""
        if self.path is None or not os.path.isdir(self.path):
            return [self.path] if self.path else []
        at = self.path
        found = outputs(at) or [one for one in sorted(at.rglob("*")) if not one.is_relative_to(at / INPUTS)]
        return [path for path in (*found, at / NOW) if path.suffix.lower() in CARRIERS and os.path.isfile(path)]

    @property
    def made(self) -> Mapping[str, str]:
        """What it was made with: versions, threads, the device and the digests of weights, as far as is recorded."""
        said = _flat(lock.read(self.path)) if self.path and os.path.isdir(self.path) else {}
        return {**said, **next(filter(None, map(provenance.carried, self.pictures)), {})}

    @property
    def inputs(self) -> Mapping[str, str]:
        """The digests of the files that it reads, as far as they are there."""
        return {name: sha256(Path(path)) for path, name in self.plan.graph.files.items() if os.path.isfile(path)}


def side(request: Request) -> Side:
    """What is requested as a side: the folder of a run by its recipe, a bundle as it is unpacked, or what else names a
    recipe; RecipeError where that has mistakes."""
    path = paths.given(request.where)
    if request.given is None and os.path.isfile(path / RECIPE):
        return Side(request.where, plan_of(path), path)
    return Side(request.where, request.plan(), request.source.made)


@dataclass(frozen=True)
class Comparison:
    """In what two sides differ."""

    sides: tuple[Side, Side]
    settings: list[Difference]
    inputs: list[Difference]
    made: list[Difference]
    pictures: list[Finding]

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not (self.settings or self.inputs or self.made) and all(one.same for one in self.pictures)

    @property
    def image(self) -> PIL.Image.Image | None:
        """Their pictures side by side, a film's last, labelled by the names of the sides and what differs. None where
        one of them has no picture; ValueError or OSError for one that can't be read."""
        return _sheet(*self.sides, self.settings)

    def __str__(self) -> str:
        return "\n".join(self.lines) or "nothing differs"

    __repr__ = __str__

    @property
    def lines(self) -> Iterator[str]:
        """All of it in words."""
        parts = {"": self.settings, "inputs": self.inputs, "made with": self.made}
        for title, found in parts.items():
            rows = [(one.name, f"{_short(one.one)} -> {_short(one.other)}") for one in found]
            yield from [title] * bool(title and rows)
            yield from (f"  {row}" if title else row for row in aligned(rows))
        yield from (one.text for one in self.pictures)


def compare(one: Side, other: Side) -> Comparison:
    """Compare two sides, with the pictures of one name, or else the first of each."""
    return Comparison(
        (one, other),
        list(differences(one.plan.graph, other.plan.graph)),
        list(_differing(one.inputs, other.inputs)),
        list(_differing(one.made, other.made)),
        [apart(a, b, "in the other") for a, b in _pairs(one, other)],
    )


def _sheet(one: Side, other: Side, settings: list[Difference]) -> PIL.Image.Image | None:
    pairs = _pairs(one, other) or [*zip(one.pictures, other.pictures, strict=False)]
    if not pairs:
        return None
    said = settings[:LABELLED]
    labels = (
        [Path(one.name).name, *(f"{found.name}: {_short(found.one)}" for found in said)],
        [Path(other.name).name, *(f"{found.name}: {_short(found.other)}" for found in said)],
    )
    return side_by_side([_last(path) for path in pairs[0]], labels)


def _pairs(one: Side, other: Side) -> list[tuple[Path, Path]]:
    these, those = ({path.name: path for path in side.pictures} for side in (one, other))
    alike = [(path, those[name]) for name, path in these.items() if name in those]
    others = [(a, b) for a in these.values() for b in those.values() if _is_video(a) == _is_video(b)]
    return alike or others[:1]


def _is_video(path: Path) -> bool:
    return proper(path) in VIDEOS


def _last(path: Path) -> PIL.Image.Image:
    levels = deque(pictures(path), maxlen=1).pop()
    return PIL.Image.fromarray(levels.numpy())


def _differing(these: Mapping[str, str], those: Mapping[str, str]) -> Iterator[Difference]:
    """What both say, and differently."""
    for name, value in these.items():
        if name in those and value != those[name]:
            yield Difference(name, value, those[name])


def _flat(said: Mapping[str, Any]) -> dict[str, str]:
    """What a lock says on one level, without its inputs, which are compared themselves, and the device's reason."""
    found: dict[str, str] = {}
    for name, value in said.items():
        if isinstance(value, Mapping) and name != INPUTS:
            found |= _flat(value)
        elif not isinstance(value, Mapping) and name != "device":
            found[str(name)] = str(value)
    return found


def _short(value: str | None) -> str:
    """What is written, on one line, and a digest by its beginning."""
    return "(none)" if value is None else in_line(brief(value))
