"""Which weights the shipped recipes need."""

from collections.abc import Iterator

from t2iflow.nodes import catalog
from t2iflow.nodes.node import Spec
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
    return {
        f"{node}.{setting.name}": setting.loads
        for node, spec in specs(recipe, preset)
        for setting in spec.settings.values()
        if setting.loads
    }
