"""Whether two recipes have the same past: whether all that a run has painted so far follows from either, to the bit."""

from collections.abc import Iterator
from typing import Any

import networkx as nx

from t2iflow.nodes.core.ambient import Random
from t2iflow.nodes.core.hooks import Remembers
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.plan.regions import Region
from t2iflow.pipelines.steering.standing import Standing
from t2iflow.pipelines.steering.states import differing, names, same


def altered(one: Plan, other: Plan, standing: Standing) -> str | None:
    """The first thing in which the past of one recipe is not that of another, in words; None where it is the same."""
    return next(_altered(one, other, standing), None)


def _altered(one: Plan, other: Plan, standing: Standing) -> Iterator[str]:
    begun = standing.begun(one)
    if [region.optimizer for region in begun] != [region.optimizer for region in standing.begun(other)]:
        yield "the optimisers or their order have changed"
        return
    if begun and one.graph.recipe.seed != other.graph.recipe.seed:
        yield "`seed` decides what is drawn from the first step on"
    for before, after in zip(begun, standing.begun(other), strict=True):
        if (what := _form(before)) != _form(after):
            changed = [name for name, value in what.items() if value != _form(after)[name]]
            yield f"`{before.optimizer}` has changed: {', '.join(changed)}"
    past = _past(one, standing) | _past(other, standing)
    these, those = names(one.graph), names(other.graph)
    for name in past & (these.keys() ^ those.keys()):
        yield f"the node `{name}` is {'new' if name in those else 'gone'}"
        return
    known = [name for name in these if name in past and name in those]
    for name in known:
        yield from _recomputed(one, other, name, begun)
    members = {member for region in (*begun, *standing.begun(other)) for member in region.members}
    for name in known:
        if name not in members and not same(one.graph, other.graph, name):
            yield f"`{name}` is read before the first step"
    if found := differing(one, other, known, standing.past(one)):
        name, tick = found
        when = f"in frame {tick.frame}" if tick.frame else f"at step {tick.step}"
        whose = f" of `{tick.optimizer}`" if len(begun) > 1 else ""
        yield f"`{name}` would have been different {when}{whose}"


def _form(region: Region) -> dict[str, Any]:
    """What must not change in a region, by what it is called."""
    shot = region.shot
    film = shot and (shot.camera, shot.frames, shot.steps, shot.every, shot.fps)
    return {
        "steps": region.steps,
        "passes": region.passes,
        "canvases": region.canvases,
        "what is shown of it": [(watch.sink, watch.every) for watch in (*region.watch, *(shot.show if shot else ()))],
        "film": film,
    }


def _past(plan: Plan, standing: Standing) -> set[str]:
    """The nodes on which it depends what is painted and written already, texts that change over time as one."""
    begun = standing.begun(plan)
    if not begun:
        return set()
    items = plan.items[: plan.items.index(begun[-1])]
    nodes = plan.graph.nodes
    written = {name for name in items if isinstance(name, str) and nodes[name].spec.role == "sink"}
    seen = written.union(*(region.members for region in begun))
    seen |= set().union(*(nx.ancestors(plan.graph.net, name) for name in seen))
    return seen & names(plan.graph).keys()


def _recomputed(one: Plan, other: Plan, name: str, begun: tuple[Region, ...]) -> Iterator[str]:
    """Where a node is computed at each step of one, and only once in the other, and that makes a difference."""
    spec, often = one.graph.nodes[name].spec, [_regions(plan, name, begun) for plan in (one, other)]
    draws = Random in {*spec.ambient.values(), *spec.ambient_once.values()}
    if often[0] != often[1] and (draws or issubclass(_model(spec.model), Remembers)):
        yield f"`{name}` draws at random, and would draw anew at each step"


def _model(model: Any) -> type:
    return model if isinstance(model, type) else object


def _regions(plan: Plan, name: str, begun: tuple[Region, ...]) -> set[str]:
    known = {region.optimizer for region in begun}
    return {region.optimizer for region in plan.regions if region.optimizer in known and name in region.members}
