"""Values that change over time."""

from typing import Any

import pytest

from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.graph.keyframes import check_blend, is_keyframes, read_keyframes
from t2iflow.pipelines.graph.schedule import Keyframes
from t2iflow.pipelines.problems import Problem, Problems, RecipeError
from t2iflow.pipelines.text.located import Located
from t2iflow.pipelines.text.recipe import read
from t2iflow.pipelines.text.yaml_reader import parse


def plain(value: Located) -> Any:
    return [plain(item) for item in value.value] if isinstance(value.value, list) else value.value


def keyframes(text: str, kind: type = float) -> Keyframes:
    """Keyframes as a setting of this kind has them."""
    problems = Problems()
    frames = read_keyframes(parse(text, "f"), problems)
    assert frames is not None
    assert not problems
    values = [plain(value) for _, value in frames.points]
    return frames.with_values(tuple(map(kind, one)) if isinstance(one, list) else kind(one) for one in values)


def problems_of(text: str) -> list[Problem]:
    problems = Problems()
    if frames := read_keyframes(parse(text, "f"), problems):
        check_blend(frames, problems)
    assert {problem.code for problem in problems} <= {"T2I207"}
    return problems


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("{0: 1, 60: 2}", True),
        ("{0: a, 100%: b, ease: smooth, over: step}", True),
        ("{12.5%: 1}", True),
        ("{a cat: 1, a dog: -0.5}", False),
        ("{'1984': 1}", False),
        ("{ease: smooth}", False),
        ("{}", False),
        ("[0, 1]", False),
        ("25%", False),
    ],
)
def test_keyframes_are_told_from_weighted_prompts(text: str, answer: bool) -> None:
    assert is_keyframes(parse(text, "f")) is answer


def test_numbers_go_evenly_from_one_to_the_next_and_stay_outside() -> None:
    frames = keyframes("{2: 1, 6: 3}")
    assert [frames.at(step, 10) for step in (0, 2, 3, 4, 6, 9)] == [1, 1, 1.5, 2, 3, 3]


def test_a_hundred_percent_is_the_last_step() -> None:
    frames = keyframes("{0: 0, 100%: 1}")
    assert frames.at(8, 9) == 1
    assert frames.at(4, 9) == 0.5
    assert frames.at(0, 1) == 1


def test_steps_and_percentages_mix_by_when_they_come() -> None:
    frames = keyframes("{0: 0, 60: 1, 100%: 2}")
    assert frames.at(60, 101) == 1
    assert frames.at(80, 101) == 1.5
    assert [frames.at(step, 41) for step in (0, 40)] == [0, 2]


def test_keyframes_are_sorted() -> None:
    frames = keyframes("{100%: 3, 0: 1, 50%: 2}")
    assert [str(moment) for moment, _ in frames.points] == ["0", "50%", "100%"]


@pytest.mark.parametrize(
    ("ease", "quarter", "middle"),
    [
        ("linear", 2.0, 3.0),
        ("smooth", 1.625, 3.0),
        ("in", 1.25, 2.0),
        ("out", 2.75, 4.0),
        ("hold", 1.0, 1.0),
        ("exponential", 5**0.25, 5**0.5),
    ],
)
def test_every_ease_starts_and_ends_at_the_values(ease: str, quarter: float, middle: float) -> None:
    frames = keyframes(f"{{0: 1, 8: 5, ease: {ease}}}")
    assert [frames.at(step, 9) for step in (0, 2, 4, 8)] == pytest.approx([1, quarter, middle, 5])


def test_whole_numbers_stay_whole() -> None:
    value = keyframes("{0: 16, 100%: 64}", int).at(1, 8)
    assert value == 23
    assert isinstance(value, int)


def test_pairs_change_part_by_part() -> None:
    assert keyframes("{0: [0, 1], 4: [4, 0]}").at(1, 5) == (1.0, 0.75)


def test_texts_hold_and_have_a_position_between_them() -> None:
    frames = keyframes("{0: dawn, 10: noon, 20: dusk}", str)
    assert frames.at(9, 21) == "dawn"
    assert frames.at(10, 21) == "noon"
    assert [frames.with_values((0.0, 1.0, 2.0)).at(step, 21) for step in (0, 5, 10, 15, 20)] == [0, 0.5, 1, 1.5, 2]


def test_one_keyframe_is_a_constant() -> None:
    assert keyframes("{50%: 3}").at(0, 10) == 3


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("{0: 1, 0%: 2}", 8, "two keyframes at `0%`"),
        ("{50%: 1, 50.0%: 2}", 10, "two keyframes at `50.0%`"),
        ("{0: 1, 110%: 2}", 8, "the keyframe at `110%` is never reached"),
        ("{-1: 1, 2: 2}", 2, "the keyframe at `-1` is never reached"),
        ("{0: 1, 5: a dog}", 11, "all keyframes of a setting need the same form: first a number, here a text"),
        (
            "{0: [1, 2], 5: [1, 2, 3]}",
            16,
            "all keyframes of a setting need the same form: first 2 numbers, here 3 numbers",
        ),
        ("{0: 1, 5: 2, ease: smoth}", 20, "`ease` can't be 'smoth'"),
        ("{0: 1, 5: 2, over: 7}", 20, "`over` can't be a number"),
        ("{0: 1, esae: in}", 8, "`esae` is no keyframe"),
        ("{0: 0, 5: 2, ease: exponential}", 5, "`ease: exponential` multiplies, so it needs numbers above 0"),
    ],
)
def test_each_mistake_is_told_at_its_own_place(text: str, column: int, words: str) -> None:
    (problem,) = problems_of(text)
    assert problem.message == words
    assert problem.place is not None
    assert problem.place.column == column


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("fit.rate={0: fast, 50: 0.1}", "`rate` of node `fit` can't be 'fast'"),
        ("fit.rate={0: 0.1, 50: fast, 100%: 0.2}", "`rate` of node `fit` can't be 'fast'"),
        ("fit.rate={0: [1, 2], 50: 0.1, ease: exponential}", "`rate` of node `fit` can't be [1, 2]"),
        ("prompt={0: 7, 100%: a fox}", "`prompt` of node `words` can't be 7"),
        ("prompt={0: a fox, 50: 0.1}", "`prompt` of node `words` can't be 0.1"),
        ("cuts.detail={0: [0.5, 1], 10: 1}", "`detail` of node `cuts` can't be 1"),
    ],
)
def test_of_keyframes_that_their_setting_does_not_take_nothing_more_is_said(written: str, words: str) -> None:
    with pytest.raises(RecipeError) as caught:
        compile_recipe(read("hello", overrides=[written]))
    (problem,) = caught.value.problems
    assert problem.message.startswith(words)


def test_several_mistakes_are_told_at_once() -> None:
    assert len(problems_of("{0: 1, 120%: 2, 5: x, ease: nope, over: day}")) == 4


@pytest.mark.parametrize(
    "text", ["{0: 1.0, 60: 1.5, '100%': 2.0, ease: smooth, over: step}", "{'12.5%': [1.0, 2.0]}", "{0: 1.0, 2.5: 2.0}"]
)
def test_they_are_written_as_they_were_read(text: str) -> None:
    located = parse(text, "f")
    frames = keyframes(text)
    assert frames.plain() == {key: plain(value) for key, value in located.value.items()}
