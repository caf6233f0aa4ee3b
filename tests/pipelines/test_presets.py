"""Presets of a recipe that others extend lie under what these say themselves; what still changes is shown."""

from collections.abc import Callable

import pytest

from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.problems import Problems
from t2iflow.pipelines.text.located import plain
from t2iflow.pipelines.text.recipe import Recipe, read, shipped_recipes

Made = Callable[..., Recipe]

BASE = """
params: {prompt: a fox, size: [64, 64], steps: 50}
presets:
  lite:
    params: {prompt: an owl, size: [16, 16], steps: 2}
    nodes:
      grey:   {use: images.colour, size: $size}
      canvas: {init: $grey}
      shown:  {use: augment.noise, crops: $cuts}
      cuts:   {use: cutouts.mixed, image: $canvas, count: 2, size: 32}
      near:   {use: losses.total_variation, image: $canvas}
      fit:    {loss: [$score, $near]}
      film:   null
  quick: {params: {steps: 3}, nodes: {cuts: {count: 1}}}
nodes:
  clip:   {use: clip.model}
  words:  {use: clip.text, clip: $clip, prompt: $prompt}
  canvas: {use: canvas.pixels, size: $size}
  cuts:   {use: cutouts.square, image: $canvas, count: 8, size: 64}
  seen:   {use: clip.look, crops: $cuts, clip: $clip}
  score:  {use: losses.spherical, seen: $seen, wanted: $words}
  fit:    {use: optimizers.adam, image: $canvas, loss: $score, steps: $steps}
  film:   {use: output.video, image: $canvas}
  still:  {use: output.image, image: $fit}
"""


@pytest.fixture
def plan(made: Made) -> Callable[..., Plan]:
    """The plan of a recipe that extends the one above, under presets."""

    def make(child: str, *presets: str, **asked: object) -> Plan:
        problems = Problems()
        recipe = made(f"extends: base.yaml\n{child}", files={"base.yaml": BASE}, presets=presets, **asked)
        return compile_recipe(recipe, problems)

    return make


Planned = Callable[..., Plan]


def test_what_a_recipe_says_itself_lies_over_the_presets_of_the_one_it_extends(plan: Planned) -> None:
    graph = plan("params: {prompt: a whale, size: [36, 64], steps: 9}\n", "lite").graph
    assert graph.nodes["words"].settings["prompt"] == "a whale"
    assert graph.nodes["canvas"].settings["size"] == (36, 64)
    assert graph.nodes["fit"].settings["steps"] == 9
    assert graph.nodes["cuts"].spec.name == "cutouts.mixed"


def test_a_picture_to_start_from_is_kept_and_the_presets_own_is_needed_by_nothing(plan: Planned) -> None:
    own = "nodes: {photo: {use: images.noise, size: $size}, canvas: {init: $photo}}\n"
    made = plan(own, "lite")
    assert [source.node for source in made.graph.nodes["canvas"].wires["init"]] == ["photo"]
    assert made.idle == ("grey", "shown")


def test_a_node_of_another_use_takes_the_place_of_the_presets(plan: Planned) -> None:
    whole = "nodes: {cuts: {use: cutouts.whole, image: $canvas, count: 3}}\n"
    assert plan(whole, "lite").graph.nodes["cuts"].settings["count"] == 3
    same = "nodes: {cuts: {use: cutouts.square, power: 0.5}}\n"  # as in the base, so that it merges with that
    cuts = plan(same, "lite").graph.nodes["cuts"]
    assert (cuts.spec.name, cuts.settings["count"], cuts.settings["power"]) == ("cutouts.square", 8, 0.5)


def test_settings_of_an_exchanged_node_hold_where_it_has_them_and_are_left_out_with_a_note_elsewhere(
    plan: Planned,
) -> None:
    child = "nodes: {cuts: {count: 5, power: 0.5}}\n"
    graph = plan(child, "lite").graph
    assert graph.nodes["cuts"].settings["count"] == 5
    (note,) = graph.recipe.notes
    assert "`cuts.power` is left out" in note
    assert "power" not in graph.recipe.nodes["cuts"].written
    assert plan(child).graph.nodes["cuts"].settings["power"] == 0.5


def test_a_node_that_a_recipe_removes_stays_removed_and_one_that_it_sets_stays(plan: Planned) -> None:
    gone = plan("nodes: {near: null, fit: {loss: $score}}\n", "lite").graph.nodes
    assert "near" not in gone
    assert plan("nodes: {film: {fps: 12}}\n", "lite").graph.nodes["film"].settings["fps"] == 12


def test_a_removed_node_that_a_preset_removed_before_is_no_mistake(plan: Planned) -> None:
    assert "film" not in plan("nodes: {film: null, filmy: {use: output.strip, image: $fit}}\n", "lite").graph.nodes


def test_presets_of_the_same_name_and_two_at_once_lie_in_the_order_of_the_layers(plan: Planned) -> None:
    own = "params: {steps: 7}\npresets: {lite: {params: {size: [24, 24]}}, tiny: {params: {steps: 4}}}\n"
    assert plan(own, "lite").graph.nodes["canvas"].settings["size"] == (24, 24)
    assert plan(own, "lite").graph.nodes["fit"].settings["steps"] == 7
    assert plan(own, "tiny", "lite").graph.nodes["fit"].settings["steps"] == 4
    for order, count in ((("quick", "lite"), 2), (("lite", "quick"), 1)):
        assert plan("", *order).graph.nodes["cuts"].settings["count"] == count
    assert plan(own, "lite", overrides=["steps=1"]).graph.nodes["fit"].settings["steps"] == 1


@pytest.mark.parametrize(
    ("own", "idle"),
    [
        ("params: {near: 0.5}\nnodes: {fit: {rate: $near}}\n", ()),
        ("nodes: {near: {use: images.noise, size: $size}, canvas: {init: $near}}\n", ("grey",)),
        ("nodes: {grey: {use: images.noise, size: $size}}\n", ("grey",)),
    ],
)
def test_a_name_that_a_preset_has_chosen_too_is_the_recipes_own(plan: Planned, own: str, idle: tuple[str, ...]) -> None:
    made = plan(own, "lite")
    assert set(made.idle) == {"shown", *idle}
    (total,) = made.graph.nodes["fit"].wires["loss"]
    judged = [source.node for source in made.graph.nodes[total.node].wires["terms"]]
    assert [made.graph.nodes[name].spec.name for name in judged] == ["losses.spherical", "losses.total_variation"]


def test_a_chain_of_three_lies_in_order(made: Made) -> None:
    middle = "extends: base.yaml\nparams: {steps: 20}\npresets: {lite: {params: {steps: 21, size: [40, 40]}}}\n"
    files = {"base.yaml": BASE, "middle.yaml": middle}
    recipe = made("extends: middle.yaml\nparams: {size: [80, 80]}\n", files=files, presets=["lite"])
    assert (recipe.params["steps"].value, plain(recipe.params["size"])) == (21, [80, 80])


def test_what_presets_change_is_listed_but_not_what_the_recipe_says_over_them(plan: Planned) -> None:
    recipe = plan("params: {prompt: a whale}\n", "lite").graph.recipe
    assert [change.name for change in recipe.changed] == ["size", "steps", "cuts", "fit.loss", "film"]
    assert plan("params: {prompt: a whale}\n").graph.recipe.changed == ()


def test_a_param_is_used_though_an_override_takes_the_place_of_what_used_it(made: Made) -> None:
    child = "extends: base.yaml\nparams: {rate: 0.5}\nnodes: {fit: {rate: $rate}}\n"
    assert made(child, files={"base.yaml": BASE}, overrides=["fit.rate=0.1"]).unused == ()


def test_params_that_nothing_refers_to_are_named(made: Made) -> None:
    assert made(BASE.replace("{prompt: a fox", "{subject: x, prompt: a fox")).unused == ("subject",)


@pytest.mark.parametrize("name", shipped_recipes())
def test_no_preset_of_a_shipped_recipe_says_what_is_painted(name: str) -> None:
    for preset in read(name).presets:
        changed = read(name, presets=[preset]).changed
        asked = {change.name for change in changed if not change.after or change.after.value != "$prompt"}
        assert not asked & {"prompt", "scenes", "classes", "left", "right", "labels", "words.prompt", "canvas.classes"}
