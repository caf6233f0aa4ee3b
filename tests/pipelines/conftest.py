"""Recipes are written as text; what a person reads of their mistakes is text again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from t2iflow.pipelines.problems import Problem, RecipeError
from t2iflow.pipelines.text.recipe import Recipe, read

HEAD = "t2iflow: 1\n"


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Recipe]:
    """Read a recipe's text, without its first line; other files of the folder as `files={name: text}`."""

    def make(text: str, *, files: dict[str, str] | None = None, **asked: Any) -> Recipe:
        for name, content in {"mine.yaml": text, **(files or {})}.items():
            (tmp_path / name).write_text(HEAD + content, encoding="utf-8")
        return read(tmp_path / "mine.yaml", **asked)

    return make


@pytest.fixture
def faults(made: Callable[..., Recipe]) -> Callable[..., list[Problem]]:
    """The mistakes of a recipe's text, given as `made` takes it."""

    def find(text: str, **asked: Any) -> list[Problem]:
        with pytest.raises(RecipeError) as caught:
            made(text, **asked)
        return list(caught.value.problems)

    return find


@pytest.fixture
def told(made: Callable[..., Recipe], tmp_path: Path) -> Callable[..., str]:
    """What a person reads of the mistakes of a recipe's text."""

    def tell(text: str, **asked: Any) -> str:
        with pytest.raises(RecipeError) as caught:
            made(text, **asked)
        return str(caught.value).replace(f"{tmp_path}/", "")

    return tell
