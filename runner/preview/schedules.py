"""Settings that change over time, drawn as bars: what a recipe's keyframes and music amount to, before anything
runs."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from t2iflow.pipelines.graph.graph import Node
from t2iflow.pipelines.graph.schedule import Schedule
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.plan.regions import Region
from t2iflow.pipelines.plan.terms import weighed_terms

BARS = "▁▂▃▄▅▆▇█"


def rows(plan: Plan, width: int) -> Iterator[tuple[str, str]]:
    """For each setting that changes its name, with the optimiser's where several share it, and its values over the
    steps or frames in at most `width` bars."""
    found = [(row, region) for region in plan.regions for row in _rows(plan, region, width)]
    named = Counter(label for (label, _), _ in found)
    for (label, bars), region in found:
        yield label if named[label] == 1 else f"{label} ({region.optimizer})", bars


def _rows(plan: Plan, region: Region, width: int) -> Iterator[tuple[str, str]]:
    for name in region.members:
        for labels, value in _changing(plan.graph.nodes[name], region):
            if region.beside and all(part.over == "frame" for part in value.parts()):
                continue  # it is drawn over the film
            yield from _drawn(labels, value, region, width)


def _changing(node: Node, region: Region) -> Iterator[tuple[list[str], Schedule]]:
    """What changes in a node, named as the recipe names it: of a sum of losses, by the terms that are weighed."""
    weighed = [f"{region.optimizer}: weight of {term}" for term in weighed_terms(node)]
    for one in node.schedules:
        if one.setting == "weights" and weighed:
            yield weighed if one.number is None else [weighed[one.number]], one.schedule
        else:
            number = "" if one.number is None else f"[{one.number}]"
            yield [f"{node.name}.{node.written_name(one.setting)}{number}"], one.schedule


def _drawn(labels: list[str], value: Schedule, region: Region, width: int) -> Iterator[tuple[str, str]]:
    length, fps = region.steps, 0.0
    framed = region.shot is not None and any(part.over == "frame" for part in value.parts())
    if framed and region.shot:
        length, fps = region.shot.frames, region.shot.fps
    how = value.followed or f"over {'frame' if framed else 'step'}s"
    if value.followed and length > width:  # as a film of `width` frames, so that no onset falls between two bars
        length, fps = width, fps * width / length
    times = _times(length, width)
    values = [_value(value, time, length, fps, region, framed) for time in times]
    if isinstance(values[0], tuple | list):
        each = labels if len(labels) == len(values[0]) else [f"{labels[0]}[{part}]" for part in range(len(values[0]))]
        for part, label in enumerate(each):
            yield label, _bars([one[part] for one in values]) + f", {how}"
    elif isinstance(values[0], int | float) and not isinstance(values[0], bool):
        peaks = [value.at(time, length, fps) for time in value.turns(length, fps) if time < length]
        yield labels[0], _bars(values, peaks) + f", {how}"
    else:
        said = zip(value.moments(), value.values, strict=True)
        yield labels[0], ", ".join(f"{moment}: {one}" for moment, one in said)


def _value(value: Schedule, time: float, length: int, fps: float, region: Region, framed: bool) -> Any:
    """The value at a time; each part of one that has several clocks goes by its own."""
    if len({part.over for part in value.parts()}) < 2:
        return value.at(time, length, fps)
    step, frame = (0, int(time)) if framed else (int(time), 0)
    return value.present(region.tick(step, frame=frame))


def _times(length: int, width: int) -> list[float]:
    even = [length * index / width for index in range(width)] if length > width else list(range(length - 1))
    return [*even, length - 1]


def _bars(values: list[float], peaks: list[float] | None = None) -> str:
    """A bar for each value, with the least and the greatest of them and of the peaks between."""
    low, high = min([*values, *(peaks or [])]), max([*values, *(peaks or [])])
    scale = (len(BARS) - 1) / ((high - low) or 1)
    return "".join(BARS[round((value - low) * scale)] for value in values) + f"  {low:g} to {high:g}"
