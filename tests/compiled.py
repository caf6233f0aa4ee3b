"""The text of a recipe compiled, and what is wrong with it."""

from pathlib import Path
from typing import Any

import pytest

from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.problems import Problems, RecipeError
from t2iflow.pipelines.text.recipe import read_text


def compiled(text: str, folder: Path = Path(), **how: Any) -> Plan:
    """The plan of a recipe in a folder, with `presets` and `overrides`; RecipeError with all its mistakes."""
    problems = Problems()
    return compile_recipe(read_text(text, "mine.yaml", folder, problems=problems, **how), problems)


def mistakes(text: str, folder: Path = Path(), **how: Any) -> RecipeError:
    """All its mistakes; as a text, what a person reads of them."""
    with pytest.raises(RecipeError) as caught:
        compiled(text, folder, **how)
    return caught.value
