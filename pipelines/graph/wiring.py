"""Wiring: nodes looked up, settings checked and ports joined, reporting every mistake at once."""

from collections.abc import Collection, Generator, Iterator
from dataclasses import dataclass, field, replace

from t2iflow.nodes.core import catalog
from t2iflow.nodes.core.node import Port, Spec, kind_name
from t2iflow.nodes.core.spelling import near, suggest
from t2iflow.nodes.core.types import Loss
from t2iflow.nodes.perceptors.interface import Wanted
from t2iflow.pipelines.graph import unfolding
from t2iflow.pipelines.graph.allowed import describe
from t2iflow.pipelines.graph.files import Files
from t2iflow.pipelines.graph.graph import READERS, Graph, Node, Source, Unfolded
from t2iflow.pipelines.graph.keyframes import AT
from t2iflow.pipelines.graph.settings import is_schedule, read_schedule, read_settings
from t2iflow.pipelines.graph.wires import REMOVED, Wires
from t2iflow.pipelines.problems import Place, Problems, joined
from t2iflow.pipelines.text.dollars import UNREAD, Wire
from t2iflow.pipelines.text.located import Located
from t2iflow.pipelines.text.recipe import NodeText, Recipe
from t2iflow.pipelines.text.yaml_errors import KEYFRAMES


def wire(recipe: Recipe, problems: Problems) -> Graph:
    """Find the specs, check the settings and join the ports; what is wrong is added to `problems`."""
    wrong = Problems()
    specs = {text.name: _spec(text.use, wrong) for text in recipe.nodes.values()}
    wiring = _Wiring(recipe, wrong, Wires(specs, recipe.params.keys(), recipe.removed, wrong), Files(recipe, wrong))
    found = ((recipe.nodes[name], spec) for name, spec in specs.items() if spec is not None)
    nodes = {node.name: node for text, spec in found for node in wiring.nodes(text, spec)}
    problems.extend(joined(wrong))
    return Graph(recipe, unfolding.sized(nodes), frozenset(wiring.torn), tuple(wiring.files.resources))


def _spec(use: Located, problems: Problems) -> Spec | None:
    """What `use` names; None where that is reported, an empty text with the recipe's own mistakes."""
    try:
        return catalog.find(use.value) if use.value else None
    except catalog.BrokenPackageError as fault:
        problems.add("T2I501", f"`{use.value}` belongs to a package that can't be used: {fault}", use.place)
    except catalog.UnknownNodeError:
        names = [spec.name for spec in catalog.every_node()]
        family = [name for name in names if name.startswith(use.value.lower().partition(".")[0] + ".")]
        offer = f"there are {', '.join(family)}" if family else "`t2iflow nodes` lists all of them"
        problems.add("T2I201", f"unknown node `{use.value}`", use.place, suggest(use.value, names), offer)
    return None


@dataclass(frozen=True)
class _Wiring:
    recipe: Recipe
    problems: Problems
    wires: Wires
    files: Files
    torn: set[str] = field(default_factory=set)

    def nodes(self, text: NodeText, spec: Spec) -> Iterator[Node]:
        """The node of this text, after those that are unfolded from what it says."""
        keyframed = next((key for key, value in text.values.items() if _fades(spec, key, value)), None)
        if keyframed is None:
            yield from self._node(text, spec)
        else:
            yield from self._keyframed(text, spec, keyframed)

    def _keyframed(self, text: NodeText, spec: Spec, key: str) -> Iterator[Node]:
        """The nodes of a text with a setting of texts over time."""
        value = text.values[key]
        read = read_schedule(value, self.problems)
        schedule = read and self.files.heard(read, text.name, spec.settings[key])
        if schedule is None:  # which is reported; others may be wired to it
            self.torn.add(text.name)
            yield Node(text.name, spec, text.place, {}, {})
            return
        for copy in unfolding.texts(text, key, schedule):
            yield from self._part(copy, spec, Unfolded("text", text.name, spec, key))
        yield unfolding.blend(text, key, spec, schedule)

    def _part(self, text: NodeText, spec: Spec, unfolded: Unfolded) -> Iterator[Node]:
        for node in self._node(text, spec):
            yield replace(node, unfolded=node.unfolded or unfolded)

    def _node(self, text: NodeText, spec: Spec) -> Iterator[Node]:
        unknown = [key for key in text.values if key not in spec.settings and key not in spec.ports]
        for key in unknown:
            self._unknown(text, spec, key)
        misspelt = {meant for key in unknown for meant in near(key, _names(spec))} - text.values.keys()
        read = read_settings(text, spec, self.wires, self.files)
        settings = {name: value for name, value in read.items() if name not in misspelt}
        wires: dict[str, tuple[Source, ...]] = {}
        for key, value in text.values.items():
            if key in spec.ports and (value.value is not None or spec.ports[key].required):
                wires[key] = yield from self._sources(text, spec, spec.ports[key], value)
        self._report_missing(text, spec, misspelt)
        yield Node(text.name, spec, text.place, settings, wires, self._every(text))

    def _unknown(self, text: NodeText, spec: Spec, key: str) -> None:
        self.torn.add(text.name)
        hint = KEYFRAMES if AT.fullmatch(key) else suggest(key, [*_names(spec), "every"])
        what = f"unknown input `{key}` for node `{text.name}` ({spec.name})"
        place = text.keys.get(key, text.place)
        self.problems.add("T2I202", what, place, hint, _inputs(spec), f"see `t2iflow nodes {spec.name}`")

    def _report_missing(self, text: NodeText, spec: Spec, misspelt: Collection[str]) -> None:
        """What is required and missing; what is misspelt is reported already."""
        for name, setting in spec.settings.items():
            if setting.required and name not in text.values and name not in misspelt:
                self._missing(text, spec, name, f"setting `{name}` ({describe(setting.annotation)})")
        for name, port in spec.ports.items():
            if port.required and name not in text.values and name not in misspelt:
                self.torn.add(text.name)
                fitting = self.wires.candidates(port, text.name)
                self._missing(text, spec, name, f"port `{name}` ({kind_name(port.kind)})", fitting)

    def _missing(self, text: NodeText, spec: Spec, name: str, what: str, hint: str | None = None) -> None:
        gone = self.recipe.removed.get(f"{text.name}.{name}")
        hints = [REMOVED] if gone else [hint, _inputs(spec)]
        self.problems.add("T2I203", f"node `{text.name}` ({spec.name}) needs {what}", gone or text.place, *hints)

    def _every(self, text: NodeText) -> int:
        said = text.every
        if said is None or said.value == UNREAD:
            return 1
        if isinstance(said.value, int) and not isinstance(said.value, bool) and said.value >= 1:
            return said.value
        self.problems.add("T2I204", f"`every` of node `{text.name}` must be a whole number of at least 1", said.place)
        return 1

    def _sources(
        self, text: NodeText, spec: Spec, port: Port, value: Located
    ) -> Generator[Node, None, tuple[Source, ...]]:
        """Where the wires of a port start; first the nodes that are unfolded from what stands there."""
        if port.kind is Loss and not port.many and (terms := unfolding.terms(value)):
            sound = [term for term in terms if self.wires.leads(text.name, port, term)]
            if len(sound) < len(terms):
                self.torn.add(text.name)
            if not sound:
                return ()
            unfolded = Unfolded("sum", text.name, spec, port.name)
            return (yield from self._total(f"{text.name}.{port.name}", sound, value.place, unfolded))
        items = value.value if port.many and isinstance(value.value, list) else [value]
        sources = []
        for number, item in enumerate(items):
            name = f"{text.name}.{port.name}" + (f".{number}" if port.many else "")
            sources.append((yield from self._source(text, spec, port, item, name)))
        if port.required and not items:
            self.problems.add("T2I203", f"`{port.name}` of node `{text.name}` needs at least one wire", value.place)
        if None in sources:
            self.torn.add(text.name)
        return tuple(source for source in sources if source is not None)

    def _total(
        self, name: str, terms: list[Located], place: Place, unfolded: Unfolded
    ) -> Generator[Node, None, tuple[Source, ...]]:
        yield from self._part(unfolding.total(name, terms, place), catalog.find("losses.total"), unfolded)
        return (Source(name),)

    def _source(
        self, text: NodeText, spec: Spec, port: Port, item: Located, name: str
    ) -> Generator[Node, None, Source | None]:
        """Where a wire starts; what is the name of a picture's file is unfolded into a node of this name."""
        if isinstance(item.value, Wire):
            return self.wires.source(text.name, port, item)
        if port.kind in READERS and unfolding.is_file_name(item.value) and item.value not in self.recipe.nodes:
            return (yield from self._reader(text, spec, port, item, name))
        self.wires.refuse(text.name, port, item)
        return None

    def _reader(
        self, text: NodeText, spec: Spec, port: Port, item: Located, name: str
    ) -> Generator[Node, None, Source | None]:
        setting = replace(catalog.find(READERS[port.kind]).settings["file"], name=port.name)
        file = self.files.path(item.value, text.name, setting, item.place)
        if file is None:
            return None
        yield unfolding.reader(name, port, file, item.place, Unfolded("reader", text.name, spec, port.name))
        return Source(name)


def _fades(spec: Spec, key: str, value: Located) -> bool:
    """Whether this is a setting of texts over time, on a node that makes embeddings."""
    if spec.kind is not Wanted or key not in spec.settings or not is_schedule(value):
        return False
    schedule = read_schedule(value, Problems())
    return schedule is not None and any(not isinstance(item.value, int | float) for item in schedule.values)


def _names(spec: Spec) -> list[str]:
    """Those of its ports and settings."""
    return [*spec.ports, *spec.settings]


def _inputs(spec: Spec) -> str:
    ports = [f"{port.name} ({kind_name(port.kind)})" for port in spec.ports.values()]
    return "inputs: " + ", ".join([*ports, *spec.settings])
