"""`before:` says what holds before the first keyframe, and `over: $fit` whose steps count, in any recipe."""

from typing import Any

import pytest

from t2iflow.nodes.core.ambient import Tick
from t2iflow.pipelines.graph.present import present
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.problems import RecipeError
from t2iflow.pipelines.show.prompts import prompts_of
from t2iflow.runner.preview.schedules import rows
from tests.compiled import compiled

RECIPE = """
t2iflow: 1
nodes:
  clip:   {use: clip.model}
  words:  {use: clip.text, clip: $clip, prompt: PROMPT}
  first:  {use: canvas.pixels, size: [24, 24]}
  cuts-1: {use: cutouts.square, image: $first, count: 1}
  seen-1: {use: clip.look, crops: $cuts-1, clip: $clip}
  near-1: {use: losses.spherical, seen: $seen-1, wanted: $words}
  draft:  {use: optimizers.adam, image: $first, loss: $near-1, rate: RATE, steps: 11}
  canvas: {use: canvas.pixels, size: [24, 24], init: $draft}
  cuts:   {use: cutouts.square, image: $canvas, count: 1}
  seen:   {use: clip.look, crops: $cuts, clip: $clip}
  near:   {use: losses.spherical, seen: $seen, wanted: $words}
  fit:    {use: optimizers.adam, image: $canvas, loss: $near, steps: 21}
  zoom:   {use: camera.zoom, image: $fit, frames: 31, scale: SCALE}
  film:   {use: output.video, image: $zoom, fps: 10}
"""
SMOOTH = "{0: 0.04, 100%: 0.01, ease: smooth}"


def film(rate: str = "0.1", prompt: str = "a fox", scale: str = "1.02") -> Plan:
    text = RECIPE.replace("RATE", rate).replace("PROMPT", prompt).replace("SCALE", scale)
    return compiled(text)


def message(**changes: str) -> str:
    with pytest.raises(RecipeError) as caught:
        film(**changes)
    return "\n".join(f"{problem.code} {problem.message} {' '.join(problem.hints)}" for problem in caught.value.problems)


def at(plan: Plan, node: str, setting: str, optimizer: str, step: int, frame: int = 0) -> Any:
    steps = {"draft": 11, "fit": 21}[optimizer]
    return present(plan.graph.nodes[node].settings[setting], Tick(step, steps, frame, 31, 10, steps, optimizer, frame))


def test_what_was_before_is_kept_to_the_bit() -> None:
    plan, before = film(rate=f"{{before: {SMOOTH}, 7: 0.5}}"), film(rate=SMOOTH)
    rates = [at(plan, "draft", "rate", "draft", step) for step in range(11)]
    assert rates[:7] == [at(before, "draft", "rate", "draft", step) for step in range(7)]
    assert rates[7:] == [0.5] * 4


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        ("{before: 0.2, 3: 0.5}", [0.2, 0.2, 0.2, 0.5, 0.5]),
        ("{before: 0.2, 2: 0.4, 4: 0.6}", [0.2, 0.2, 0.4, 0.5, 0.6]),
        ("{before: {before: 0.2, 1: 0.3}, 3: 0.5}", [0.2, 0.3, 0.3, 0.5, 0.5]),
        ("{before: 1 + t, 3: 0.5}", [1, 2, 3, 0.5, 0.5]),
        ("{before: {0: 0.2, 1: 0.3, ease: hold}, 3: t / 10}", [0.2, 0.3, 0.3, 0.3, 0.4]),
    ],
)
def test_it_may_be_a_value_keyframes_or_a_formula(rate: str, expected: list[float]) -> None:
    plan = film(rate=rate)
    assert [at(plan, "draft", "rate", "draft", step) for step in range(5)] == pytest.approx(expected)


def test_what_was_before_may_have_another_clock() -> None:
    plan = film(scale="{before: {0: 1.0, 100%: 1.3}, 2s: 1.5}")
    assert at(plan, "zoom", "scale", "fit", 0, 10) == pytest.approx(1.1)
    assert at(plan, "zoom", "scale", "fit", 0, 20) == 1.5


def test_an_optimisers_steps_count_for_others_too() -> None:
    plan = film(prompt="{0: a fox, 5: a castle, ease: hold, over: $fit}")
    position = [at(plan, "words", "position", "draft", step) for step in (0, 10)]
    assert position == [0, 0], "fit has not begun"
    assert [at(plan, "words", "position", "fit", step) for step in (0, 4, 5, 20)] == [0, 0, 1, 1]
    assert at(plan, "words", "position", "fit", 0, frame=3) == 1
    plan = film(prompt="{0: a fox, 5: a castle, ease: hold, over: $draft}")
    assert [at(plan, "words", "position", "draft", step) for step in (4, 5)] == [0, 1]
    assert at(plan, "words", "position", "fit", 0) == 1, "draft has ended"


def test_prompts_say_when_they_count() -> None:
    plan = film(prompt="{before: a fox, 5: a castle, over: $fit}")
    assert [(one.text, one.when) for one in prompts_of(plan)] == [
        ("a fox", "at step 0 of fit"),
        ("a castle", "at step 5 of fit"),
    ]
    drawn = dict(rows(film(rate=f"{{before: {SMOOTH}, 7: 0.5}}"), 40))
    assert "to 0.5, over steps" in drawn["draft.rate"]


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        (
            "prompt",
            "{0: a fox, 5: a cat, over: $fti}",
            "T2I207 `prompt` of node `words` can't change over `$fti`, which is",
        ),
        ("prompt", "{0: a fox, 5: a cat, over: $fti}", "did you mean `$fit`?"),
        ("prompt", "{0: a fox, 2s: a cat, over: $fit}", "which have no seconds"),
        ("rate", "{0: 1, 5: 2, over: $fit}", "over the steps of `fit`, which doesn't need it"),
        ("rate", "{0: 1, 5: 2, over: fit}", "T2I207 `over` can't be 'fit'"),
        ("rate", "{before: fast, 5: 2}", "T2I204 `rate` of node `draft` can't be 'fast'"),
        ("rate", "{before: {0: 1, 120%: 2}, 5: 2}", "never reached"),
        ("rate", "{before: {music: song.wav}, 5: 2}", "song.wav"),
    ],
)
def test_what_is_wrong_with_it_is_reported(setting: str, value: str, words: str) -> None:
    assert words in message(**{setting: value})
