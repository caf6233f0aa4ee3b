"""Pictures and films from text: `run` a recipe, watch it, stop and resume it; the rest of the package is its engine.

docs/python.md explains how. Nothing here imports torch before something runs or nodes are listed.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from t2iflow.faults import RunError
from t2iflow.kept import Runs, bundle, diff, runs, verify
from t2iflow.listing import BundledRecipe, Listing, recipes
from t2iflow.looking import check, plan
from t2iflow.pipelines.problems import RecipeError
from t2iflow.pipelines.show.node import Node
from t2iflow.running import Run
from t2iflow.starting import resume, run
from t2iflow.sweeping import Cell, Sweep, sweep

if TYPE_CHECKING:
    from t2iflow.listing import nodes

__all__ = [
    "BundledRecipe",
    "Cell",
    "Listing",
    "Node",
    "RecipeError",
    "Run",
    "RunError",
    "Runs",
    "Sweep",
    "bundle",
    "check",
    "diff",
    "nodes",
    "plan",
    "recipes",
    "resume",
    "run",
    "runs",
    "sweep",
    "verify",
]


class _Nodes(ModuleType):
    """The package `t2iflow.nodes`, which lists them when it is called: one name can't be a package and a function."""

    def __call__(self) -> Listing[Node]:
        """All nodes, those of installed packages included."""
        from t2iflow.listing import nodes

        return nodes()


importlib.import_module("t2iflow.nodes").__class__ = _Nodes


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import version

        return version("t2iflow")
    raise AttributeError(f"module `t2iflow` has no attribute `{name}`")
