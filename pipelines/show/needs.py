"""What a recipe needs from outside, as its text says: weights to fetch, and a GPU. Read without importing a node."""

from collections.abc import Iterator
from dataclasses import dataclass

from t2iflow.nodes.perceptors.clip.sizes import size
from t2iflow.nodes.weights.content import amount
from t2iflow.nodes.weights.families import FAMILIES
from t2iflow.nodes.weights.published import KNOWN
from t2iflow.nodes.weights.records import Record
from t2iflow.pipelines.text.recipe import NodeText, Recipe, read


@dataclass(frozen=True)
class Needs:
    """Names of weights, each with its size or what else is to be known of it, and whether a CPU would be too slow."""

    weights: tuple[str, ...]
    gpu: bool

    def __str__(self) -> str:
        return ", ".join([*self.weights, *["a GPU"] * self.gpu]) or "nothing"


def needs(recipe: Recipe) -> Needs:
    """What is to be there, or fetched, for a run that takes minutes."""
    nodes = recipe.nodes.values()
    weights = dict.fromkeys(weight for node in nodes for weight in (*_generators(node), *_perceptors(node)))
    trains = any(node.use.value.startswith("optimizers.") for node in nodes)
    return Needs(tuple(weights), trains and any(perceptor(node) for node in nodes))


def offer(name: str) -> tuple[str, tuple[str, ...]]:
    """A shipped recipe's title; and what it is for, what it needs, and what its presets need, each a line."""
    recipe = read(name)
    presets = (f"with --preset {preset} {needs(read(name, presets=[preset]))}" for preset in recipe.presets)
    return recipe.title, (recipe.about, f"needs {needs(recipe)}", *presets)


def _generators(node: NodeText) -> Iterator[str]:
    record = generator(node)
    if record is not None:
        most = "up to " if FAMILIES[record.family].on_demand else ""
        yield f"{record.name} ({most + amount(record.size) if record.size else 'your own'})"


def _perceptors(node: NodeText) -> Iterator[str]:
    name = perceptor(node)
    if name:
        yield f"{name} ({size(name)})" if size(name) else name


def generator(node: NodeText) -> Record | None:
    """The published weights that a node names, if they are not bundled."""
    value = node.values.get("weights")
    record = KNOWN.get(value.value) if value is not None and isinstance(value.value, str) else None
    return None if record is None or record.bundled else record


def perceptor(node: NodeText) -> str:
    """The name of the real CLIP that a node is, if it is one."""
    name = node.values.get("name") if node.use.value == "clip.model" else None
    return name.value if name is not None and isinstance(name.value, str) and name.value != "lite" else ""
