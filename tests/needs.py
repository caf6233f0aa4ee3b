"""Which weights the shipped recipes need that don't come with the package."""

from collections.abc import Iterator

from t2iflow.nodes import catalog
from t2iflow.nodes.node import Spec
from t2iflow.nodes.weights import KNOWN
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.recipe import read


def specs(recipe: str, preset: str | None = None) -> Iterator[tuple[str, Spec]]:
    """The nodes of a shipped recipe by name, as far as there are such nodes."""
    for node in read(recipe, presets=[preset] if preset else []).nodes.values():
        try:
            yield node.name, catalog.find(node.use.value)
        except catalog.UnknownNodeError:
            continue


def weights(recipe: str, preset: str | None = None) -> dict[str, str]:
    """The settings that name weights of generators, `node.setting`, each with its family."""
    graph = compile_recipe(read(recipe, presets=[preset] if preset else []), []).graph
    return {
        f"{node.name}.{setting.name}": setting.loads
        for node in graph.nodes.values()
        for setting in node.spec.settings.values()
        if setting.loads and not _comes_along(node.settings[setting.name])
    }


def _comes_along(name: object) -> bool:
    return isinstance(name, str) and name in KNOWN and KNOWN[name].comes_along
