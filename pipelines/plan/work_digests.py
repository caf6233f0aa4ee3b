"""What the work of optimisers, and of networks that paint by themselves, follows from; equal work is done once."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import networkx as nx

from t2iflow.nodes.core.types import Image
from t2iflow.nodes.weights.content import sha256
from t2iflow.pipelines.graph.graph import COPIED, Graph, Node
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.plan.regions import Region


def work_digests(plan: Plan) -> dict[str, str]:
    """By optimiser, and by node that paints by itself with weights, a digest of all that its finished pictures follow
    from, besides the seed.

    Without those whose work can't be taken over from another run, since that is more than finished pictures: where an
    output or a camera sees it while it is done, or another node reads something of it beside the optimiser's result.
    """
    files = {one.name: one.kind in COPIED for one in plan.graph.resources if not one.missing}
    parts = {region.optimizer: region.members for region in plan.regions if _is_whole(plan, region)}
    parts |= {item: (item,) for item in plan.items if isinstance(item, str) and _paints(plan.graph.nodes[item])}
    upstream = {name: _upstream(plan.graph, members) for name, members in parts.items()}
    regions = {region.optimizer: _of_region(region) for region in plan.regions}
    return {
        name: _digest(
            [regions.get(name, name), {one: _made_of(plan.graph.nodes[one], files) for one in sorted(needed)}]
        )
        for name, needed in upstream.items()
        if all(plan.graph.nodes[one].spec.role != "sink" for one in needed)
    }


def _of_region(region: Region) -> str:
    """All that its work follows from; of a film beside it only what its ticks say."""
    film = region.beside and (region.beside[0].frames, region.beside[0].fps, region.beside[1])
    return repr((replace(region, beside=None), film))


def _paints(node: Node) -> bool:
    """Whether it is a network that gives pictures, without being trained."""
    return (
        node.spec.role == "function"
        and node.spec.kind is Image
        and any(setting.loads for setting in node.spec.settings.values())
    )


def _is_whole(plan: Plan, region: Region) -> bool:
    """Whether all that others see of a region is its optimiser's result."""
    inner = {*region.members} - {region.optimizer}
    read = [(name, after) for name in inner for after in plan.graph.net.successors(name) if after not in region.members]
    return not region.watch and region.shot is None and all(_is_anew(plan, *one) for one in read)


def _is_anew(plan: Plan, name: str, after: str) -> bool:
    """Whether a node is computed anew wherever another reads it, in the steps of other optimisers."""
    others = [region.members for region in plan.regions if after in region.members]
    return bool(others) and all(name in members for members in others)


def _upstream(graph: Graph, members: Iterable[str]) -> set[str]:
    """These nodes, and all that they need."""
    found = {*members}
    return found.union(*(nx.ancestors(graph.net, name) for name in found))


def _digest(made_of: Any) -> str:
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:32]


def _made_of(node: Node, files: Mapping[str, bool]) -> list[Any]:
    wires = {port: [f"{source.node}.{source.output}" for source in sources] for port, sources in node.wires.items()}
    settings = {name: _plain(value, files) for name, value in node.settings.items()}
    return [node.spec.name, settings, wires, node.every]


def _plain(value: Any, files: Mapping[str, bool]) -> Any:
    """A setting's value as JSON has it, and in place of files what shows their content."""
    if is_dataclass(value) and not isinstance(value, type):  # a schedule
        parts = {one.name: _plain(getattr(value, one.name), files) for one in fields(value) if one.compare}
        return [type(value).__name__, parts]
    if isinstance(value, Mapping):
        return [[_plain(key, files), _plain(one, files)] for key, one in value.items()]
    if isinstance(value, list | tuple):
        return [_plain(one, files) for one in value]
    if isinstance(value, str) and value in files:
        return _file(value.rpartition(":")[2] if not os.path.exists(value) else value, files[value])
    return value if isinstance(value, str | int | float | None) else repr(value)


def _file(path: str, is_copied: bool) -> list[Any]:
    """An input by its digest; weights, which are large, by their place, size and date."""
    place = Path(path)
    if os.path.isdir(place):
        return [path, [_file(str(one), False) for one in sorted(place.iterdir()) if os.path.isfile(one)]]
    if not os.path.isfile(place):
        return [path]
    state = place.stat()
    known = path, state.st_size, state.st_mtime_ns
    return [_content(*known)] if is_copied else list(known)


@cache
def _content(path: str, size: int, changed: int) -> str:
    return sha256(Path(path))
