"""What people bring from other tools: read where it can only mean one thing, or answered with what to write."""

from pathlib import Path

import pytest

from t2iflow.pipelines.graph.schedule import Keyframes
from t2iflow.pipelines.problems import RecipeError
from t2iflow.pipelines.text.recipe import read_text
from tests.compiled import compiled, mistakes
from tests.runner.conftest import COPY

FILM = COPY.replace("film: ", "zoom: {use: camera.zoom, image: $fit, frames: 60, scale: SCALE}\n  film: ").replace(
    "image: $canvas, every: 2", "image: $zoom"
)


def scale(written: str) -> object:
    plan = compiled(FILM.replace("SCALE", written))
    return plan.graph.nodes["zoom"].settings["scale"]


def told(recipe: str) -> str:
    """What a person reads."""
    return str(mistakes(recipe))


@pytest.mark.parametrize(
    "written",
    ['"0:(1.02), 50:(1.0)"', '"0: (1.02), 50: (1.0)"', '"0:1.02,50:1"', "'{0: 1.02, 50: 1.0}'", '"{0:(1.02),50:(1)}"'],
)
def test_keyframes_in_a_text_are_keyframes(written: str) -> None:
    found = scale(written)
    assert isinstance(found, Keyframes)
    assert [(moment.amount, value) for moment, value in found.points] == [(0.0, 1.02), (50.0, 1.0)]


def test_prompts_at_steps_in_quotes_are_keyframes() -> None:
    words = '  clip: {use: clip.model}\n  words: {use: clip.text, clip: $clip, prompt: {"0": a fox, "50": a lake}}\n'
    cuts = "  cuts: {use: cutouts.whole, image: $canvas}\n  seen: {use: clip.look, crops: $cuts, clip: $clip}\n"
    score = "  score: {use: losses.spherical, seen: $seen, wanted: $words}\n"
    recipe = (COPY + words + cuts + score).replace("loss: $same", "loss: [$same, $score]")
    plan = compiled(recipe)
    assert [name for name in plan.graph.nodes if name.startswith("words")] == ["words.0", "words.1", "words"]


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("1,02", "use a point for decimals, and nothing between thousands: `1.02`"),
        ("1,000", "`1.000` or `1000`"),
        ("2 times", "write the number alone: `2`"),
        ("102%", "write a part of 1: `1.02`"),
    ],
)
def test_what_is_nearly_a_number_is_told_how_to_write_it(written: str, hint: str) -> None:
    assert hint in told(FILM.replace("SCALE", f"'{written}'"))
    assert hint in told(FILM.replace("SCALE", f"{{0: '{written}'}}"))


@pytest.mark.parametrize(
    ("written", "hint"),
    [("1,000", "alone: `1000`"), ("50 steps", "alone: `50`"), ("1,5", "for example"), ("1k", "for example")],
)
def test_what_is_nearly_a_whole_number_is_told_how_to_write_it(written: str, hint: str) -> None:
    assert hint in told(COPY.replace("steps: 6", f"steps: '{written}'"))


def test_a_decimal_comma_that_ends_an_entry_is_told_of_the_point() -> None:
    assert "decimals need a point" in told(FILM.replace("SCALE", "1,02"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("steps: 6", "steps: true"),
        ("rate: 0.05", "rate: false"),
        ("rate: 0.05", "rate: {0: 1, 5: 2}, betas: [true, 0.9]"),
        ("size: [24, 24]}", "size: [true, 24]}"),
        ("every: 2", "every: 2, fps: true"),
    ],
)
def test_true_and_false_are_no_numbers(old: str, new: str) -> None:
    text = told(COPY.replace(old, new))
    assert "can't be true" in text or "can't be false" in text


def test_a_weight_beside_a_wire_is_told_how_to_write_it() -> None:
    for written in ("[$same: 2]", "{$same: 2}"):
        assert "write a loss's weight as `{of: $same, weight: 0.5}`" in told(
            COPY.replace("loss: $same", f"loss: {written}")
        )


@pytest.mark.parametrize(
    ("override", "words", "column"),
    [
        ("steps=", "`steps` is given no value", 13),
        ("seed= ", "`seed` is given no value", 13),
        ("params.steps=3", "leave `params.` out: `--set steps=value`", 7),
        ("nodes.canvas.size=8", "leave `nodes.` out: `--set canvas.size=value`", 7),
    ],
)
def test_an_override_that_is_nearly_right_is_told_what_to_write(override: str, words: str, column: int) -> None:
    found = mistakes(COPY, overrides=[override])
    assert words in str(found)
    assert [problem.place.column for problem in found.problems if problem.place] == [column]


@pytest.mark.parametrize("base", ["hello.yaml", "recipes/hello.yaml", "Hello", "helo"])
def test_a_recipe_that_ships_is_recognised_in_other_spellings(base: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read_text(f"t2iflow: 1\nextends: {base}\n", "mine.yaml", Path())
    assert "did you mean `hello`?" in caught.value.problems[0].hints


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ('"0:(1.0+0.02*sin(3.14*t/20))"', {0: 1.0, 10: 1.02, 30: 0.98}),
        ('"0:(1.0), 30:(1.02 + max(t - 40, 0)/100)"', {0: 1.0, 15: 1.01, 30: 1.02, 40: 1.02, 50: 1.12}),
        ('"0: (1.5 - t/100), 20: (2), 40: (3)"', {0: 1.5, 19: 1.31, 20: 2.0, 30: 2.5, 59: 3.0}),
        ('{"0": "1 + t/max_f", "30": "2.0"}', {0: 1.0, 29: 1 + 29 / 59, 30: 2.0}),
        ('{"0": 1.0, "30": 2.0}', {0: 1.0, 15: 1.5, 30: 2.0}),
        ('{"0": 1.0, "30": 2.0, "ease": "hold"}', {0: 1.0, 15: 1.0, 30: 2.0}),
        ('{"0": 1.0, "100%": 2.0, "ease": "linear"}', {0: 1.0, 59: 2.0}),
    ],
)
def test_the_formulas_of_deforum_mean_what_they_mean_there(written: str, values: dict[int, float]) -> None:
    """Its `get_inbetweens`: a formula counts until the next keyframe, from a number on it goes evenly to the next."""
    found = scale(written)
    assert isinstance(found, Keyframes)
    assert {frame: found.at(frame, 60) for frame in values} == pytest.approx(values, abs=1e-4)


@pytest.mark.parametrize("written", ["16:9", '"1:2"', '"0:(a), 50:(b)"', '"0:(1),"'])
def test_what_is_no_keyframes_is_refused(written: str) -> None:
    assert "it takes a number from 0.01 to 100" in told(FILM.replace("SCALE", written))


@pytest.mark.parametrize("written", ["0:(1.02), 50:(1.0)", "{0:1.02, 50:1.0}", "0: (1.02), 50: (1.0)"])
def test_keyframes_without_quotes_or_spaces_are_told_what_to_write(written: str) -> None:
    text = told(FILM.replace("SCALE", written))
    assert "`{0: 1.02, 50: 1.0}`" in text or "a space" in text


@pytest.mark.parametrize("name", ["C:\\pictures\\fox.png", "C:\\Users\\me\\fox.png", "C:\\new\\table.png", "D:\\x.png"])
def test_a_windows_path_in_double_quotes_is_told_of_single_ones(name: str) -> None:
    text = told(COPY.replace("use: images.noise, size: [24, 24], kind: fractal", f'use: images.load, file: "{name}"'))
    assert "single quotes" in text
