"""Formulas: numbers that follow time, in a language that can compute and nothing else."""

import math

import pytest

from t2iflow.pipelines.graph.formula import FUNCTIONS, FormulaError, Now, parse
from t2iflow.pipelines.graph.schedule import Keyframes
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.show.resolved import resolved
from t2iflow.runner.preview.schedules import rows
from tests.compiled import compiled, mistakes
from tests.runner.conftest import COPY

FILM = COPY.replace("film: ", "zoom: {use: camera.zoom, image: $fit, frames: 21, SAID}\n  film: ").replace(
    "image: $canvas, every: 2", "image: $zoom, fps: 10"
)


def film(said: str = "", recipe: str = FILM) -> Plan:
    return compiled(recipe.replace("SAID", said))


def scale(said: str) -> Keyframes:
    value = film(f"scale: {said}").graph.nodes["zoom"].settings["scale"]
    assert isinstance(value, Keyframes)
    return value


def told(said: str, recipe: str = FILM) -> str:
    return str(mistakes(recipe.replace("SAID", said)))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2*3", 7),
        ("(1 + 2)*3", 9),
        ("10 - 4 - 3", 3),
        ("-2**2", -4),
        ("2**-1", 0.5),
        ("2**3**2", 512),
        ("7 % 4 / 2", 1.5),
        ("+-3", -3),
        ("1e2 + .5", 100.5),
        ("t/frames", 0.25),
        ("seconds", 0.5),
        ("max_f", 19),
        ("(t >= 5) + (t < 5)*10", 1),
        ("where(t == 5, 2, 3)", 2),
        ("clamp(t, 0, 3) + min(4, t, 2) + max(1, t)", 10),
        ("round(2.6) + floor(2.6) + ceil(2.2) + abs(-1)", 9),
        ("pow(2, 3) + sqrt(16)", 12),
        ("log(e) + exp(0)", 2),
        ("sin(pi/2) + cos(0) + tan(0)", 2),
    ],
)
def test_a_formula_computes_as_in_python(text: str, value: float) -> None:
    assert parse(text).term(Now(5, 20, 10)) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("1 +", 3, "the formula ends too early"),
        ("1 + (t", 6, "a bracket isn't closed"),
        ("2 t", 2, "`t` is unexpected"),
        ("2^t", 1, "`^` is unexpected"),
        ("sin t", 0, "`sin` needs brackets"),
        ("1 + sinn(t)", 4, "formulas have no function `sinn`"),
        ("1 + tt", 4, "formulas have no `tt`"),
        ("clamp(t, 1)", 0, "`clamp` takes 3 values, not 2"),
        ("0 < t < 5", 6, "one comparison at a time"),
        ("__import__(1)", 0, "formulas have no function `__import__`"),
        ("t.real", 1, "`.` is unexpected"),
        ("[t][0]", 0, "`[` is unexpected"),
        ("(" * 99 + "t" + ")" * 99, 40, "nested too deep"),
        ("-" * 99 + "t", 40, "nested too deep"),
        ("t+" * 400 + "t", 0, "at most 500 characters"),
    ],
)
def test_what_is_no_formula_is_refused_at_its_column(text: str, column: int, words: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert words in str(caught.value)
    assert caught.value.start == column


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_without_its_values_names_an_example(name: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(f"{name} + 1")
    example = (caught.value.hint or "").removeprefix("for example ").strip("`")
    assert math.isfinite(parse(example).term(Now(1, 20)))


@pytest.mark.parametrize("written", ["1 + t/20", '"1 + t/20"', "{0: 1 + t/20}", '"0:(1 + t/20)"'])
def test_a_formula_stands_where_a_number_may_change(written: str) -> None:
    assert [scale(written).at(frame, 21) for frame in (0, 10, 20)] == pytest.approx([1, 1.5, 2])


def test_a_formula_holds_until_the_next_keyframe_and_a_number_leads_to_one() -> None:
    found = scale("{0: 1, 10: 2 + t/20, 15: 1}")
    assert [found.at(frame, 21) for frame in (0, 5, 10, 14, 15, 20)] == pytest.approx([1, 1.75, 2.5, 2.7, 1, 1])


def test_parts_of_a_pair_may_be_formulas() -> None:
    pan = film('pan: ["0.1*t/20", 1]').graph.nodes["zoom"].settings["pan"]
    assert pan.at(10, 21) == (0.05, 1.0)


def test_whole_numbers_stay_whole() -> None:
    clip = "  clip: {use: clip.model}\n  cuts: {use: cutouts.whole, image: $canvas, count: 4 + t/2}\n"
    seen = "  seen: {use: clip.look, crops: $cuts, clip: $clip}\n  real: {use: losses.naturalness, seen: $seen}\n"
    plan = film(recipe=COPY.replace("$same, rate", "[$same, $real], rate") + clip + seen)
    count = plan.graph.nodes["cuts"].settings["count"]
    assert [count.at(step, 6) for step in range(6)] == [4, 4, 5, 6, 6, 6]
    assert all(isinstance(one, int) for one in count.reached)


def test_the_weight_of_a_loss_may_be_a_formula() -> None:
    recipe = COPY.replace("loss: $same", "loss: [$same, {of: $same, weight: exp(-t)}]")
    first, second = film(recipe=recipe).graph.nodes["fit.loss"].settings["weights"]
    assert first == 1.0
    assert second.at(1, 6) == pytest.approx(math.exp(-1))


def test_a_formula_without_time_is_a_number() -> None:
    assert film("scale: 2/4").graph.nodes["zoom"].settings["scale"] == 0.5
    assert film("frames: 3*7", recipe=FILM.replace("frames: 21, ", "")).graph.nodes["zoom"].settings["frames"] == 21


def test_a_formula_goes_by_what_it_names() -> None:
    assert scale("1 + seconds/10").at(10, 21, 10) == pytest.approx(1.1)
    rate = film(recipe=FILM.replace("rate: 0.05", "rate: 0.1/(1 + frame)")).graph.nodes["fit"].settings["rate"]
    assert rate.over == "frame"


@pytest.mark.parametrize(
    ("said", "words", "marked"),
    [
        ('scale: "1 + sinn(t)"', "formulas have no function `sinn`", "sinn"),
        ('pan: [0, "0.1*(t"]', "a bracket isn't closed", '"'),
        ("scale: {0: 1, 9: 2*t)}", "`)` is unexpected", ")"),
        ('scale: "0:(1), 9:(2*tt)"', "formulas have no `tt`", "tt"),
        ('scale: "{0: 1, 9: (2*t/)}"', "the formula ends too early", ")"),
    ],
)
def test_a_mistake_is_told_at_its_own_column(said: str, words: str, marked: str) -> None:
    text = told(said)
    assert words in text
    line, carets = text.splitlines()[3:5]
    assert line[carets.index("^") : carets.rindex("^") + 1] == marked


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("scale: cos(t)", "at frame 2 it is -0.4161; it takes a number from 0.01 to 100"),
        ("scale: 1/(t - 3)", "at frame 0 it is -0.3333"),
        ("scale: 1/abs(t - 3)", "at frame 3 it has no value: it divides by 0"),
        ("scale: sqrt(10.5 - t)", "at frame 11 it has no value: a root, power or logarithm in it has none"),
        ("scale: exp(exp(t))", "at frame 2 it is 1618"),
        ("turn: 10**(10**t)", "at frame 1 it is 10000000000.0"),
        ("pan: [10**(300*t), 0]", "at frame 2 it has no value: it is too large"),
        ("scale: {0: 1, 10: -t, 15: 1}", "at frame 1 it is -0.1"),
        ("steps: 2*t", "is read once, so it can't change over time"),
        ("scale: 1 + step", "can't change over steps"),
        ("scale: 1 + step*frame", "can't follow both steps and frames"),
    ],
)
def test_what_a_formula_comes_to_is_checked_before_the_run(said: str, words: str) -> None:
    assert words in told(said)


def test_settings_that_conflict_at_some_moment_are_refused() -> None:
    pair = "  cuts: {use: cutouts.normal, image: $canvas, within: [0.2 + 0.15*t, 0.6], count: 4}\n"
    clip = "  clip: {use: clip.model}\n  seen: {use: clip.look, crops: $cuts, clip: $clip}\n"
    real = "  real: {use: losses.naturalness, seen: $seen}\n"
    recipe = COPY.replace("$same, rate", "[$same, $real], rate") + pair + clip + real
    assert "at step 3 it is [0.65, 0.6]" in told("", recipe)


def test_the_plan_draws_a_formula_and_the_resolved_recipe_keeps_its_text() -> None:
    plan = film("scale: 1 + 0.5*sin(t/10*pi)")
    drawn = dict(rows(plan, 40))
    assert drawn["zoom.scale"].endswith("0.5 to 1.5, over frames")
    assert 'scale: "1 + 0.5*sin(t/10*pi)"' in resolved(plan.graph)
