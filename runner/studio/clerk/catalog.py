"""What is installed: recipes, nodes, and what editors complete."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from t2iflow.nodes.core import catalog
from t2iflow.pipelines.problems import Problems, RecipeError
from t2iflow.pipelines.show.json_schema import recipe_schema, setting_schema
from t2iflow.pipelines.show.needs import needs
from t2iflow.pipelines.show.node import in_words
from t2iflow.pipelines.text.recipe import read, shipped_recipes
from t2iflow.runner.studio.clerk.opened import presets
from t2iflow.runner.studio.refused import Refused

MOST = 200
"""How many recipes of a folder are listed."""


def recipes() -> list[dict[str, Any]]:
    """The bundled recipes, and those in the working folder."""
    own = sorted(Path().glob("*.yaml"))[:MOST]
    found = [(name, True) for name in shipped_recipes()] + [(str(path), False) for path in own]
    return [listed for name, bundled in found if (listed := _recipe(name, bundled))]


def schema() -> dict[str, Any]:
    """The form of all recipes."""
    return recipe_schema()


def nodes() -> list[dict[str, Any]]:
    """All nodes."""
    return [
        {"name": spec.name, "family": spec.name.partition(".")[0], "about": spec.about} for spec in catalog.every_node()
    ]


def node(name: str) -> dict[str, Any]:
    """All about one; Refused where there is none of this name."""
    try:
        spec = catalog.find(name)
    except (catalog.UnknownNodeError, catalog.BrokenPackageError) as fault:
        raise Refused(404, f"there is no node `{name}`") from fault
    node = in_words(spec)
    return {
        "name": node.name,
        "about": node.about,
        "doc": node.doc,
        "ports": [asdict(port) for port in node.ports.values()],
        "settings": [
            asdict(setting) | {"schema": setting_schema(spec.settings[name])} for name, setting in node.settings.items()
        ],
        "outputs": [{"name": name, "kind": kind} for name, kind in node.outputs.items()],
    }


def _recipe(name: str, bundled: bool) -> dict[str, Any] | None:
    """A recipe in a list; None for a file that is none."""
    try:
        recipe = read(name, problems=Problems())
    except RecipeError:
        return None
    return {
        "name": name,
        "title": recipe.title,
        "about": recipe.about,
        "presets": list(presets(recipe)),
        "needs": str(needs(recipe)),
        "bundled": bundled,
    }
