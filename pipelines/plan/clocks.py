"""The clock that each changing setting follows: the steps of an optimiser, or the frames of a camera.

Where the recipe leaves it open (`over:`), settings of cameras, and of what is computed once a frame, go by frames;
those of what is computed at each step by steps, but texts under a camera by frames: a film's prompts change over the
film. What a film shares with what is painted before it stands at its first frame there, and after it at its last. Music
always goes by frames, and a formula by what it names. Where several optimisers take steps, `over: $fit` says whose
steps count.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, get_args

from t2iflow.nodes.core.spelling import suggest
from t2iflow.pipelines.graph.formula import formulas
from t2iflow.pipelines.graph.graph import Graph, Node
from t2iflow.pipelines.graph.schedule import Over, Schedule, Steps
from t2iflow.pipelines.plan.regions import Region, Regions, Shot
from t2iflow.pipelines.problems import Place, Problem, Problems

FRAMES = "add `over: frame`, or write steps"


def set_clocks(graph: Graph, regions: Regions, problems: Problems) -> Graph:
    """The graph with `over` filled in wherever a setting changes; what has no such clock is added to `problems`."""
    nodes = {name: _set(graph, node, regions, problems) for name, node in graph.nodes.items()}
    return replace(graph, nodes=nodes)


Clocks: TypeAlias = Mapping[Over, Sequence[Shot]]
"""What a node could go by, the usual clock first, each with the films that it counts."""


def _clocks(node: Node, regions: Regions) -> Clocks:
    """The clocks that a node could go by."""
    shots = [one.shot for one in regions if one.shot and node.name in one.members]
    stepping = any(node.name in one.stepping for one in regions)
    lent = node.spec.role == "camera"  # one whose motion is not used goes nowhere, which is reported elsewhere
    framed: Clocks = {"frame": shots} if shots or (lent and not stepping) else {}
    stepped: Clocks = {"step": ()} if stepping else {}
    return {**framed, **stepped} if node.blend else {**stepped, **framed}


def _set(graph: Graph, node: Node, regions: Regions, problems: Problems) -> Node:
    if not node.schedules:
        return node
    clocks = _clocks(node, regions)
    wrong = list(_wrong(graph, node, clocks, regions))
    problems.extend(wrong)
    usual: Over = next(iter(clocks), "step")
    settings = without_formulas(node) if wrong else node.settings
    for one in node.schedules:
        if one.setting in settings:
            settings = one.put(settings, one.schedule.clocked(usual, {}))
    return replace(node, settings=settings)


def set_steps(graph: Graph, order: Sequence[Region]) -> Graph:
    """The graph with the steps of each optimiser that an `over` names; `order` is that of the run."""
    names = [region.optimizer for region in order]
    steps = {
        region.optimizer: Steps(region.optimizer, region.steps, tuple(names[place + 1 :]))
        for place, region in enumerate(order)
        if region.optimizer not in get_args(Over)
    }
    nodes = dict(graph.nodes)
    for node in graph.nodes.values():
        settings = node.settings
        for one in node.schedules:
            settings = one.put(settings, one.schedule.clocked("step", steps))
        nodes[node.name] = replace(node, settings=settings) if node.schedules else node
    return replace(graph, nodes=nodes)


def without_formulas(node: Node) -> dict[str, Any]:
    """A node's settings without those that have formulas, which may come to anything."""
    formed = {one.setting for one in node.schedules if formulas(one.schedule.values)}
    return {name: value for name, value in node.settings.items() if name not in formed}


def _wrong(graph: Graph, node: Node, clocks: Clocks, regions: Regions) -> Iterator[Problem]:
    if not clocks and graph.torn:
        return  # a wire that is wrong may be what would lead here
    if not clocks:
        yield Problem(
            "T2I206",
            f"node `{node.name}` runs only once, so its keyframes would change nothing",
            graph.place(node, node.schedules[0].setting),
            hints=(
                "keyframes are for nodes between a canvas and the loss of an optimiser, for optimisers, and for cameras"
                " and what shows their frames",
            ),
        )
        return
    for one in node.schedules:
        what, place = node.subject(one.setting), graph.place(node, one.setting)
        for part in one.schedule.parts():
            if part.over in (None, *get_args(Over)):
                yield from _without_clock(what, part, clocks, place)
            else:
                yield from _without_steps(what, part, regions, node.name, place)


def _without_steps(what: str, schedule: Schedule, regions: Regions, node: str, place: Place) -> Iterator[Problem]:
    over, known = str(schedule.over), {region.optimizer: region for region in regions}
    if schedule.in_seconds:
        yield Problem(
            "T2I207", f"{what} changes over the steps of `{over}`, which have no seconds", place, hints=(FRAMES,)
        )
    elif over not in known:
        near = suggest(over, known)
        hint = near.replace("`", "`$", 1) if near else f"optimisers: {', '.join(f'${one}' for one in known)}"
        yield Problem("T2I207", f"{what} can't change over `${over}`, which isn't an optimiser", place, (hint,))
    elif node not in known[over].stepping:
        why = f"{what} can't change over the steps of `{over}`, which doesn't need it"
        yield Problem("T2I207", why, place)


def _without_clock(what: str, schedule: Schedule, clocks: Clocks, place: Place) -> Iterator[Problem]:
    usual = next(iter(clocks))
    said = schedule.over or next(iter(schedule.clocks), usual)
    over: Over = "frame" if said == "frame" else "step"
    music = bool(schedule.followed)
    if schedule.clocks - {over}:
        text = f"{what} can't follow both steps and frames"
        yield Problem("T2I207", text, place, hints=("`t` is the step or frame that its keyframes count",))
    elif over not in clocks:
        why = "no camera films it" if over == "frame" else "it is computed once per frame"
        can_not = "follow music" if music else f"change over {over}s"
        hint = "wire a camera, such as `camera.zoom`, to the optimiser" if music else f"it can change over {usual}s"
        yield Problem("T2I207", f"{what} can't {can_not}: {why}", place, hints=(hint,))
    elif schedule.in_seconds:
        if over == "step":
            yield Problem("T2I207", f"{what} changes over steps, which have no seconds", place, hints=(FRAMES,))
        elif not all(shot.fps for shot in clocks[over]):
            needs = f"the music of {what} needs" if music else f"the seconds of {what} need"
            hint = "wire one `output.video` to the camera, or give all of them the same `fps`"
            yield Problem("T2I207", f"{needs} a film with a single `fps`", place, hints=(hint,))
