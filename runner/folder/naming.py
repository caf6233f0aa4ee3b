"""What a run is called: its recipe, its prompt and its seed, short and in letters that every file system takes."""

import re
import unicodedata
from typing import Any

from t2iflow.nodes.core.prompts import read_prompt
from t2iflow.pipelines.graph.graph import Graph

LENGTH = 32
"""Letters of recipe and prompt together: `t2iflow resume runs/...` then fits in 80 columns."""


def run_name(graph: Graph) -> str:
    """`hello-a-red-fox-s0`, from `hello`, "A red fox" and seed 0."""
    words = [_slug(graph.recipe.name)[:LENGTH].strip("-") or "recipe", *_slug(_prompt(graph)).split("-")]
    name = words[0]
    for word in filter(None, words[1:]):
        if len(name) + 1 + len(word) > LENGTH:
            break
        name += f"-{word}"
    return f"{name}-s{graph.recipe.seed}"


def _prompt(graph: Graph) -> str:
    """The first text that a prompt of the recipe begins with."""
    prompts = (_first(node.settings.get("prompt")) for node in graph.nodes.values())
    return next(filter(None, prompts), "")


def _first(prompt: Any) -> str:
    try:
        return read_prompt(prompt)[0].text
    except ValueError:  # none, or one that changes over time
        return ""


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub("[^a-z0-9]+", "-", plain.lower().replace("'", "")).strip("-")
