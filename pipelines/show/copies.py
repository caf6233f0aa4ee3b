"""A recipe's files under the names of their copies in a run folder.

A param that names a file goes on doing so, now by the name of the copy, so that it can be run again with another file.
Only one that says something else too, as in a prompt, stays as it is; then the file's own setting names the copy.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from t2iflow.nodes.core.node import Spec
from t2iflow.pipelines.graph.graph import READERS, Graph
from t2iflow.pipelines.graph.music import is_music
from t2iflow.pipelines.problems import Place
from t2iflow.pipelines.text.dollars import mentions, reference
from t2iflow.pipelines.text.located import Located

Inputs = Mapping[tuple[str, str], Located]
"""What is written at the ports and settings of nodes."""


class Copies:
    """The params and inputs of a graph's recipe, rewritten; `files` are the names of the copies by whole path."""

    def __init__(self, graph: Graph, files: Mapping[str, str]) -> None:
        recipe = graph.recipe
        self._params = recipe.params
        self._names: dict[Place, str] = {one.place: files.get(one.name, one.name) for one in graph.resources}
        written = {(text.name, key): value for text in recipe.nodes.values() for key, value in text.written.items()}
        names_file = {(name, key): _names_file(graph.nodes[name].written_spec, key) for name, key in written}
        self._spoken = {name for at, value in written.items() for name in self._words(value, names_file[at])}
        self.inputs: Inputs = {at: self._renamed(value, names_file[at]) for at, value in written.items()}
        params = {name: self._renamed(value, name not in self._spoken) for name, value in self._params.items()}
        void = _used(written.values(), self._params) - _used(self.inputs.values(), params)
        self.params = {name: value for name, value in params.items() if name not in void}
        """The params, but for those that only led to a file which now has a name of its own."""

    def _words(self, value: Located, is_file: bool) -> Iterator[str]:
        """The params that are used for something else than to name a file."""
        if not isinstance(value.value, str):
            for part, names_file in _parts(value):
                yield from self._words(part, names_file)
            return
        alone = self._param(value)
        for name in {*mentions(value)} & self._params.keys():
            as_file = is_file and name == alone
            yield from self._words(self._params[name], as_file)
            if not as_file:
                yield name

    def _renamed(self, value: Located, is_file: bool) -> Located:
        """The value, with the copies' names for those of files."""
        if not isinstance(value.value, str):
            return _mapped(value, self._renamed)
        end, through = value, ""
        while name := self._param(end):
            end, through = self._params[name], name
        if not is_file or end.place not in self._names or (through and through not in self._spoken):
            return value
        return replace(value, value=self._names[end.place].replace("$", "$$"))

    def _param(self, value: Located) -> str:
        """The param that a value is as a whole, if it is one."""
        wire = reference(value.value)
        return wire.node if wire and wire.node in self._params else ""


def _names_file(spec: Spec, key: str) -> bool:
    setting = spec.settings.get(key)
    return bool(setting.reads or setting.loads) if setting else key in spec.ports and spec.ports[key].kind in READERS


def _parts(value: Located) -> Iterator[tuple[Located, bool]]:
    """What a list or a mapping holds, keys included, and whether each names a file, as the song of music does."""
    if isinstance(value.value, list):
        yield from ((item, False) for item in value.value)
    elif isinstance(value.value, dict):
        for key, item in value.value.items():
            yield Located(key, value.place), False
            yield item, key == "music" and is_music(value)


def _mapped(value: Located, change: Callable[[Located, bool], Located]) -> Located:
    """A list or mapping with each value in it changed."""
    if isinstance(value.value, list):
        return replace(value, value=[change(item, False) for item in value.value])
    if isinstance(value.value, dict):
        songs = is_music(value)
        changed = {key: change(item, songs and key == "music") for key, item in value.value.items()}
        return replace(value, value=changed)
    return value


def _used(values: Iterable[Located], params: Mapping[str, Located]) -> set[str]:
    """The params that values mention, and those that these mention."""
    used: set[str] = set()
    ahead = [name for value in values for name in mentions(value)]
    while ahead:
        name = ahead.pop()
        if name in params and name not in used:
            used.add(name)
            ahead += mentions(params[name])
    return used
