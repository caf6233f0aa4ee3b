"""Wiring: from the text of each node to specs found, settings checked and ports joined, with all mistakes at once."""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from t2iflow.nodes.core import catalog
from t2iflow.nodes.core.blame import blamed
from t2iflow.nodes.core.node import Port, Setting, Spec, kind_name
from t2iflow.nodes.core.spelling import suggest
from t2iflow.nodes.core.types import Loss
from t2iflow.nodes.perceptors.interface import Wanted
from t2iflow.pipelines.graph import outside, unfolding
from t2iflow.pipelines.graph.allowed import describe
from t2iflow.pipelines.graph.graph import READERS, Graph, Named, Node, Source
from t2iflow.pipelines.graph.keyframes import AT
from t2iflow.pipelines.graph.music import SONG, Music
from t2iflow.pipelines.graph.schedule import changes, states
from t2iflow.pipelines.graph.settings import is_schedule, read_schedule, read_setting, wires_in
from t2iflow.pipelines.problems import Place, Problems, shown
from t2iflow.pipelines.text.dollars import Wire, plain
from t2iflow.pipelines.text.recipe import NodeText, Recipe
from t2iflow.pipelines.text.yaml_errors import KEYFRAMES
from t2iflow.pipelines.text.yaml_reader import Located


def wire(recipe: Recipe, problems: Problems) -> Graph:
    """Find the specs, check the settings and join the ports; what is wrong is added to `problems`."""
    wiring = _Wiring(recipe, problems)
    nodes = wiring.nodes()
    return Graph(recipe, nodes, frozenset(wiring.torn), tuple(wiring.named))


@dataclass
class _Wiring:
    recipe: Recipe
    problems: Problems
    specs: dict[str, Spec | None] = field(default_factory=dict)
    torn: set[str] = field(default_factory=set)
    named: list[Named] = field(default_factory=list)

    def nodes(self) -> dict[str, Node]:
        for text in self.recipe.nodes.values():
            self.specs[text.name] = self._spec(text)
        nodes: dict[str, Node] = {}
        for text in self.recipe.nodes.values():
            spec = self.specs[text.name]
            if spec is not None:
                for node in self._unfolded(text, spec):
                    nodes[node.name] = node
        return nodes

    def _spec(self, text: NodeText) -> Spec | None:
        use = text.use
        if not use.value:  # reported with the text
            return None
        try:
            return catalog.find(use.value)
        except catalog.BrokenPackageError as fault:
            self.problems.add("T2I501", f"`{use.value}` belongs to a package that can't be used: {fault}", use.place)
        except catalog.UnknownNodeError:
            known = [spec.name for spec in catalog.every_node()]
            self.problems.add(
                "T2I201",
                f"unknown node `{use.value}`",
                use.place,
                suggest(use.value, known),
                "`t2iflow nodes` lists all of them",
            )
        return None

    def _unfolded(self, text: NodeText, spec: Spec) -> Iterator[Node]:
        """The node of this text; more than one where a text setting is keyframed."""
        keyframed = next((key for key, value in text.values.items() if self._fades(spec, key, value)), None)
        if keyframed is None:
            yield from self._node(text, spec)
            return
        value = text.values[keyframed]
        schedule = self._outside(read_schedule(value, self.problems), text, spec.settings[keyframed], value)
        if schedule is None:  # which is reported; others may be wired to it
            self.torn.add(text.name)
            yield Node(text.name, spec, text.place, {}, {})
            return
        for copy in unfolding.copies(text, keyframed, schedule):
            for node in self._node(copy, spec):
                yield replace(node, implicit=True)
        yield unfolding.blend(text, schedule)

    def _fades(self, spec: Spec, key: str, value: Located) -> bool:
        """Whether this is a setting of texts over time, on a node that makes embeddings."""
        if spec.kind is not Wanted or key not in spec.settings or not is_schedule(value):
            return False
        schedule = read_schedule(value, Problems())
        return schedule is not None and any(not isinstance(item.value, int | float) for item in schedule.values)

    def _node(self, text: NodeText, spec: Spec) -> Iterator[Node]:
        settings: dict[str, Any] = {}
        wires: dict[str, tuple[Source, ...]] = {}
        for key, value in text.values.items():
            if key in spec.settings:
                strays = [wire for wire in wires_in(value) if self._is_unknown(wire)]
                if strays:
                    continue
                setting, before = spec.settings[key], len(self.problems)
                read = self._outside(read_setting(text.name, setting, value, self.problems), text, setting, value)
                if len(self.problems) == before:  # what is refused is left out
                    settings[key] = read
            elif key in spec.ports:
                yield from self._port(text, spec.ports[key], value, wires)
            else:
                names = [*spec.ports, *spec.settings]
                self.torn.add(text.name)
                self.problems.add(
                    "T2I202",
                    f"unknown input `{key}` for node `{text.name}` ({spec.name})",
                    text.keys.get(key, text.place),
                    KEYFRAMES if AT.fullmatch(key) else suggest(key, [*names, "every"]),
                    _inputs(spec),
                    f"see `t2iflow nodes {spec.name}`",
                )
        for name, setting in spec.settings.items():
            if name not in text.values:
                if setting.required:
                    self._missing(text, spec, f"setting `{name}` ({describe(setting.annotation)})")
                else:
                    settings[name] = setting.default
        for name, port in spec.ports.items():
            if port.required and name not in text.values:
                self.torn.add(text.name)
                self._missing(text, spec, f"port `{name}` ({kind_name(port.kind)})", self._candidates(port, text.name))
        self._together(text, spec, settings)
        every = self._every(text)
        ordered = {name: settings[name] for name in spec.settings if name in settings}
        yield Node(text.name, spec, text.place, ordered, wires, every)

    def _outside(self, read: Any, text: NodeText, setting: Setting, value: Located) -> Any:
        """What was read, with whole paths for the files that it names."""
        if isinstance(read, list) and changes(read):
            return [self._outside(one, text, setting, item) for one, item in zip(read, value.value, strict=True)]
        if isinstance(read, Music):
            place = value.value["music"].place
            file = self._file(read.file, text, setting, SONG, place)
            return self._heard(replace(read, file=file), place) if file else None
        names = isinstance(read, str) and (setting.reads or setting.loads)
        return self._file(read, text, setting, setting, value.place) if names else read

    def _file(self, name: str, text: NodeText, written: Setting, setting: Setting, place: Place) -> str | None:
        """The whole path of a file that is named at a place in what was `written`."""
        param = self.recipe.param_at(place) or f"{text.name.partition('.')[0]}.{written.name}"
        named = outside.found(name, setting, self.recipe.origin_of(place), place, param, self.problems)
        if named is None:
            return None
        self.named.append(named)
        return named.name

    def _heard(self, music: Music, place: Place) -> Music | None:
        try:
            if Path(music.file).is_file():  # a picture's recipe may have come without it
                music.listen()
        except ValueError as fault:
            self.problems.add("T2I502", str(fault), place)
            return None
        return music

    def _together(self, text: NodeText, spec: Spec, settings: dict[str, Any]) -> None:
        """Whether the settings go together, where each for itself is right."""
        written = {key: value for key, value in text.values.items() if key in spec.settings}
        lacking = any(named.missing and named.name in settings.values() for named in self.named)
        if lacking or settings.keys() != spec.settings.keys():
            return
        try:
            for state in states(settings):
                spec.check(state)
        except Exception as fault:  # somebody else's check may raise anything
            kind = "" if isinstance(fault, ValueError) else f"{type(fault).__name__}: "
            what = f"node `{text.name}` ({spec.name}): these settings conflict: {kind}{fault}"
            self.problems.add(
                "T2I204", what, text.place, *self._elsewhere(text.place, written), blamed(fault, spec.target)
            )

    def _elsewhere(self, place: Place, written: Mapping[str, Located]) -> Iterator[str]:
        """Where settings were given, as far as that was not in the file of the node."""
        for key, value in written.items():
            at = value.place
            if at.file != place.file:
                said = self.recipe.sources[at.file] == at.file  # as an override is named by itself
                yield f"`{key}` is set " + (f"by `{at.file}`" if said else f"at {at.file}:{at.line}:{at.column}")

    def _missing(self, text: NodeText, spec: Spec, what: str, hint: str | None = None) -> None:
        self.problems.add("T2I203", f"node `{text.name}` ({spec.name}) needs {what}", text.place, hint, _inputs(spec))

    def _candidates(self, port: Port, name: str) -> str | None:
        """What in this recipe could be wired to the port."""
        fitting = [
            f"${other}"
            for other, spec in self.specs.items()
            if spec is not None and other != name and port.kind in spec.outputs.values()
        ]
        return f"`{port.name}: {fitting[0]}` would fit" if len(fitting) == 1 else None

    def _every(self, text: NodeText) -> int:
        if text.every is None:
            return 1
        value = text.every.value
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            self.problems.add(
                "T2I204", f"`every` of node `{text.name}` must be a whole number from 1", text.every.place
            )
            return 1
        return value

    def _port(self, text: NodeText, port: Port, value: Located, wires: dict[str, tuple[Source, ...]]) -> Iterator[Node]:
        if value.value is None and not port.required:
            return
        if port.kind is Loss and not port.many and unfolding.is_total(value):
            terms = value.value if isinstance(value.value, list) else [value]
            total = unfolding.total(f"{text.name}.{port.name}", terms, value.place)
            for node in self._node(total, catalog.find("losses.total")):
                yield replace(node, implicit=True)
            wires[port.name] = (Source(total.name),)
            return
        items = value.value if port.many and isinstance(value.value, list) else [value]
        sources = []
        for number, item in enumerate(items):
            if isinstance(item.value, Wire):
                source = self._source(text, port, item)
            elif port.kind in READERS and unfolding.is_file_name(item.value) and item.value not in self.specs:
                name = f"{text.name}.{port.name}" + (f".{number}" if port.many else "")
                source = yield from self._reader(text, port, item, name)
            else:
                source = None
                self._no_wire(text, port, item)
            if source is not None:
                sources.append(source)
            else:
                self.torn.add(text.name)
        if port.required and not items:
            self.problems.add("T2I203", f"`{port.name}` of node `{text.name}` needs at least one wire", value.place)
        wires[port.name] = tuple(sources)

    def _no_wire(self, text: NodeText, port: Port, item: Located) -> None:
        near = suggest(f"${item.value}", [f"${name}" for name in self.specs]) if isinstance(item.value, str) else None
        file = port.kind in READERS and isinstance(item.value, str) and not near
        kind = f"write `$name` of a node that makes {kind_name(port.kind)}"
        self.problems.add(
            "T2I205",
            f"`{port.name}` of node `{text.name}` is a port: it takes a wire, not {shown(plain(item))}",
            item.place,
            near or self._candidates(port, text.name) or kind,
            "or the name of a picture's file, such as `photo.jpg`" if file else None,
        )

    def _reader(self, text: NodeText, port: Port, item: Located, name: str) -> Generator[Node, None, Source | None]:
        """Unfold a picture's file name into the node that reads it."""
        setting = replace(catalog.find(READERS[port.kind]).settings["file"], name=port.name)
        file = self._file(item.value, text, setting, setting, item.place)
        if file is None:
            return None
        yield unfolding.reader(name, port, file, item.place)
        return Source(name)

    def _is_unknown(self, wire: Located) -> bool:
        """Whether a wire starts nowhere, which is reported."""
        name = wire.value.node
        if name not in self.specs:
            known = [*self.specs, *self.recipe.params]
            self.problems.add("T2I301", f"there is no node or param `{name}`", wire.place, suggest(name, known))
        return name not in self.specs

    def _source(self, text: NodeText, port: Port, item: Located) -> Source | None:
        """Where this wire starts, if it can end at this port."""
        start: Wire = item.value
        if self._is_unknown(item):
            return None
        spec = self.specs[start.node]
        if spec is None:  # its own mistake is reported already
            return None
        if not spec.outputs:
            self.problems.add("T2I304", f"`{start.node}` ({spec.name}) has no output to wire", item.place)
            return None
        output = start.port
        if output and output not in spec.outputs:
            self.problems.add(
                "T2I302",
                f"`{start.node}` ({spec.name}) has no output `{output}`",
                item.place,
                suggest(output, [name for name in spec.outputs if name]),
                _outputs(spec),
            )
            return None
        if not output and len(spec.outputs) > 1:
            fitting = [name for name, kind in spec.outputs.items() if kind is port.kind]
            if len(fitting) != 1:
                self.problems.add(
                    "T2I305", f"`{start.node}` ({spec.name}) has several outputs: name one", item.place, _outputs(spec)
                )
                return None
            output = fitting[0]
        kind = spec.outputs[output]
        if kind is not port.kind:
            written = f"${start.node}" + (f".{output}" if output else "")
            self.problems.add(
                "T2I303",
                f"`{written}` is {kind_name(kind)}, but `{port.name}` of node `{text.name}` wants"
                f" {kind_name(port.kind)}",
                item.place,
                _bridge(kind, port.kind),
                self._candidates(port, text.name),
            )
            return None
        return Source(start.node, output)


def _inputs(spec: Spec) -> str:
    ports = [f"{port.name} ({kind_name(port.kind)})" for port in spec.ports.values()]
    return "inputs: " + ", ".join([*ports, *spec.settings])


def _outputs(spec: Spec) -> str:
    return "outputs: " + ", ".join(
        f"{name or 'the only one'} ({kind_name(kind)})" for name, kind in spec.outputs.items()
    )


def _bridge(given: Any, wanted: Any) -> str | None:
    """The node that makes one kind of the other, if there is one."""
    for spec in catalog.every_node():
        needed = [port.kind for port in spec.ports.values() if port.required]
        if spec.role != "optimizer" and given in needed and spec.kind is wanted:
            return f"`{spec.name}` makes {kind_name(wanted)} of {kind_name(given)}"
    return None
