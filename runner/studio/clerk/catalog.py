"""What is installed: recipes, nodes, and what editors complete."""

from pathlib import Path
from typing import Any

from t2iflow.nodes.core import catalog
from t2iflow.nodes.core.node import Setting, Spec, kind_name
from t2iflow.pipelines.graph.allowed import describe
from t2iflow.pipelines.problems import Problems, RecipeError
from t2iflow.pipelines.show.json_schema import recipe_schema, setting_schema
from t2iflow.pipelines.show.needs import needs
from t2iflow.pipelines.text.recipe import read, shipped_recipes
from t2iflow.runner.studio.clerk.opened import presets
from t2iflow.runner.studio.refused import Refused

MOST = 200
"""How many recipes of a folder are listed."""


def recipes() -> list[dict[str, Any]]:
    """The bundled recipes, and those in the working folder."""
    own = sorted(Path().glob("*.yaml"))[:MOST]
    found = [(name, True) for name in shipped_recipes()] + [(str(path), False) for path in own]
    return [told for name, bundled in found if (told := _recipe(name, bundled))]


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
    return {
        "name": spec.name,
        "about": spec.about,
        "doc": spec.doc,
        "ports": [_port(spec, port) for port in spec.ports],
        "settings": [_setting(setting) for setting in spec.settings.values()],
        "outputs": [{"name": name, "kind": kind_name(kind)} for name, kind in spec.outputs.items()],
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


def _port(spec: Spec, name: str) -> dict[str, Any]:
    port = spec.ports[name]
    return {"name": name, "kind": kind_name(port.kind), "many": port.many, "required": port.required}


def _setting(setting: Setting) -> dict[str, Any]:
    """`keyframes` says whether it may change over time."""
    return {
        "name": setting.name,
        "takes": describe(setting.annotation),
        "default": setting.default if not setting.required else None,
        "required": setting.required,
        "keyframes": not setting.fixed,
        "schema": setting_schema(setting),
    }
