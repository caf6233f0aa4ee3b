"""The shipped recipes, read once for all tests; which weights they name, and which of them come with the package."""

from collections.abc import Iterator
from functools import cache

from t2iflow.nodes.core import catalog
from t2iflow.nodes.core.node import Spec
from t2iflow.nodes.weights.published import KNOWN
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.text.recipe import Recipe, read


@cache
def recipe(name: str, preset: str | None = None) -> Recipe:
    """A shipped recipe with one of its presets, or with none."""
    return read(name, presets=[preset] if preset else [])


@cache
def plan(name: str, preset: str | None = None) -> Plan:
    """The plan of it."""
    return compile_recipe(recipe(name, preset))


def specs(name: str, preset: str | None = None) -> Iterator[tuple[str, Spec]]:
    """The nodes of a shipped recipe by name, as far as there are such nodes."""
    for node in recipe(name, preset).nodes.values():
        try:
            yield node.name, catalog.find(node.use.value)
        except catalog.UnknownNodeError:
            continue


def weights(name: str, preset: str | None = None) -> dict[str, str]:
    """The settings that name weights which don't come along, `node.setting`, each with its family."""
    return {key: family for key, (family, bundled) in _named(name, preset).items() if not bundled}


def small(name: str, preset: str | None = None) -> dict[str, str]:
    """The settings that name weights which come along, `node.setting`, each with its family."""
    return {key: family for key, (family, bundled) in _named(name, preset).items() if bundled}


def _named(name: str, preset: str | None) -> dict[str, tuple[str, bool]]:
    """All settings that name weights, each with its family and whether the weights come along."""
    return {
        f"{node.name}.{setting.name}": (setting.loads, _bundled(node.settings[setting.name]))
        for node in plan(name, preset).graph.nodes.values()
        for setting in node.spec.settings.values()
        if setting.loads
    }


def _bundled(name: object) -> bool:
    return isinstance(name, str) and name in KNOWN and KNOWN[name].bundled
