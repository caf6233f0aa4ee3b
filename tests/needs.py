"""Which weights the shipped recipes name, and which of them come with the package."""

from collections.abc import Iterator

from t2iflow.nodes.core import catalog
from t2iflow.nodes.core.node import Spec
from t2iflow.nodes.weights.published import KNOWN
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.text.recipe import read


def specs(recipe: str, preset: str | None = None) -> Iterator[tuple[str, Spec]]:
    """The nodes of a shipped recipe by name, as far as there are such nodes."""
    for node in read(recipe, presets=[preset] if preset else []).nodes.values():
        try:
            yield node.name, catalog.find(node.use.value)
        except catalog.UnknownNodeError:
            continue


def weights(recipe: str, preset: str | None = None) -> dict[str, str]:
    """The settings that name weights which don't come along, `node.setting`, each with its family."""
    return {name: family for name, (family, bundled) in _named(recipe, preset).items() if not bundled}


def small(recipe: str, preset: str | None = None) -> dict[str, str]:
    """The settings that name weights which come along, `node.setting`, each with its family."""
    return {name: family for name, (family, bundled) in _named(recipe, preset).items() if bundled}


def _named(recipe: str, preset: str | None) -> dict[str, tuple[str, bool]]:
    """All settings that name weights, each with its family and whether the weights come along."""
    graph = compile_recipe(read(recipe, presets=[preset] if preset else [])).graph
    return {
        f"{node.name}.{setting.name}": (setting.loads, _bundled(node.settings[setting.name]))
        for node in graph.nodes.values()
        for setting in node.spec.settings.values()
        if setting.loads
    }


def _bundled(name: object) -> bool:
    return isinstance(name, str) and name in KNOWN and KNOWN[name].bundled
