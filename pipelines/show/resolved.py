"""The resolved recipe: all that a run depended on, written out, so that a changed default never changes a re-run.

It is a recipe itself. Presets, `extends` and `--set` are applied, every setting is there; params stay params, so that
it can be run again with another prompt.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from t2iflow.pipelines.graph.graph import Graph
from t2iflow.pipelines.show.copies import Copies
from t2iflow.pipelines.text.located import plain
from t2iflow.pipelines.text.recipe import NodeText
from t2iflow.pipelines.text.yaml_writer import flow, scalar


def resolved(graph: Graph, files: Mapping[str, str] | None = None) -> str:
    """The recipe of a graph as YAML text; `files` says where what it reads is now, by whole path."""
    return "\n".join(_lines(graph, None if files is None else Copies(graph, files))) + "\n"


def shareable(recipe: str, graph: Graph) -> str:
    """A graph's resolved recipe as pictures and films carry it: weights that are files by no more than their names."""
    for path, name in graph.shared.items():
        whole, short = (json.dumps(_escaped(text), ensure_ascii=False)[1:] for text in (path, name))  # up to a quote
        recipe = recipe.replace(f'"{whole}', f'"{short}').replace(f":{whole}", f":{short}")
    return recipe


def params(graph: Graph) -> dict[str, Any]:
    """The params of a graph's recipe as others may see them, without whole paths."""
    return {name: plain(value) for name, value in Copies(graph, graph.shared).params.items()}


def overrides(graph: Graph) -> tuple[str, ...]:
    """The options that changed the recipe, likewise; without those that only led to a file."""
    copies, recipe = Copies(graph, graph.shared), graph.recipe
    known = {name: (value, copies.params.get(name)) for name, value in recipe.params.items()}
    known |= {
        f"{text.name}.{key}": (value, copies.inputs[text.name, key])
        for text in recipe.nodes.values()
        for key, value in text.written.items()
    }
    options = []
    for option in recipe.overrides:
        target = option.removeprefix("--set ").partition("=")[0].strip()
        before, after = known.get(target, (None, None))
        if after is before:
            options.append(option)
        elif after is not None:
            options.append(f"--set {target}={flow(plain(after))}")
    return tuple(options)


def _lines(graph: Graph, copies: Copies | None) -> Iterator[str]:
    recipe = graph.recipe
    yield "t2iflow: 1"
    yield f"title: {scalar(recipe.title)}"
    if recipe.about:
        yield f"about: {scalar(recipe.about)}"
    yield f"seed: {recipe.seed}"
    params = recipe.params if copies is None else copies.params
    if params:
        yield "params:"
        for name, value in params.items():
            yield f"  {name}: {flow(plain(value))}"
    yield "nodes:"
    for text in recipe.nodes.values():
        yield f"  {text.name}:"
        yield f"    use: {text.use.value}"
        for key, value in _inputs(text, graph, copies):
            yield f"    {key}: {flow(value)}"


def _inputs(text: NodeText, graph: Graph, copies: Copies | None) -> Iterator[tuple[str, Any]]:
    """Ports and settings as written, then the settings that were left to their defaults."""
    for key, value in text.written.items():
        yield key, plain(value if copies is None else copies.inputs[text.name, key])
    node = graph.nodes[text.name]
    for key in node.written_spec.settings:
        if key not in text.written:
            yield key, _escaped(node.left_out(key))


def _escaped(value: Any) -> Any:
    """A value as a recipe would write it."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, list | tuple):
        return [_escaped(item) for item in value]
    return {key: _escaped(item) for key, item in value.items()} if isinstance(value, dict) else value
