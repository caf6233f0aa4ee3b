"""What a run is called: its recipe, its prompt and its seed, short and in letters that every file system takes."""

import re
import unicodedata

from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.show.prompts import first_prompt

LENGTH = 32
"""Letters of recipe and prompt together: `t2iflow resume runs/...` then fits in 80 columns."""


def run_name(plan: Plan) -> str:
    """`hello-a-red-fox-s0`, from `hello`, "A red fox" and seed 0."""
    recipe, prompt = plan.graph.recipe, first_prompt(plan)
    words = [recipe_name(recipe.name), *_words(prompt).split("-")]
    name = words[0]
    for word in filter(None, words[1:]):
        if len(name) + 1 + len(word) > LENGTH:
            break
        name += f"-{word}"
    return f"{name}-s{recipe.seed}"


def recipe_name(name: str) -> str:
    """What a recipe of this name is called in the names of folders."""
    return _words(name)[:LENGTH].strip("-") or "recipe"


def slug(text: str, signs: str = "") -> str:
    """Its letters, digits and these `signs` in ASCII, with `-` for what is between them."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(f"[^A-Za-z0-9{signs}]+", "-", plain).strip(f"-{signs}")


def _words(text: str) -> str:
    return slug(text.replace("'", "")).lower()
