"""Recipes: params and wires, recipes on recipes, presets, overrides, and all mistakes at once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.problems import Problem, Problems, RecipeError, render
from t2iflow.pipelines.text.dollars import Wire
from t2iflow.pipelines.text.located import Located
from t2iflow.pipelines.text.recipe import Recipe, read, read_text, shipped_recipes

Made = Callable[..., Recipe]
Faults = Callable[..., list[Problem]]
Told = Callable[..., str]

ZOOM = """\
title: Zoom
params:
  prompt: an endless library
  count: 32
  sizes: [480, 272]
  scale: {0: 1.0, 100%: 1.05}
presets:
  lite: {params: {count: 4}, nodes: {fit: {steps: 10}, smooth: null}}
nodes:
  canvas: {use: canvas.fourier, size: $sizes}
  words:  {use: clip.text, prompt: "${prompt}, in ink"}
  smooth: {use: losses.total_variation, image: $canvas}
  fit:    {use: optimizers.adam, image: $canvas, loss: [$score, {of: $smooth, weight: 0.02}], steps: 300, rate: 0.1}
  zoom:   {use: camera.zoom, image: $fit, scale: $scale, every: $count}
"""


def plain(value: Located) -> Any:
    inner = value.value
    if isinstance(inner, list):
        return [plain(item) for item in inner]
    return {key: plain(item) for key, item in inner.items()} if isinstance(inner, dict) else inner


def value_of(recipe: Recipe, node: str, key: str) -> Any:
    return plain(recipe.nodes[node].values[key])


def codes(problems: Problems) -> list[str]:
    return [problem.code for problem in problems]


# Params and wires


def test_a_param_keeps_its_type(made: Made) -> None:
    recipe = made(ZOOM)
    assert value_of(recipe, "canvas", "size") == [480, 272]
    assert value_of(recipe, "zoom", "scale") == {0: 1.0, "100%": 1.05}
    every = recipe.nodes["zoom"].every
    assert every is not None
    assert every.value == 32


def test_wires_are_found_in_lists_and_mappings(made: Made) -> None:
    loss = value_of(made(ZOOM), "fit", "loss")
    assert loss == [Wire("score"), {"of": Wire("smooth"), "weight": 0.02}]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("$word", "fox"),
        ('"${word}"', "fox"),
        ('"a ${word}, ${ word } and ${number}"', "a fox, fox and 0.001"),
        ("$number", 0.001),
        ("$flag", True),
        ('"it is ${flag}"', "it is true"),
        ("[$word, [$number]]", ["fox", [0.001]]),
        ("{a: $word}", {"a": "fox"}),
        ('{$word: 1, "${word}, blurred": -0.5}', {"fox": 1, "fox, blurred": -0.5}),
        ("$$word", "$word"),
        ("costs $5 or $$5", "costs $5 or $5"),
        ("$5", "$5"),
        ("a $dollar", "a $dollar"),
        ("$node", Wire("node")),
        ("$node.mask", Wire("node", "mask")),
        ('"${node.mask}"', Wire("node", "mask")),
        ("$nowhere", Wire("nowhere")),
        ("$above", "fox!"),
    ],
)
def test_what_a_dollar_stands_for(made: Made, written: str, meant: object) -> None:
    params = 'params: {above: "${word}!", word: fox, number: 1e-3, flag: true}\n'
    recipe = made(f"{params}nodes:\n  node: {{use: a.b}}\n  other: {{use: a.b, value: {written}}}\n")
    assert value_of(recipe, "other", "value") == meant


def test_an_inserted_value_has_the_place_where_it_is_written(made: Made) -> None:
    size = made(ZOOM).nodes["canvas"].values["size"]
    assert (size.place.line, size.place.column) == (6, 10)


def test_what_was_written_is_kept_beside_what_it_means(made: Made) -> None:
    recipe = made(ZOOM)
    assert plain(recipe.nodes["words"].written["prompt"]) == "${prompt}, in ink"
    assert plain(recipe.params["prompt"]) == "an endless library"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a ${promt} here", "there is no param `promt`"),
        ("a ${canvas} here", "`canvas` is a node; only params can be inserted into a text"),
        ("a ${sizes} here", "the param `sizes` is neither text nor number, so it can't be inserted into a text"),
        ("a $prompt here", "`$prompt` is not replaced within a longer text"),
        ("a ${ here", "`${` within a text must be followed by a name and `}`"),
        ("$prompt.mask", "`prompt` is a param, so it has no output `mask`"),
    ],
)
def test_what_a_dollar_can_not_stand_for(faults: Faults, text: str, words: str) -> None:
    (problem,) = faults(ZOOM + f'  more: {{use: a.b, text: "{text}"}}\n')
    assert (problem.code, problem.message) == ("T2I111", words)


def test_a_mistake_within_a_text_is_shown_there(told: Told) -> None:
    text = told(ZOOM.replace("${prompt}, in ink", "all of ${promt}, in ink"))
    assert (
        text
        == """\
error T2I111 there is no param `promt`
  --> mine.yaml:12:44
   |
12 |   words:  {use: clip.text, prompt: "all of ${promt}, in ink"}
   |                                            ^^^^^^^^
   = did you mean `prompt`?"""
    )


def test_params_that_need_each_other_are_told(faults: Faults) -> None:
    problems = faults('params: {a: "${b}!", b: [$a], c: 1}\nnodes: {n: {use: a.b, x: $c}}\n')
    assert codes(problems) == ["T2I111"]
    assert problems[0].message == "params refer to each other: a -> b -> a"


def test_params_and_nodes_share_their_names(faults: Faults) -> None:
    assert codes(faults("params: {a: 1, seed: 3}\nnodes: {a: {use: a.b}}\n")) == ["T2I112", "T2I112"]


# Structure


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("nodes: [a]\n", ["T2I105"]),
        ("nodes: {}\nparams: 5\n", ["T2I105"]),
        ("nodes: {a: 5}\n", ["T2I105"]),
        ("nodes: {a: cutouts.square}\n", ["T2I105"]),
        ("nodes: {a: }\n", ["T2I105"]),
        ("nodes: {a b: {use: x.y}}\n", ["T2I105"]),
        ("nodes: {1: {use: x.y}}\n", ["T2I105"]),
        ("nodes: {a: {use: x.y, 5: 1}}\n", ["T2I105"]),
        ("nodes: {a: {size: 1}}\n", ["T2I203"]),
        ("nodes: {a: {use: [x]}}\n", ["T2I204"]),
        ("nodes: {a: {use: $b}, b: {use: x.y}}\n", ["T2I204"]),
        ("title: x\n", ["T2I405"]),
        ("nodes: {a: {use: x.y}}\ntitel: x\n", ["T2I105"]),
        ("nodes: {a: {use: x.y}}\ntitle: 5\n", ["T2I105"]),
        ("nodes: {a: {use: x.y}}\nseed: -2\n", ["T2I204"]),
        ("nodes: {a: {use: x.y}}\nseed: true\n", ["T2I204"]),
        ("nodes: {a: {use: x.y}}\npresets: {p: 5, q: {sizes: 1}}\n", ["T2I105", "T2I105"]),
    ],
)
def test_the_form_of_a_recipe_is_checked(faults: Faults, text: str, found: list[str]) -> None:
    assert codes(faults(text)) == found


@pytest.mark.parametrize(
    "text", ["nodes: {}\n", "t2iflow: 2\nnodes: {}\n", "t2iflow: one\nnodes: {}\n", "t2iflow: 1.0\n"]
)
def test_the_version_must_be_one(text: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read_text(text, "f", Path())
    assert caught.value.problems[0].code == "T2I106"


@pytest.mark.parametrize("text", ["", "# nothing\n", "- 1\n", "a text\n"])
def test_what_is_no_mapping_is_no_recipe(text: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read_text(text, "f", Path())
    assert codes(list(caught.value.problems)) == ["T2I105"]


def test_all_mistakes_are_told_at_once_and_a_recipe_is_made_of_the_rest(tmp_path: Path) -> None:
    problems = Problems()
    text = "titel: x\nnodes:\n  a: {use: x.y, use: x.z}\n  b: !b {use: x.y, p: '${q}'}\n  c: x.y\n  d: {}\n"
    recipe = read_text(text, "f", tmp_path, problems=problems)
    assert sorted(codes(problems)) == ["T2I102", "T2I103", "T2I105", "T2I105", "T2I106", "T2I203"]
    assert [node.use.value for node in recipe.nodes.values()] == ["x.y", "x.y", "x.y", ""]
    assert value_of(recipe, "b", "p") == Wire("q")


# Recipes on recipes


def test_an_overlay_merges_by_name(made: Made) -> None:
    over = "extends: base.yaml\nparams: {count: 8}\nnodes: {fit: {steps: 5}, extra: {use: a.b}}\n"
    recipe = made(over, files={"base.yaml": ZOOM})
    assert list(recipe.nodes) == ["canvas", "words", "smooth", "fit", "zoom", "extra"]
    assert value_of(recipe, "fit", "steps") == 5
    assert value_of(recipe, "fit", "rate") == 0.1
    assert recipe.title == "Zoom"
    assert recipe.presets == ("lite",)
    assert recipe.nodes["zoom"].every == recipe.params["count"]


def test_what_a_setting_or_a_param_holds_is_replaced_as_a_whole(made: Made) -> None:
    over = "extends: base.yaml\nparams: {scale: {50%: 2.0}}\nnodes: {fit: {loss: $smooth}}\n"
    recipe = made(over, files={"base.yaml": ZOOM})
    assert value_of(recipe, "zoom", "scale") == {"50%": 2.0}
    assert value_of(recipe, "fit", "loss") == Wire("smooth")


def test_null_removes(made: Made) -> None:
    over = "extends: base.yaml\nparams: {count: null}\nnodes: {zoom: null, fit: {rate: null, steps: 3}}\n"
    recipe = made(over, files={"base.yaml": ZOOM})
    assert "count" not in recipe.params
    assert "zoom" not in recipe.nodes
    assert set(recipe.nodes["fit"].values) == {"image", "loss", "steps"}


def test_another_use_makes_it_another_node(made: Made) -> None:
    recipe = made("extends: base.yaml\nnodes: {fit: {use: optimizers.sgd, steps: 3}}\n", files={"base.yaml": ZOOM})
    assert set(recipe.nodes["fit"].values) == {"steps"}
    same = made("extends: base.yaml\nnodes: {fit: {use: optimizers.adam, steps: 3}}\n", files={"base.yaml": ZOOM})
    assert set(same.nodes["fit"].values) == {"image", "loss", "steps", "rate"}


def test_every_value_remembers_its_file(made: Made, tmp_path: Path) -> None:
    recipe = made("extends: base.yaml\nnodes: {fit: {steps: 5}}\n", files={"base.yaml": ZOOM})
    values = recipe.nodes["fit"].values
    assert Path(values["steps"].place.file).name == "mine.yaml"
    assert Path(values["rate"].place.file).name == "base.yaml"
    assert [Path(file).name for file in recipe.sources] == ["mine.yaml", "base.yaml"]
    assert recipe.origin_of(recipe.nodes["fit"].place).folder == tmp_path


def test_a_recipe_may_extend_one_that_ships(made: Made) -> None:
    assert made("extends: hello\n").title == read("hello").title != ""


def test_a_chain_of_recipes_applies_in_order(made: Made) -> None:
    files = {"b.yaml": "extends: c.yaml\nparams: {count: 2, prompt: b}\n", "c.yaml": ZOOM}
    recipe = made("extends: b.yaml\nparams: {count: 3}\n", files=files)
    assert (recipe.params["count"].value, recipe.params["prompt"].value) == (3, "b")


@pytest.mark.parametrize("base", ["mine.yaml", "other.yaml", "nowhere.yaml", "7", "[a]", "a/b"])
def test_extending_itself_or_nothing_is_told(faults: Faults, base: str) -> None:
    problems = faults(f"extends: {base}\n", files={"other.yaml": "extends: mine.yaml\n"})
    assert codes(problems) == ["T2I108"]
    assert problems[0].place is not None
    assert problems[0].place.line == 2


def test_mistakes_of_both_files_are_told(faults: Faults) -> None:
    problems = faults(
        "extends: base.yaml\nnodes: {a: 5}\n", files={"base.yaml": "nodes: {b: {use: x.y, c: 1, c: 2}}\n"}
    )
    assert codes(problems) == ["T2I105", "T2I102"]


def test_removing_a_misspelt_node_is_told(faults: Faults) -> None:
    (problem,) = faults("extends: base.yaml\nnodes: {smoth: null}\n", files={"base.yaml": ZOOM})
    assert (problem.code, problem.hints) == ("T2I110", ("did you mean `smooth`?",))


# Presets


def test_a_preset_is_an_overlay_of_the_recipe_itself(made: Made) -> None:
    recipe = made(ZOOM, presets=["lite"])
    assert recipe.params["count"].value == 4
    assert value_of(recipe, "fit", "steps") == 10
    assert "smooth" not in recipe.nodes


def test_presets_apply_in_order_and_both_of_a_chain(made: Made) -> None:
    over = "extends: base.yaml\npresets: {lite: {params: {count: 5}}, tiny: {params: {count: 6}}}\n"
    assert made(over, files={"base.yaml": ZOOM}, presets=["lite"]).params["count"].value == 5
    both = made(over, files={"base.yaml": ZOOM}, presets=["tiny", "lite"])
    assert both.params["count"].value == 5
    assert "smooth" not in both.nodes
    assert both.presets == ("lite", "tiny")


def test_a_preset_may_be_named_by_a_number(made: Made, faults: Faults) -> None:
    text = ZOOM.replace("presets:\n", "presets:\n  512: {params: {count: 5}}\n")
    assert made(text, presets=["512"]).params["count"].value == 5
    (problem,) = faults(text, presets=["513"])
    assert problem.hints == ("did you mean `512`?", "presets: 512, lite")


def test_an_empty_extends_is_as_none(faults: Faults) -> None:
    assert "the node `cuts` must be a mapping" in faults("extends:\nnodes: {cuts: }\n")[0].message


def test_a_misspelt_version_is_one_mistake(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        read_text("t2flow: 1\n" + ZOOM, "mine.yaml", tmp_path)
    (problem,) = caught.value.problems
    assert problem.hints[0] == "did you mean `t2iflow`?"


def test_an_unknown_preset_is_told(faults: Faults) -> None:
    (problem,) = faults(ZOOM, presets=["light"])
    assert problem.code == "T2I109"
    assert "presets: lite" in problem.hints


def test_a_param_that_only_a_preset_has_must_be_used(faults: Faults) -> None:
    (problem,) = faults(ZOOM.replace("{count: 4}", "{coutn: 4}"), presets=["lite"])
    assert (problem.code, problem.hints) == ("T2I110", ("did you mean `count`?",))


# Overrides


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("prompt=a: b, #1 {c} $d ${e} [", "a: b, #1 {c} $d ${e} ["),
        ("prompt=16", "16"),
        ("prompt= two words ", " two words "),
        ("prompt=", ""),
        ("prompt=a=b", "a=b"),
        ("count=8", 8),
        ("count=1e-3", 0.001),
        ("count=$sizes", [480, 272]),
        ("sizes=[256,256]", [256, 256]),
        ("scale={0: 1, 50%: 2}", {0: 1, "50%": 2}),
    ],
)
def test_an_override_replaces_a_param(made: Made, text: str, value: object) -> None:
    name = text.partition("=")[0]
    recipe = made(ZOOM + f"  probe: {{use: a.b, value: ${name}}}\n", overrides=[text])
    assert value_of(recipe, "probe", "value") == value


@pytest.mark.parametrize(
    ("text", "node", "key", "value"),
    [
        ("fit.rate=1e-3", "fit", "rate", 0.001),
        ("fit.rate={0: 1, 50%: 2}", "fit", "rate", {0: 1, "50%": 2}),
        ("fit.new=null", "fit", "new", None),
        ("canvas.size=[64, 64]", "canvas", "size", [64, 64]),
        ("zoom.image=$canvas", "zoom", "image", Wire("canvas")),
        ("words.prompt=a: $5", "words", "prompt", "a: $5"),
        (" fit.rate = 7", "fit", "rate", 7),
    ],
)
def test_an_override_sets_a_setting(made: Made, text: str, node: str, key: str, value: object) -> None:
    assert value_of(made(ZOOM, overrides=[text]), node, key) == value


def test_a_setting_that_takes_a_text_param_takes_texts_literally(made: Made) -> None:
    text = ZOOM.replace('"${prompt}, in ink"', "$prompt")
    assert value_of(made(text, overrides=["words.prompt=16:9 [x"]), "words", "prompt") == "16:9 [x"


@pytest.mark.parametrize("text", ["words.prompt=null", "words.prompt= null ", "prompt=null"])
def test_null_is_nothing_even_where_a_text_stands(text: str, made: Made) -> None:
    recipe = made(ZOOM.replace('"${prompt}, in ink"', "$prompt"), overrides=[text])
    assert value_of(recipe, "words", "prompt") is None


def test_overrides_come_last_and_in_order(made: Made) -> None:
    recipe = made(ZOOM, presets=["lite"], overrides=["count=7", "seed=3", "count=9"])
    assert recipe.params["count"].value == 9
    assert recipe.seed == 3


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ("promt=x", "T2I110", "did you mean `prompt`?"),
        ("fitt.rate=x", "T2I110", "did you mean `fit`?"),
        ("fit=3", "T2I110", "name one of its settings: `--set fit.setting=value`"),
        ("fit.loss.same=3", "T2I110", "write `--set fit.setting=value`"),
        ("fit.rate.0=3", "T2I110", "write `--set fit.setting=value`"),
        ("prompt", "T2I110", "write `--set param=value` or `--set node.setting=value`"),
        ("fit.rate=[1,", "T2I101", None),
        ("fit.rate=!!python/name:os.system", "T2I103", "put quotes around a text that starts with `!`"),
        ("seed=x", "T2I204", "`seed: random` draws one"),
    ],
)
def test_a_wrong_override_is_told(faults: Faults, text: str, code: str, hint: str | None) -> None:
    (problem,) = faults(ZOOM, overrides=[text])
    assert problem.code == code
    assert problem.hints[:1] == ((hint,) if hint else ())


def test_an_overridden_value_is_shown_on_the_command_line(made: Made) -> None:
    recipe = made(ZOOM, overrides=[" canvas.size = [0, 0]"])
    text = recipe.nodes["canvas"]
    faults = [Problem("T2I204", "too small", text.values["size"].place), Problem("T2I202", "?", text.keys["size"])]
    assert (
        render(faults, recipe.sources)
        == """\
error T2I204 too small
  --> the command line
   |
 1 | --set  canvas.size = [0, 0]
   |                      ^^^^^^

error T2I202 ?
  --> the command line
   |
 1 | --set  canvas.size = [0, 0]
   |               ^^^^"""
    )


# Finding recipes


def test_shipped_recipes_are_found_by_name() -> None:
    for name in shipped_recipes():
        assert read(name).name == name
    assert "hello" in shipped_recipes()


def test_a_recipe_that_is_not_there_is_told_with_what_ships() -> None:
    with pytest.raises(RecipeError) as caught:
        read("helo.yaml")
    (problem,) = caught.value.problems
    assert problem.code == "T2I107"
    assert problem.hints[0] == "did you mean `hello`?"


def test_a_folder_of_the_name_does_not_hide_a_shipped_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hello").mkdir()
    monkeypatch.chdir(tmp_path)
    assert read("hello").name == "hello"


def test_text_from_elsewhere_has_its_own_name(tmp_path: Path) -> None:
    recipe = read_text("t2iflow: 1\n" + ZOOM, "recipe in a.png", tmp_path, name="a", overrides=["count=2"])
    assert (recipe.name, recipe.origins["recipe in a.png"].folder, recipe.seed) == ("a", tmp_path, 0)


def test_a_relative_path_starts_where_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("base", "own", "here"):
        (tmp_path / place).mkdir()
        PIL.Image.new("RGB", (4, 4)).save(tmp_path / place / f"{place}.png")
    node = "  {0}: {{use: images.load, file: {0}.png}}\n"
    base = "t2iflow: 1\ntitle: Base\nparams: {given: own.png}\nnodes:\n" + node.format("base")
    base += "  asked: {use: images.load, file: $given}\n"
    base += "".join(
        f"  {name}-still: {{use: output.image, image: ${name}, file: {name}.png}}\n" for name in ("base", "asked")
    )
    (tmp_path / "base" / "base.yaml").write_text(base, encoding="utf-8")
    own = "t2iflow: 1\nextends: ../base/base.yaml\nnodes:\n" + node.format("own")
    (tmp_path / "own" / "own.yaml").write_text(own, encoding="utf-8")
    monkeypatch.chdir(tmp_path / "here")
    nodes = compile_recipe(read(tmp_path / "own" / "own.yaml", overrides=["given=here.png"])).graph.nodes
    found = {name: nodes[name].settings["file"] for name in ("base", "own", "asked")}
    wanted = {"base": "base/base.png", "own": "own/own.png", "asked": "here/here.png"}
    assert found == {name: str(tmp_path / place) for name, place in wanted.items()}
