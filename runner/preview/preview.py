"""What a run would do, shown before it starts: how often each node runs, on which device, with which weights and
files."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from urllib.parse import urlsplit

from t2iflow.nodes.core.missing import MissingPackageError
from t2iflow.nodes.core.prompts import read_prompt, reading
from t2iflow.nodes.core.texts import aligned, counted, shortened
from t2iflow.nodes.film import decoder
from t2iflow.nodes.perceptors.clip import fetching, sources
from t2iflow.nodes.perceptors.clip.sizes import size
from t2iflow.nodes.weights import places, registry
from t2iflow.nodes.weights.content import amount
from t2iflow.nodes.weights.entry import entries
from t2iflow.pipelines.graph.graph import Node
from t2iflow.pipelines.graph.schedule import Schedule
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.show.prompts import written
from t2iflow.pipelines.text.located import plain
from t2iflow.pipelines.text.overlays import Change
from t2iflow.pipelines.text.yaml_writer import flow
from t2iflow.runner.execution import device
from t2iflow.runner.execution.capture import hindrance
from t2iflow.runner.preview import estimate, schedules

BARS, MANY_BARS = 24, 72
"""How many bars a schedule is drawn with, at most."""

LONGEST = 300
"""Letters of a prompt, at most."""


@dataclass(frozen=True, repr=False)
class Preview:
    """What a run would do, in words: lines under titles, the first of them, about the whole, under none."""

    plan: Plan
    sections: Mapping[str, Sequence[str]]

    def __str__(self) -> str:
        return "\n".join(
            "\n".join([f"\n{title}:", *(f"  {line}" for line in lines)] if title else lines)
            for title, lines in self.sections.items()
        )

    __repr__ = __str__

    def also(self, title: str, lines: Sequence[str]) -> "Preview":
        """The same with more at its end."""
        return replace(self, sections={**self.sections, title: lines})


def preview(plan: Plan, wanted: str, measure: bool = False) -> Preview:
    """The plan in words, for the wanted device; NoDeviceError if that is unavailable. How long it will take is known
    from a run like it, or from a few steps that are taken to `measure` it."""
    where, why = device.choose(wanted)
    recipe = plan.graph.recipe
    sections = {
        "": [recipe.title, f"on {where} ({why}), seed {recipe.seed}"],
        "prompts": aligned(_prompts(plan)),
        "changed by presets": aligned((change.name, _changed(change)) for change in recipe.changed),
        "order": str(plan).splitlines(),
        "sizes": aligned((node.name, size) for node in _used(plan) for size in _sizes(node)),
        "on the GPU": aligned(_recorded(plan)) if where.type == "cuda" else [],
        "schedules": aligned(schedules.rows(plan, BARS)),
        "weights": aligned((node.name, weights) for node in _used(plan) for weights in _weights(node)),
        "files read": list(_read(plan)),
        "missing": [f"{one.short}: give it with {one.option}" for one in plan.graph.resources if one.missing],
        "files written": aligned(_written(plan)),
        "time and memory": _expected(plan, wanted, measure),
        "needed by no output": [*plan.idle, *recipe.unused],
    }
    return Preview(plan, {title: lines for title, lines in sections.items() if lines})


def _expected(plan: Plan, wanted: str, measure: bool) -> list[str]:
    try:
        figures = estimate.measured(plan, wanted) if measure else estimate.known(plan, wanted)
    except estimate.UnmeasuredError as fault:
        return [f"could not be measured: {fault}"]
    if figures is None:
        return ["unknown yet: no similar run was made here; `--measure` runs a few steps to find out"]
    return [*aligned(estimate.rows(plan, figures)), f"the formula: {estimate.FORMULA}"]


def changing(plan: Plan) -> str:
    """All settings that change over time, drawn."""
    return "\n".join(aligned(schedules.rows(plan, MANY_BARS))) or "nothing changes over time in this recipe"


def _used(plan: Plan) -> list[Node]:
    """The nodes that run, in the order of the recipe."""
    names = plan.used
    return [node for name, node in plan.graph.nodes.items() if name in names]


def _prompts(plan: Plan) -> Iterator[tuple[str, str]]:
    """What nodes that run are asked for, and how a text is read that has weights in it, or might have."""
    for name, text, prompt in written(plan):
        read = reading(prompt, read_prompt(prompt)) if isinstance(prompt, str) else None
        yield name, shortened(flow(plain(text)), LONGEST) + (f", {read}" if read else "")


def _changed(change: Change) -> str:
    before, after = (shortened(flow(plain(value))) if value else "" for value in (change.before, change.after))
    return f"{after}, not {before}" if after else f"removed; it was {before}"


def _recorded(plan: Plan) -> Iterator[tuple[str, str]]:
    """How the steps of optimisers are taken on a GPU: what changes in them but can't be fed begins a new recording."""
    for region in plan.regions:
        nodes = [plan.graph.nodes[name] for name in (*region.paint, *region.judge) if name not in region.ahead]
        changing = [
            f"`{node.name}.{one.setting}`"
            for node in nodes
            for one in node.schedules
            if not isinstance(one.schedule.reached[0], float)
        ]
        if why := hindrance(nodes):
            yield region.optimizer, f"steps are taken node by node: {why}"
            continue
        anew = f", anew whenever {' or '.join(changing)} changes" if changing else ""
        yield region.optimizer, f"steps are recorded{anew}, and replayed, unless a node has to wait for a value in them"


def _sizes(node: Node) -> Iterator[str]:
    """What the settings say of a node's picture or crops."""
    size, count = node.value("size"), node.value("count")
    if isinstance(size, tuple):
        yield f"{size[0]} x {size[1]} pixels"
    elif isinstance(size, int) and isinstance(count, int):
        yield f"{counted(count, 'crop')} of {size} x {size} pixels"


def _weights(node: Node) -> Iterator[str]:
    """Which weights a node needs, how large they are, and whether they are here."""
    if name := node.file("perceptor"):
        yield _perceptor(name, node.file("weights"))
    for name, setting in node.spec.settings.items():
        if setting.loads and node.settings.get(name):
            yield _generator(node.settings[name])


def _generator(name: str) -> str:
    record = registry.find(name)
    if record is None:
        return f"from {name}"
    lacking = [entry for entry in entries(record).values() if entry.seen() is None]
    if not lacking:
        return f"{name}, which is here"
    size = sum(entry.file.size for entry in lacking)
    start = f"{name}, {'up to ' if len(lacking) > 1 else ''}{amount(size)} " if size else f"{name}, "
    if places.offline():
        return f"{start}that is not here, and {places.OFFLINE} forbids fetching it"
    hosts = dict.fromkeys(urlsplit(url).netloc for entry in lacking for url in entry.urls[:1])
    if not hosts:
        return (
            f"{name}, which is not here: `t2iflow weights add {name} {' '.join(entry.file.name for entry in lacking)}`"
        )
    return f"{start}to be fetched from {' and '.join(hosts)}, licence {record.licence}"


def _perceptor(name: str, own: str | None) -> str:
    """Which weights a perceptor needs, and whether they are here."""
    if name == "lite" and own is None:
        return "lite, which is bundled"
    try:
        source = sources.find(name, own)
        if source.file:
            return f"{name}, from {source.file}"
        library = sources.catalogue() or sources.package()
        record = sources.published(library, source.architecture, source.tag)
    except (ValueError, MissingPackageError) as fault:
        return f"{name}: {fault}"
    here = fetching.cached(record)
    return (
        f"{name}, from {here}"
        if here
        else f"{name}, {size(name)} to be fetched from {(record.get('hf_hub') or record.get('url', '')).rstrip('/')}"
    )


def _read(plan: Plan) -> Iterator[str]:
    """The files that nodes read; what films are."""
    films = {one.name for one in plan.graph.resources if one.kind == "film"}
    lost = {one.name for one in plan.graph.resources if one.missing}
    for path in plan.graph.files:
        if path not in lost:
            yield f"{path}, {_film(path)}" if path in films else path


def _film(path: str) -> str:
    try:
        return str(decoder.about(path))
    except (ValueError, MissingPackageError) as fault:
        return str(fault)


def _written(plan: Plan) -> Iterator[tuple[str, str]]:
    """The files of all outputs, each with the node that writes it."""
    watching = {watch.sink: (watch, region) for region in plan.regions for watch in region.watch}
    filming = {watch.sink: (watch, shot) for region in plan.regions if (shot := region.shot) for watch in shot.show}
    for node in _used(plan):
        if node.spec.role == "sink" and node.value("file"):
            what = f"{node.spec.name} {node.name}"
            if node.name in watching:
                watch, region = watching[node.name]
                what += f", shown {_length(node, math.ceil(region.steps / watch.every) + 1, 'picture')}"
            if node.name in filming:
                watch, shot = filming[node.name]
                what += f", shown {_length(node, math.ceil(shot.made / watch.every), 'frame')}"
            file = node.value("file")
            yield from ((str(one), what) for one in (file.values if isinstance(file, Schedule) else [file]))


def _length(node: Node, shown: int, what: str) -> str:
    """How many pictures an output is shown, and how long a film of them is."""
    fps, frames = node.value("rate"), 2 * shown - 2 if node.value("order") == "boomerang" else shown
    rate = float(fps) if isinstance(fps, Real) else 0.0
    return counted(shown, what) + (f", {max(frames, 1) / rate:.4g} s at {rate:.5g} fps" if rate else "")
