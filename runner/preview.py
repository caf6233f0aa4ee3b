"""What a run would do, told before it starts: how often each node runs, on what, with which weights and files."""

import math
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from t2iflow.nodes.perceptors import sources
from t2iflow.nodes.perceptors.missing import MissingPackageError
from t2iflow.nodes.store import finding, places
from t2iflow.nodes.store.content import amount
from t2iflow.pipelines.graph import Node
from t2iflow.pipelines.keyframes import Keyframes
from t2iflow.pipelines.plan import Plan, Region
from t2iflow.runner import device

BARS = "▁▂▃▄▅▆▇█"
SAMPLES = 24
"""How many bars a schedule is drawn with, at most."""


def preview(plan: Plan, wanted: str) -> str:
    """The plan in words, for the wanted device; NoDeviceError if that is not there."""
    where, why = device.choose(wanted)
    recipe = plan.graph.recipe
    parts = {
        "": [recipe.title, f"on {where} ({why}), seed {recipe.seed}"],
        "order": str(plan).splitlines(),
        "sizes": _table((node.name, size) for node in _used(plan) for size in _sizes(node)),
        "schedules": _table(_schedules(plan)),
        "weights": _table((node.name, weights) for node in _used(plan) for weights in _weights(node)),
        "files read": list(plan.graph.files),
        "files written": _table((file, what) for file, what in _written(plan)),
        "needed by no output": [name for name in plan.graph.nodes if name not in {node.name for node in _used(plan)}],
    }
    return "\n".join(
        "\n".join([f"\n{title}:", *_indented(rows)] if title else rows) for title, rows in parts.items() if rows
    )


def _used(plan: Plan) -> list[Node]:
    """The nodes that run, in the order of the recipe."""
    names = {name for item in plan.items for name in (item.members if isinstance(item, Region) else (item,))}
    return [node for name, node in plan.graph.nodes.items() if name in names]


def _sizes(node: Node) -> Iterator[str]:
    """What the settings say of a node's picture or crops."""
    size, count = node.settings.get("size"), node.settings.get("count")
    if isinstance(size, tuple):
        yield f"{size[0]} x {size[1]} pixels"
    elif isinstance(size, int) and isinstance(count, int):
        yield f"{count} crops of {size} x {size} pixels"


def _schedules(plan: Plan) -> Iterator[tuple[str, str]]:
    for region in plan.regions:
        for name in region.members:
            for setting, value in plan.graph.nodes[name].settings.items():
                for label, frames in _keyframes(f"{name}.{setting}", value):
                    yield label, _sparkline(frames, region.steps)


def _keyframes(label: str, value: Any) -> Iterator[tuple[str, Keyframes]]:
    if isinstance(value, Keyframes):
        yield label, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _keyframes(f"{label}[{index}]", item)


def _sparkline(frames: Keyframes, steps: int) -> str:
    """The values over the steps as bars, with the least and the greatest; those that are no numbers one by one."""
    even = [steps * index / SAMPLES for index in range(SAMPLES)] if steps > SAMPLES else list(range(steps - 1))
    values = [frames.at(time, steps) for time in [*even, steps - 1]]
    if not all(isinstance(value, int | float) for value in values):
        return ", ".join(f"{moment}: {value}" for moment, value in frames.points)
    turns = [moment.step(steps) for moment, _ in frames.points]
    reached = [*values, *(frames.at(time, steps) for time in turns if time < steps)]
    low, high = min(reached), max(reached)
    scale = (len(BARS) - 1) / ((high - low) or 1)
    bars = "".join(BARS[round((value - low) * scale)] for value in values)
    return f"{bars}  {low:g} to {high:g}"


def _weights(node: Node) -> Iterator[str]:
    """Which weights a node needs, how large they are, and whether they are here."""
    if node.spec.name == "clip.model":
        yield _perceptor(node)
    for name, setting in node.spec.settings.items():
        if setting.loads and node.settings.get(name):
            yield _generator(node.settings[name])


def _generator(name: str) -> str:
    record = places.find(name)
    if record is None:
        return f"from {name}"
    lacking = [file for role, file in record.files.items() if finding.seen(record, role) is None]
    if not lacking:
        return f"{name}, which is here"
    size = sum(file.size for file in lacking)
    start = f"{name}, {'up to ' if len(lacking) > 1 else ''}{amount(size)} " if size else f"{name}, "
    if places.offline():
        return f"{start}that is not here, and T2IFLOW_OFFLINE forbids to fetch it"
    hosts = dict.fromkeys(urlsplit(url).netloc for file in lacking for url in places.addresses(name, file)[:1])
    if not hosts:
        return f"{name}, which is not here: `t2iflow weights add {name} {' '.join(file.name for file in lacking)}`"
    return f"{start}to be fetched from {' and '.join(hosts)}, licence {record.licence}"


def _perceptor(node: Node) -> str:
    """Which weights a perceptor needs, and whether they are here."""
    name, own = node.settings["name"], node.settings.get("weights")
    if name == "lite" and own is None:
        return "lite, which comes with the program"
    try:
        source = sources.find(name, own)
        if source.file:
            return f"{name}, from {source.file}"
        library = sources.package()
        record = sources.published(library, source.architecture, source.tag)
    except (ValueError, MissingPackageError) as fault:
        return f"{name}: {fault}"
    here = sources.cached(record)
    return (
        f"{name}, from {here}"
        if here
        else f"{name}, to be fetched from {(record.get('hf_hub') or record.get('url', '')).rstrip('/')}"
    )


def _written(plan: Plan) -> Iterator[tuple[str, str]]:
    """The files of all outputs, each with the node that writes it."""
    watching = {watch.sink: (watch, region) for region in plan.regions for watch in region.watch}
    for node in _used(plan):
        if node.spec.role == "sink" and "file" in node.settings:
            what = f"{node.spec.name} {node.name}"
            if node.name in watching:
                watch, region = watching[node.name]
                what += f", shown {math.ceil(region.steps / watch.every) + 1} pictures"
            file = node.settings["file"]
            yield from (
                (str(one), what) for one in ([x for _, x in file.points] if isinstance(file, Keyframes) else [file])
            )


def _table(rows: Iterator[tuple[str, str]]) -> list[str]:
    found = list(rows)
    width = max((len(name) for name, _ in found), default=0)
    return [f"{name.ljust(width)}  {text}" for name, text in found]


def _indented(rows: list[str]) -> Iterator[str]:
    return (f"  {row}" for row in rows)
