"""Seeds: numbers, or drawn when the recipe is read."""

from collections.abc import Callable

import pytest

from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.problems import Problem
from t2iflow.pipelines.show.resolved import resolved
from t2iflow.pipelines.text.recipe import Recipe, read

Made, Faults = Callable[..., Recipe], Callable[..., list[Problem]]

NODES = "nodes: {a: {use: x.y}}\n"


@pytest.mark.parametrize("written", ["random", "-1", '"Random"'])
def test_a_drawn_seed_differs_from_reading_to_reading_and_is_said(made: Made, written: str) -> None:
    recipes = [made(f"seed: {written}\n{NODES}") for _ in range(3)]
    assert len({recipe.seed for recipe in recipes}) == 3
    for recipe in recipes:
        assert 0 <= recipe.seed < 2**32
        assert any(f"the seed {recipe.seed} was drawn" in note for note in recipe.notes)


@pytest.mark.parametrize("written", ["random", "-1"])
def test_an_override_draws_one_too_and_another_takes_the_place_of_a_drawn_one(made: Made, written: str) -> None:
    assert made(f"seed: 5\n{NODES}", overrides=[f"seed={written}"]).notes
    assert made(f"seed: {written}\n{NODES}", overrides=["seed=7"]).seed == 7
    assert made(f"seed: {written}\n{NODES}", overrides=["seed=7"]).notes == ()


def test_a_drawn_seed_is_written_into_the_resolved_recipe() -> None:
    recipe = read("hello", overrides=["seed=random"])
    assert f"\nseed: {recipe.seed}\n" in resolved(compile_recipe(recipe).graph)


@pytest.mark.parametrize(
    "written", ["-2", "1.5", "yes", "true", "-1.0", "[1]", "9223372036854775808", "chance", f"'{10**99}'"]
)
def test_any_other_seed_is_refused_with_what_is_allowed(faults: Faults, written: str) -> None:
    (problem,) = faults(f"seed: {written}\n{NODES}")
    assert (problem.code, problem.hints) == ("T2I204", ("`seed: random` draws one",))


@pytest.mark.parametrize(("written", "seed"), [("'7'", 7), ('" 7 "', 7), ("1e3", 1000), ("7.0", 7), ("0x10", 16)])
def test_whole_numbers_may_be_written_as_for_settings(made: Made, written: str, seed: int) -> None:
    assert made(f"seed: {written}\n{NODES}").seed == seed
    assert made(f"best: {written.replace('1e3', '1e2')}\n{NODES}").best == min(seed, 100)
