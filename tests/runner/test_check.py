"""`t2iflow check` tries the presets that nobody gave, too: what is wrong with one is a mistake like any other."""

import json
from pathlib import Path

import pytest

import t2iflow
from t2iflow.pipelines.text.recipe import read, shipped_recipes
from tests.runner.conftest import Command

RECIPE = """\
t2iflow: 1
params: {side: 32, steps: 5}
presets:
  lite:
    params: {side: 16}
    nodes:
      noise:  {use: images.noise, size: [$side, $side]}
      canvas: {init: $noise}
  mine: BODY
nodes:
  canvas: {use: canvas.pixels, size: [$side, $side]}
  smooth: {use: losses.total_variation, image: $canvas}
  fit:    {use: optimizers.adam, image: $canvas, loss: $smooth, steps: $steps}
  still:  {use: output.image, image: $fit}
"""
FITTING = "{nodes: {noise: {octaves: 3}}}"
"""A preset that works only over `lite`."""


def _with(body: str) -> str:
    return RECIPE.replace("BODY", body)


@pytest.mark.parametrize(
    ("body", "words", "place"),
    [
        ("{nodes: {fit: {stepps: 3}}}", "unknown input `stepps` for node `fit`", "9:24"),
        ("{nodes: {fit: {steps: -3}}}", "`steps` of node `fit` can't be -3", "9:31"),
        ("{params: {steps: many}}", "can't be 'many': it takes a whole number", "9:26"),
        ("{params: {stepz: 3}}", "the overlay's param `stepz` is used nowhere", "9:19"),
        ("{params: {steps: $steps}}", "params refer to each other: steps -> steps", "9:26"),
        ("{nodes: {canvas: {use: canvas.pixel}}}", "unknown node `canvas.pixel`", "9:32"),
        ("{nodes: {canvas: {init: $nowhere}}}", "there is no node or param `nowhere`", "9:33"),
        ("{nodes: {canvas: {init: nowhere.png}}}", "the file `nowhere.png` doesn't exist", "9:33"),
        ("{nodes: {still: {file: '${nowhere}.png'}}}", "there is no param `nowhere`", "9:33"),
        ("{nodes: {fitt: {steps: 3}}}", "node `fitt` has no `use`", "9:18"),
        ("{nodes: {smooth: null}}", "`loss` of node `fit` takes `$smooth`, which is removed here", "9:26"),
        ("{nodes: {smooth: }}", "`loss` of node `fit` takes `$smooth`, which is removed here", "9:25"),
        ("{params: {steps: null}}", "`steps` of node `fit` takes `$steps`, which is removed here", "9:26"),
        ("{nodes: {fit: {image: null}}}", "node `fit` (optimizers.adam) needs port `image`", "9:31"),
        ("{nodes: {still: null}}", "the recipe writes nothing", "10:1"),
    ],
)
def test_a_mistake_in_a_preset_is_found_at_its_place(command: Command, body: str, words: str, place: str) -> None:
    told = command("check", _with(body))
    assert told.code == 3
    assert words in told.err
    assert f"--> mine.yaml:{place}\n" in told.err
    assert told.err.count("error T2I") == 1
    assert "  = with `--preset mine`\n" in told.err


def test_what_a_recipe_removes_though_the_one_beneath_needs_it_is_reported_where_it_is_removed(
    command: Command,
) -> None:
    told = command("check", "t2iflow: 1\nextends: hello\nnodes:\n  views: null\n").err
    assert "`crops` of node `seen` takes `$views`, which is removed here\n  --> mine.yaml:4:10\n" in told
    assert "leave the line out to keep that" in told
    assert told.count("error T2I") == 1


def test_a_preset_that_works_only_over_another_has_no_mistakes(command: Command) -> None:
    assert command("check", _with(FITTING)).out == "mine.yaml: no mistakes (4 nodes)\n"
    assert command("check", _with(FITTING), "--preset", "mine").code == 3


def test_of_a_preset_for_another_one_the_mistakes_over_that_are_told(command: Command) -> None:
    told = command("check", _with("{nodes: {noise: {octavess: 3}}}")).err
    assert "unknown input `octavess` for node `noise`" in told
    assert "did you mean `octaves`?" in told
    assert "  = with `--preset lite --preset mine`\n" in told
    assert told.count("error T2I") == 1


def test_a_mistake_that_several_presets_make_is_told_once_and_with_all_of_them(command: Command) -> None:
    told = command("check", _with("{nodes: {still: null}}\n  again: {nodes: {still: null}}")).err
    assert told.count("error T2I") == 1
    assert "  = with `--preset mine` or `--preset again`\n" in told


def test_a_preset_whose_name_has_a_space_is_told_as_the_shell_takes_it(command: Command) -> None:
    told = command("check", _with("{}\n  my own: {nodes: {smooth: null}}")).err
    assert "  = with `--preset 'my own'`\n" in told


def test_what_is_wrong_without_presets_is_not_told_again_with_them(command: Command) -> None:
    wrong = _with("{nodes: {fit: {stepps: 3}}}").replace("canvas.pixels", "canvas.pixel")
    told = command("check", wrong).err
    assert told.count("error T2I") == 2
    assert told.index("stepps") < told.index("canvas.pixel")


def test_with_presets_or_values_only_those_are_checked(command: Command) -> None:
    wrong = _with("{nodes: {fit: {stepps: 3}}}")
    for options in (["--preset", "lite"], ["--set", "steps=3"], ["--steps", "3"], ["--seed", "3"]):
        assert command("check", wrong, *options).code == 0
    assert command("plan", wrong).code == 0


def test_an_inherited_preset_with_mistakes_is_noted(command: Command, tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(_with("{nodes: {fit: {stepps: 3}}}"), "utf-8")
    told = command("check", "t2iflow: 1\nextends: base.yaml\nparams: {steps: 9}\n")
    assert told.code == 0
    assert "note: the inherited preset `mine` doesn't fit: `--preset mine` shows why\n" in told.out
    assert "lite" not in told.out


PARAM = "  {0}: {{use: canvas.pixels, size: $side}}\n  {0}-still: {{use: output.image, image: ${0}, file: {0}.png}}\n"
MANY = "t2iflow: 1\nparams: {side: big}\nnodes:\n" + "".join(map(PARAM.format, "abcdef"))


def test_a_param_that_is_wrong_for_several_nodes_is_told_once_and_with_them(command: Command) -> None:
    told = command("check", MANY).err
    assert told.count("error T2I") == 1
    assert "error T2I204 `size` of node `a` can't be 'big'" in told
    assert "--> mine.yaml:2:16\n" in told
    assert "likewise for `size` of node `b`, `size` of node `c`, `size` of node `d` and 2 more\n" in told
    given = command("check", MANY.replace("big", "8"), "--side", "x").err
    assert given.count("error T2I") == 1
    assert "1 | --set side=x\n" in given


def test_python_finds_mistakes_of_presets_too() -> None:
    found = t2iflow.check(_with("{nodes: {fit: {stepps: 3}}}"))
    assert not found
    assert [problem.code for problem in found.problems] == ["T2I202"]
    assert "with `--preset mine`" in str(found)


def test_mistakes_of_presets_are_in_json(command: Command) -> None:
    (recipe,) = json.loads(command("check", _with("{nodes: {fit: {stepps: 3}}}"), "--json").out)["recipes"]
    (problem,) = recipe["problems"]
    assert problem["line"] == 9
    assert problem["hints"][-1] == "with `--preset mine`"


def test_of_very_many_presets_only_some_are_tried(command: Command) -> None:
    many = "\n".join(["{}", *(f"  p{number}: {{nodes: {{still: null}}}}" for number in range(40))])
    told = command("check", _with(many)).err
    assert told.count("error T2I") == 1
    assert "with `--preset p0` or `--preset p1` or `--preset p2` and 19 more" in told
    fine = command("check", _with(many.replace("nodes: {still: null}", "")))
    assert "note: only 24 of the 42 presets were tried" in fine.out


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_has_no_mistakes_with_any_of_its_presets(name: str, command: Command) -> None:
    presets = read(name).presets
    assert "lite" in presets
    told = command("check", name)
    assert (told.code, told.err) == (0, "")
    assert "note:" not in told.out
    for preset in presets:
        assert command("check", name, "--preset", preset).code == 0


@pytest.mark.parametrize("sweep", ["{rank: litte}", "{rank: litte, each: {seed: 0..2}}"])
def test_a_perceptor_to_rank_by_that_there_is_not_is_found(command: Command, sweep: str) -> None:
    told = command("check", _with("{}") + f"sweep: {sweep}\n")
    assert told.code == 3
    assert "`rank`: `litte` is not a perceptor (did you mean `lite`?)" in told.err
    assert told.err.count("error T2I") == 1
