"""Settings left over when a preset replaced their node, and what happens to them.

What a child sets of `cuts` it wrote for the `cuts` that it knows. Where a preset of its parent has exchanged them, the
settings that the new node has too still hold; the others mean nothing to it and are left out, which is noted.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from t2iflow.nodes.core import catalog
from t2iflow.pipelines.text.recipe import NodeText, Recipe

T = TypeVar("T")


def without_unfit(recipe: Recipe) -> Recipe:
    """The recipe without settings that were written for an exchanged node and that the new one doesn't have."""
    left = {name: unfit for name, text in recipe.nodes.items() if (unfit := tuple(_unfit(text)))}
    notes = [
        f"`{name}.{key}` is left out: a preset replaces {recipe.nodes[name].carried[key]} with"
        f" {recipe.nodes[name].use.value}, which has no `{key}`"
        for name, unfit in left.items()
        for key in unfit
    ]
    nodes = {name: _without(text, left.get(name, ())) for name, text in recipe.nodes.items()}
    return replace(recipe, nodes=nodes, notes=(*recipe.notes, *notes)) if left else recipe


def _unfit(text: NodeText) -> Iterator[str]:
    try:
        spec = catalog.find(text.use.value) if text.carried else None
    except (catalog.UnknownNodeError, catalog.BrokenPackageError):  # which wiring reports
        return
    if spec is not None:
        yield from (key for key in text.values if key in text.carried and key not in {**spec.ports, **spec.settings})


def _without(text: NodeText, unfit: tuple[str, ...]) -> NodeText:
    def kept(part: Mapping[str, T]) -> dict[str, T]:
        return {key: value for key, value in part.items() if key not in unfit}

    return replace(text, values=kept(text.values), keys=kept(text.keys), written=kept(text.written))
