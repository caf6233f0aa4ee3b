"""The resolved recipe: all that a run depended on, written out, so that a changed default never changes a re-run.

It is a recipe itself. Presets, `extends` and `--set` are applied, every setting is there; params stay params, so that
it can be run again with another prompt.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from os.path import isabs
from typing import Any

from t2iflow.nodes import paths
from t2iflow.nodes.node import Spec
from t2iflow.pipelines.graph import Graph, Node
from t2iflow.pipelines.music import is_music, songs
from t2iflow.pipelines.recipe import NodeText, Recipe
from t2iflow.pipelines.settings import plain
from t2iflow.pipelines.source import Located

SAFE = re.compile(r"[A-Za-z_][A-Za-z0-9_ ./-]*[A-Za-z0-9_.]|[A-Za-z_]")
"""Texts that YAML reads as texts without quotes, whatever follows them."""
WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "inf", "nan"}

FOLDED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")
"""Signs that YAML refuses or takes for the end of a line unless they are escaped."""


def resolved(graph: Graph, files: Mapping[str, str] | None = None) -> str:
    """The recipe of a graph as YAML text; `files` says where the pictures that it reads are now, by whole path."""
    return "\n".join(_lines(graph.recipe, graph, files)) + "\n"


def _lines(recipe: Recipe, graph: Graph, files: Mapping[str, str] | None) -> Iterator[str]:
    yield "t2iflow: 1"
    yield f"title: {scalar(recipe.title)}"
    if recipe.about:
        yield f"about: {scalar(recipe.about)}"
    yield f"seed: {recipe.seed}"
    if recipe.params:
        yield "params:"
        for name, value in recipe.params.items():
            yield f"  {name}: {flow(plain(value))}"
    yield "nodes:"
    for text in recipe.nodes.values():
        yield f"  {text.name}:"
        yield f"    use: {text.use.value}"
        for key, value in _inputs(text, graph, files):
            yield f"    {key}: {flow(value)}"


def _inputs(text: NodeText, graph: Graph, files: Mapping[str, str] | None) -> Iterator[tuple[str, Any]]:
    """Ports and settings as written, then the settings that were left to their defaults."""
    if text.every is not None:
        yield "every", text.every.value
    node = graph.nodes[text.name]
    spec = graph.nodes[f"{text.name}.0"].spec if node.implicit else node.spec
    for key, value in text.written.items():
        path = _path(spec, node, key)
        if files is None or (path is None and not any(songs(text.values[key]))):
            yield key, plain(value)
        elif path is None:
            yield key, _heard(value, text.values[key], graph.recipe, files)
        else:
            yield key, files.get(path, path).replace("$", "$$")
    for key, setting in spec.settings.items():
        if key not in text.written:
            yield key, _escaped(setting.default)


def _path(spec: Spec, node: Node, key: str) -> str | None:
    """The file or folder that a setting names, if it names one and not weights that have a name."""
    setting, value = spec.settings.get(key), node.settings.get(key)
    named = setting is not None and (setting.reads or (setting.loads and isabs(value or "")))
    return value if named and value else None


def _heard(written: Located, filled: Located, recipe: Recipe, files: Mapping[str, str]) -> Any:
    """A value as written, but for where the songs in it are now; music that a param stands for is written out."""
    if not any(songs(filled)):
        return plain(written)
    if isinstance(written.value, str) or written.keys.keys() != filled.keys.keys():
        written = _escaped(filled)
    if isinstance(filled.value, list):
        return [_heard(*pair, recipe, files) for pair in zip(written.value, filled.value, strict=True)]
    if is_music(filled):
        song = filled.value["music"]
        path = str(paths.whole(song.value, recipe.folder_of(song.place)))
        return {**plain(written), "music": files.get(path, path).replace("$", "$$")}
    return {key: _heard(written.value[key], item, recipe, files) for key, item in filled.value.items()}


def _escaped(value: Any) -> Any:
    """A value as a recipe would write it."""
    if isinstance(value, Located):
        return replace(value, value=_escaped(value.value))
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, list | tuple):
        return [_escaped(item) for item in value]
    return {key: _escaped(item) for key, item in value.items()} if isinstance(value, dict) else value


def flow(value: Any) -> str:
    """A value in YAML's flow style."""
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(key)}: {flow(item)}" for key, item in value.items()) + "}"
    return scalar(value)


def scalar(value: Any) -> str:
    """One value; texts are quoted unless they can't be mistaken."""
    if isinstance(value, str):
        bare = SAFE.fullmatch(value.removeprefix("$")) and value.lower() not in WORDS and ": " not in value
        return (
            value if bare else FOLDED.sub(lambda sign: f"\\u{ord(sign[0]):04x}", json.dumps(value, ensure_ascii=False))
        )
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(repr(value), repr(value))
    return str(value)
