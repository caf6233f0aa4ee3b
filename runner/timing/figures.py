"""What the steps of a run took, kept in the user's cache so that `plan` can say how long the next run will take.

A run of the same nodes at the same sizes on the same device has the same figures, whatever its prompt, seed, rates and
number of steps are.
"""

import contextlib
import hashlib
import json
import math
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from statistics import median_low, quantiles
from typing import Any

import torch

from t2iflow.nodes.core.caches import cache_folder
from t2iflow.nodes.core.types import Meaning
from t2iflow.nodes.core.whole import keep
from t2iflow.nodes.film.closing import BEGINNINGS
from t2iflow.pipelines.graph.graph import COPIED, Node
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.runner.events import Ended, Event, Filmed, Fitting, Started, Stepped
from t2iflow.runner.execution.device import model

FREE: frozenset[Meaning] = frozenset({"steps", "frames", "loop", "rate", "file", "asked"})
"""What settings mean that change how many steps there are or what is painted, but not what a step costs."""
LAST = 5
"""Of how many runs figures are kept."""
GAPS = 500
"""Of how many steps it is looked at how they differ, at most."""


@dataclass(frozen=True)
class StepTime:
    """Seconds that one step of an optimiser takes, the mean of `count` steps, and how much they differ: half the
    distance of the quartiles, as a part of the mean."""

    seconds: float
    spread: float
    count: int


@dataclass(frozen=True)
class Figures:
    """What a run took.

    By optimiser: its steps, the seconds of a frame beside its steps, and the bytes of a frame's picture. Of the whole:
    seconds of all the rest, which is loading, what is computed once, and writing; and bytes at the peak, but for the
    frames that a closing film keeps.
    """

    steps: Mapping[str, StepTime]
    frames: Mapping[str, float] = field(default_factory=dict)
    once: float = 0.0
    memory: int = 0
    pictures: Mapping[str, int] = field(default_factory=dict)
    day: str = ""

    def __lt__(self, other: "Figures") -> bool:
        """Whether its steps took less time."""
        return self._seconds < other._seconds

    @property
    def _seconds(self) -> float:
        return sum(step.seconds for step in self.steps.values())


@dataclass
class _Gaps:
    """Seconds between steps: all of them added up, and the first few as they are."""

    total: float = 0.0
    count: int = 0
    first: list[float] = field(default_factory=list)

    def add(self, gap: float) -> None:
        self.total += gap
        self.count += 1
        if len(self.first) < GAPS:
            self.first.append(gap)

    @property
    def mean(self) -> float:
        return self.total / self.count

    def time(self) -> StepTime:
        low, _, high = quantiles(self.first, n=4) if len(self.first) > 1 else self.first * 3
        return StepTime(self.mean, (high - low) / 2 / max(self.mean, 1e-9), self.count)


class Stopwatch:
    """Listens to a run, and at its end keeps its figures."""

    def __init__(self, plan: Plan, device: torch.device, spared: Callable[[], bool] = lambda: False) -> None:
        """`spared` says whether the run did without loading what an earlier one in this process had loaded."""
        self._plan, self._device, self._spared = plan, device, spared
        self._began = self._last = 0.0
        self._early = 1
        self._filmed = False
        self._gaps: dict[str, _Gaps] = {}
        self._turns: dict[str, _Gaps] = {}  # those in which a frame was finished, shown and moved
        self._pictures: dict[str, int] = {}
        self._looped = 0.0

    def __call__(self, event: Event) -> None:
        """Note the time."""
        if isinstance(event, Started):
            self._began = event.at
        elif isinstance(event, Fitting):
            self._early = 3 if self._device.type == "cuda" else 1
        elif isinstance(event, Stepped):
            self._stepped(event)
        elif isinstance(event, Filmed):
            self._filmed = True
            self._pictures[event.node] = event.image.numel() * event.image.element_size()
        elif isinstance(event, Ended):
            figures = self._whole(self._figures(event.at - self._began))
            ran = self._gaps.keys() == {region.optimizer for region in self._plan.regions} and event.how != "failed"
            if ran and figures:
                place = _place(self._plan, self._device)
                keep(place, json.dumps([asdict(one) for one in (*_read(place), figures)][-LAST:]))

    def _stepped(self, event: Stepped) -> None:
        if self._early:  # an optimiser's first steps take longer, and belong to the rest
            self._early -= 1
        else:
            gap = event.at - self._last
            self._looped += gap
            (self._turns if self._filmed else self._gaps).setdefault(event.node, _Gaps()).add(gap)
        self._last, self._filmed = event.at, False

    def _whole(self, figures: Figures) -> Figures | None:
        """With all that a run by itself takes, as far as that is known."""
        if not self._spared():
            return figures
        before = known(self._plan, self._device)
        return before and replace(figures, once=before.once, memory=before.memory)

    def _figures(self, seconds: float) -> Figures:
        steps = {node: gaps.time() for node, gaps in self._gaps.items()}
        frames = {
            node: max(0.0, turns.mean - steps[node].seconds) for node, turns in self._turns.items() if node in steps
        }
        once = max(0.0, seconds - self._looped)
        memory = max(0, _peak(self._device) - kept(self._plan, self._pictures))
        return Figures(steps, frames, once, memory, self._pictures, date.today().isoformat())


def kept(plan: Plan, pictures: Mapping[str, int]) -> int:
    """Bytes of the pictures that films which close keep until their end, given the bytes of each by optimiser."""
    found = 0
    for region in plan.regions:
        shot = region.shot
        loop = plan.graph.nodes[shot.camera].value("loop") if shot else 0
        if shot and loop:
            frames = min(shot.made, math.ceil(loop / shot.every) + BEGINNINGS)
            found += frames * pictures.get(region.optimizer, 0)
    return found


def folder() -> Path:
    """Where figures are kept."""
    return cache_folder("figures")


def known(plan: Plan, device: torch.device) -> Figures | None:
    """Of the last runs like this one that with the median of their times, if there was one: a machine that was busy for
    once says little of the next time."""
    found = _read(_place(plan, device))
    return median_low(found) if found else None


def last(plan: Plan, device: torch.device) -> Figures | None:
    """The figures of the last run like this one, if there was one."""
    return next(reversed(_read(_place(plan, device))), None)


def _read(place: Path) -> list[Figures]:
    """What is kept there."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):  # none, or somebody's edit
        return [_figures(figures) for figures in json.loads(place.read_text(encoding="utf-8"))]
    return []


def _figures(figures: Mapping[str, Any]) -> Figures:
    return Figures(**{**figures, "steps": {name: StepTime(**time) for name, time in figures["steps"].items()}})


def _place(plan: Plan, device: torch.device) -> Path:
    made_of = {
        "device": model(device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "nodes": {name: list(_cost(node)) for name, node in plan.graph.nodes.items()},
    }
    digest = hashlib.sha256(json.dumps(made_of, default=str, sort_keys=True).encode()).hexdigest()
    return folder() / f"{digest[:20]}.json"


def _cost(node: Node) -> Iterator[Any]:
    """What a node's call costs depends on: its wires and settings, but for amounts that are no sizes or numbers."""
    yield node.spec.name
    yield {port: [f"{source.node}.{source.output}" for source in sources] for port, sources in node.wires.items()}
    for name, value in node.settings.items():
        setting = node.spec.settings[name]
        free = setting.means & FREE or setting.reads in COPIED
        if not free and not isinstance(value, float) and name not in node.changing:
            yield name, value


def _peak(device: torch.device) -> int:
    """Bytes that this process held at its peak: of the GPU where there is one, else of the machine."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    if os.name != "posix":
        return 0
    import resource

    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
