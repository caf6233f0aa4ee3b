"""What the shell completes: recipes, their presets, params and settings, and nodes; without torch, so at once.

What reads recipes is imported only when one is read: every command passes through here, `--help` too.
"""

import contextlib
import glob
from typing import TYPE_CHECKING

import typer

from t2iflow.runner.cli.arguments import sort_out
from t2iflow.runner.exits import UsageError

if TYPE_CHECKING:
    from t2iflow.pipelines.text.recipe import Recipe


def recipes(incomplete: str) -> list[str]:
    """Recipes that ship, and recipe files."""
    return [*shipped(incomplete), *glob.glob(glob.escape(incomplete) + "*.yaml")]


def shipped(incomplete: str) -> list[str]:
    """Recipes that ship, and those of packs."""
    from t2iflow.pipelines.text import packs

    return [name for name in packs.names() if name.startswith(incomplete)]


def presets(ctx: typer.Context, incomplete: str) -> list[str]:
    """The presets of the recipe on the command line."""
    recipe = _recipe(ctx)
    return [name for name in (recipe.presets if recipe else ()) if name.startswith(incomplete)]


def settings(ctx: typer.Context, incomplete: str) -> list[str]:
    """Params of the recipe on the command line, and what its nodes set."""
    recipe = _recipe(ctx)
    names = [*recipe.params, "seed"] if recipe else []
    names += [f"{node.name}.{key}" for node in recipe.nodes.values() for key in node.values] if recipe else []
    return [f"{name}=" for name in names if name.startswith(incomplete)]


def nodes(incomplete: str) -> list[str]:
    """Nodes that come with the program, and their families."""
    from t2iflow.nodes.core.names import our_nodes

    found = list(our_nodes())
    families = dict.fromkeys(name.partition(".")[0] for name in found)
    return [name for name in [*families, *found] if name.startswith(incomplete)]


def _recipe(ctx: typer.Context) -> "Recipe | None":
    from t2iflow.pipelines.problems import Problems, RecipeError
    from t2iflow.pipelines.text.recipe import read

    words = [*(ctx.params.get("words") or ()), *ctx.args]  # click leaves them unread while it completes
    with contextlib.suppress(RecipeError, UsageError):
        recipes, _ = sort_out(words)
        return read(recipes[0], problems=Problems()) if recipes else None
    return None
