"""Whatever stands in a recipe, it becomes a plan or an error that says where."""

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from t2iflow.pipelines.problems import RecipeError, render
from t2iflow.pipelines.show import draw
from t2iflow.pipelines.show.resolved import resolved
from t2iflow.pipelines.text.recipe import shipped_recipes
from tests.compiled import compiled
from tests.pipelines.mutations import mutated, overrides
from tests.pipelines.test_every_error import WRONG
from tests.runner.conftest import COPY

EACH, SEEDS = 100, range(5)
OPTIONS = ("T2I107", "T2I109")
"""Codes of what is wrong with the command rather than with a line."""
PYTHON = re.compile(
    r"Input should|\w+Error:|\btuple\b|NoneType|Traceback|<class|\bdict\b|\bstr\b|\bNone\b|unable to parse|Located"
)

FOLDER = next(iter(shipped_recipes().values())).parent
SOUND = [*(path.read_text("utf-8") for path in shipped_recipes().values()), *[COPY] * 10, *WRONG.values()]


def made(text: str, changes: list[str]) -> str | None:
    """The resolved recipe; None where it was refused, as it should be."""
    try:
        plan = compiled(text, FOLDER, overrides=changes)
    except RecipeError as fault:
        check(fault)
        return None
    for form in ("term", "mermaid", "dot"):
        assert draw.FORMATS[form](plan)
    assert str(plan)
    return resolved(plan.graph)


def check(fault: RecipeError) -> None:
    """Each mistake has its place, within the text, and is said in our own words."""
    assert fault.problems
    told = render(fault.problems, fault.sources, limit=1000)
    assert told.isprintable() or all(sign.isprintable() or sign in "\n\u200c\u200d" for sign in told)
    for problem in fault.problems:
        assert problem.message
        said = re.sub(r"`[^`]*`|'[^']*'|\"[^\"]*\"", "", problem.message)
        assert not PYTHON.search(said), problem.message
        if problem.code in OPTIONS and problem.place is None:
            continue
        assert problem.place is not None, problem
        assert problem.place.line >= 1
        source = fault.sources.get(problem.place.file)
        if source is not None:
            assert problem.place.line <= len(source.splitlines()) + 1, problem


def tries(seed: int, count: int) -> Iterator[tuple[str, list[str]]]:
    """Broken recipes, with overrides."""
    chance = random.Random(seed)
    for _ in range(count):
        text = mutated(chance.choice(SOUND), SOUND, chance)
        yield text, overrides(text, chance)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_broken_recipe_is_a_plan_or_an_error_that_says_where(seed: int, tmp_path: Path) -> None:
    sound = 0
    for text, changes in tries(seed, EACH):
        again = made(text, changes)
        if again is not None:
            sound += 1
            assert made(again, []) == again
    assert 0 < sound < EACH
