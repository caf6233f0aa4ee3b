"""What formulas come to over all steps or frames: computed before anything runs, and checked as any value is."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic import ValidationError

from t2iflow.nodes.core.node import Setting
from t2iflow.pipelines.graph.allowed import item_of, refusal
from t2iflow.pipelines.graph.formula import Formula, Now, formulas
from t2iflow.pipelines.graph.graph import Graph, Node, Scheduled
from t2iflow.pipelines.graph.schedule import Keyframes, Schedule
from t2iflow.pipelines.plan.clocks import without_formulas
from t2iflow.pipelines.plan.regions import Regions
from t2iflow.pipelines.problems import Problem, Problems
from t2iflow.pipelines.values import shown

MOST = 100_000
"""Moments that are looked at; of more, as many evenly."""
CLAMP = "`clamp(x, low, high)` keeps a formula between two numbers"


def find_reach(graph: Graph, regions: Regions, problems: Problems) -> Graph:
    """The graph with the lowest and highest of all keyframes with formulas; settings that don't take all that these
    come to are added to `problems`, and left out."""
    nodes = {name: _reaching(node, regions, problems) for name, node in graph.nodes.items()}
    return replace(graph, nodes=nodes)


def _reaching(node: Node, regions: Regions, problems: Problems) -> Node:
    settings = dict(node.settings)
    for one in node.schedules:
        try:
            settings = one.put(settings, one.schedule.each(partial(_with_ends, node, one, regions)))
        except _RefusedError as fault:
            problems.append(fault.problem)
            return replace(node, settings=without_formulas(node))
    return replace(node, settings=settings)


class _RefusedError(Exception):
    """A setting doesn't take what a formula comes to."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def _with_ends(node: Node, one: Scheduled, regions: Regions, schedule: Schedule) -> Schedule:
    """The schedule with the lowest and highest of its formulas, if it has any."""
    if not isinstance(schedule, Keyframes) or not formulas(schedule.values):
        return schedule
    return replace(schedule, ends=_extremes(node, one, schedule, regions))


def _extremes(node: Node, one: Scheduled, keyframes: Keyframes, regions: Regions) -> tuple[Any, Any]:
    """The lowest and the highest value; raises where the setting doesn't take one."""
    setting = _single(node.spec.settings[one.setting], one)
    lowest = highest = None
    for now in _moments(node, keyframes, regions):
        try:
            value = keyframes.at(*now)
            setting.adapter.validate_python(value)
        except ValidationError as fault:
            what = f"is {shown(_rounded(value))}; {refusal(fault, setting).why}"
            raise _RefusedError(_problem(node, one, keyframes, now, what, CLAMP)) from fault
        except ValueError as fault:
            raise _RefusedError(_problem(node, one, keyframes, now, f"has no value: {fault}")) from fault
        lowest, highest = (value, value) if lowest is None else (_each(min, lowest, value), _each(max, highest, value))
    return lowest, highest


def _single(setting: Setting, one: Scheduled) -> Setting:
    """What takes the value: the setting, or an item of its list."""
    return setting if one.number is None else replace(setting, annotation=item_of(setting.annotation), default=None)


def _moments(node: Node, keyframes: Keyframes, regions: Regions) -> Iterator[Now]:
    """All steps or frames that a node goes through; the first alone where nobody films a camera."""
    framed = keyframes.over == "frame"
    lengths = {
        (region.shot.frames, region.shot.fps) if framed and region.shot else (region.steps, 0.0)
        for region in regions
        if node.name in region.members and (region.shot or not framed)
    }
    for length, fps in sorted(lengths) or [(1, 1.0)]:
        count = min(max(length, 1), MOST)
        yield from (
            Now(index if length <= MOST else index * (length - 1) // (count - 1), length, fps) for index in range(count)
        )


def _each(choose: Any, one: Any, other: Any) -> Any:
    """The lower or the higher of two numbers, or of each pair of them."""
    if isinstance(one, list | tuple):
        return type(one)(choose(a, b) for a, b in zip(one, other, strict=True))
    return choose(one, other)


def _rounded(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _problem(node: Node, one: Scheduled, keyframes: Keyframes, now: Now, what: str, *hints: str) -> Problem:
    """What is wrong at a moment, at the place of the formula that counts then."""
    formula = _counting(keyframes, now)
    place = (formula and formula.place) or node.place
    said = f"`{formula.text}`" if formula else "its formula"
    text = f"{node.subject(one.setting)} can't follow {said}: at {keyframes.over} {now.time:g} it {what}"
    return Problem("T2I204", text, place, hints)


def _counting(keyframes: Keyframes, now: Now) -> Formula | None:
    """The formula that is followed at a moment, or led to."""
    points = sorted((at.time(now.length, now.fps), number) for number, (at, _) in enumerate(keyframes.points))
    before = [number for at, number in points if at <= now.time]
    order = [*before[::-1], *(number for _, number in points)]
    return next((one for number in order for one in formulas(keyframes.values[number])), None)
