"""What a setting does not take is refused in our own words: what it is, what is allowed, and an example."""

import pytest
from pydantic import ValidationError
from pydantic_core import list_all_errors  # type: ignore[attr-defined]

from t2iflow.nodes import catalog
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.problems import Problem, RecipeError
from t2iflow.pipelines.recipe import read_text
from tests.pipelines.conftest import HERE
