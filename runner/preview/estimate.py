"""How long a run will take and how much memory it needs, from measurements of a similar run or of a few steps."""

import dataclasses
import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from t2iflow.nodes.core.texts import counted
from t2iflow.nodes.core.types import Meaning
from t2iflow.nodes.weights.content import amount
from t2iflow.nodes.weights.places import OFFLINE
from t2iflow.pipelines.graph.graph import Graph, Node
from t2iflow.pipelines.plan.plan import Plan, make_plan
from t2iflow.pipelines.plan.regions import find_regions
from t2iflow.runner import session
from t2iflow.runner.execution import device
from t2iflow.runner.execution.frames import total as steps_of
from t2iflow.runner.timing import figures
from t2iflow.runner.timing.duration import duration
from t2iflow.runner.timing.figures import Figures

STEPS, FRAMES, FRAME_STEPS = 4, 3, 2
"""How much of each optimiser and of a film is made to measure it."""
ENOUGH, SURE, UNSURE = 20, 0.15, 0.35
"""From how many steps on figures are sure; and how far off the whole may be then, and before, as a part of it."""

FORMULA = "once + for each optimiser steps x seconds a step + for each film frames x seconds a frame"


class UnmeasuredError(RuntimeError):
    """The steps to be measured failed."""


def known(plan: Plan, wanted: str) -> Figures | None:
    """The figures of runs like this one on the wanted device, if there was one."""
    return figures.known(plan, device.choose(wanted)[0])


def measured(plan: Plan, wanted: str) -> Figures:
    """Take a few steps of each optimiser and make a few frames of each film, in a folder that is thrown away."""
    shorter = _shortened(plan.graph)
    try:
        with tempfile.TemporaryDirectory(prefix="t2iflow-") as folder, _offline():
            outcome = session.start(shorter, Path(folder), session.Options(wanted, math.inf), [])
    except OSError as fault:
        raise UnmeasuredError(str(fault)) from fault
    found = figures.last(plan, device.choose(wanted)[0])
    if outcome.code or found is None:
        raise UnmeasuredError(outcome.message or "the figures could not be kept")
    return found


def seconds(plan: Plan, found: Figures) -> float | None:
    """How long all of it takes; None where an optimiser was not measured."""
    total = found.once
    for region in plan.regions:
        step = found.steps.get(region.optimizer)
        if step is None:
            return None
        total += steps_of(region, plan.graph) * step.seconds
        if region.shot:
            total += region.shot.made * found.frames.get(region.optimizer, 0.0)
    return total


def rows(plan: Plan, found: Figures) -> Iterator[tuple[str, str]]:
    """The estimate in words: each part by its name, and the whole."""
    total = seconds(plan, found)
    if total is None:
        return
    for region in plan.regions:
        step, steps = found.steps[region.optimizer], steps_of(region, plan.graph)
        taken = f"{counted(steps, 'step')}, {_each(step.seconds)}"
        yield region.optimizer, f"{taken}: {duration(steps * step.seconds)}"
        if region.shot:
            frames, each = region.shot.made, found.frames.get(region.optimizer, 0.0)
            taken = f"{counted(frames, 'frame')}, {_each(each)} besides their steps"
            yield region.shot.camera, f"{taken}: {duration(frames * each)}"
    off = _off(found)
    yield "once", f"loading, what is computed once, writing: {duration(found.once)}"
    yield "in all", f"about {duration(total)}: {duration(total * (1 - off))} to {duration(total * (1 + off))}"
    yield "how sure", f"{_basis(found)}; longer while other programs run"
    if found.memory:
        yield "memory", f"about {amount(found.memory + figures.kept(plan, found.pictures))} at the peak"


def _each(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms each" if seconds < 1 else f"{seconds:.1f} s each"


def _off(found: Figures) -> float:
    """How far off the whole may be: by the error of the mean, and no less than what few or many steps allow."""
    steps = found.steps.values()
    least = SURE if min((step.count for step in steps), default=0) >= ENOUGH else UNSURE
    return min(0.9, max([least, *(step.spread / math.sqrt(step.count) for step in steps)]))


def _basis(found: Figures) -> str:
    count = sum(step.count for step in found.steps.values())
    taken = counted(count, "step") if count else "a run"
    return f"within {_off(found):.0%}, from {taken} on {found.day}"


def _shortened(graph: Graph) -> Plan:
    nodes = {
        name: dataclasses.replace(
            node, settings={**node.settings, **_fewer(node)}, every=1 if node.spec.role == "camera" else node.every
        )
        for name, node in graph.nodes.items()
    }
    shorter = dataclasses.replace(graph, nodes=nodes)
    return make_plan(shorter, find_regions(shorter))


def _fewer(node: Node) -> Mapping[str, Any]:
    amounts: Mapping[str, Mapping[Meaning, int]] = {
        "optimizer": {"steps": STEPS},
        "camera": {"steps": FRAME_STEPS, "frames": FRAMES, "loop": 0},
    }
    found = {meaning: (node.value(meaning), most) for meaning, most in amounts.get(node.spec.role, {}).items()}
    return {node.spec.meanings[one]: min(said, most) for one, (said, most) in found.items() if isinstance(said, int)}


@contextmanager
def _offline() -> Iterator[None]:
    """Within it, nothing is fetched: asking how long a run takes is no request for a download."""
    before = os.environ.get(OFFLINE)
    os.environ[OFFLINE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[OFFLINE]
        else:
            os.environ[OFFLINE] = before
