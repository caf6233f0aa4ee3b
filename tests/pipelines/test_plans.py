"""When nodes run: golden plans of every shipped recipe, so that a refactoring can't change them."""

import pytest

from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.text.recipe import read, read_text, shipped_recipes
from tests import golden


@pytest.mark.parametrize("name", shipped_recipes())
def test_the_plan_of_each_shipped_recipe(name: str) -> None:
    for preset in (None, *read(name).presets):
        recipe = read(name, presets=[preset] if preset else [])
        golden.check(f"plans/{name}{'-' + preset if preset else ''}.txt", str(compile_recipe(recipe)) + "\n")


@pytest.mark.parametrize("name", shipped_recipes())
def test_each_shipped_recipe_says_what_it_is(name: str) -> None:
    recipe = read(name)
    assert recipe.title
    assert recipe.about


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_recipe_has_a_preset_lite(name: str) -> None:
    assert "lite" in read(name).presets, f"give {name} a preset `lite`, which needs no download"


def plan_of(nodes: str, folder: object = None) -> Plan:
    """The plan of a few nodes."""
    from pathlib import Path

    recipe = read_text("t2iflow: 1\ntitle: Test\nnodes:\n" + nodes, "test.yaml", Path())
    return compile_recipe(recipe)


PHOTO = "  photo: {use: images.noise, size: [8, 8]}\n"
CANVAS = "  canvas: {use: canvas.pixels, size: [8, 8]}\n"
LOSS = "  same: {use: losses.reference, image: $canvas, reference: $photo}\n"
FIT = "  fit: {use: optimizers.adam, image: $canvas, loss: $same, steps: 9}\n"
STILL = "  still: {use: output.image, image: $fit}\n"


def test_what_does_not_change_is_computed_once_before_the_steps() -> None:
    plan = plan_of(PHOTO + CANVAS + LOSS + FIT + STILL)
    (region,) = plan.regions
    assert plan.items == ("photo", region, "still")
    assert (region.paint, region.judge, region.canvases) == (("canvas",), ("same",), ("canvas",))


def test_the_order_in_the_recipe_never_matters() -> None:
    plan = plan_of(STILL + FIT + LOSS + CANVAS + PHOTO)
    (region,) = plan.regions
    assert plan.items == ("photo", region, "still")


def test_an_output_on_a_canvas_looks_on_and_one_on_the_optimizer_comes_after() -> None:
    film = "  film: {use: output.video, image: $canvas, every: 3}\n"
    (region,) = plan_of(PHOTO + CANVAS + LOSS + FIT + STILL + film).regions
    assert [(watch.sink, watch.every) for watch in region.watch] == [("film", 3)]


def test_a_second_stage_starts_when_the_first_has_ended() -> None:
    second = (
        "  second: {use: canvas.fourier, size: [8, 8], init: $fit}\n"
        "  near: {use: losses.reference, image: $second, reference: $photo}\n"
        "  finish: {use: optimizers.adam, image: $second, loss: $near, steps: 4}\n"
        "  last: {use: output.image, image: $finish, file: last.png}\n"
    )
    first, then = plan_of(second + PHOTO + CANVAS + LOSS + FIT).regions
    assert (first.optimizer, then.optimizer) == ("fit", "finish")


def test_nodes_that_no_output_needs_do_not_run() -> None:
    plan = plan_of(PHOTO + CANVAS + LOSS + FIT + STILL + "  idle: {use: images.noise, size: [9, 9]}\n")
    assert "idle" not in plan.items


def test_a_prompt_that_changes_over_time_is_blended_in_the_steps_but_each_text_embedded_once() -> None:
    plan = plan_of(
        CANVAS + "  clip: {use: clip.model}\n"
        "  words: {use: clip.text, clip: $clip, prompt: {0: a fox, 100%: an owl}}\n"
        "  cuts: {use: cutouts.whole, image: $canvas, count: 4}\n"
        "  seen: {use: clip.look, crops: $cuts, clip: $clip}\n"
        "  same: {use: losses.spherical, seen: $seen, wanted: $words}\n" + FIT + STILL
    )
    (region,) = plan.regions
    assert {"words.0", "words.1"} <= set(plan.items)
    assert "words" in region.judge


def test_weights_on_losses_become_a_sum() -> None:
    smooth = "  smooth: {use: losses.total_variation, image: $canvas}\n"
    fit = "  fit: {use: optimizers.adam, image: $canvas, loss: [$same, {of: $smooth, weight: 0.5}]}\n"
    plan = plan_of(PHOTO + CANVAS + LOSS + smooth + fit + STILL)
    assert plan.graph.nodes["fit.loss"].settings["weights"] == [1.0, 0.5]
    assert plan.regions[0].judge == ("same", "smooth", "fit.loss")


def test_what_changes_by_itself_may_be_judged_by_two_optimizers() -> None:
    plan = plan_of(
        """\
  noise: {use: images.noise, size: [8, 8], octaves: {0: 1, 100%: 8}}
  first: {use: canvas.pixels, size: [8, 8]}
  near:  {use: losses.reference, image: $first, reference: $noise}
  fit:   {use: optimizers.adam, image: $first, loss: $near, steps: 2}
  other: {use: canvas.pixels, size: [8, 8], init: $fit}
  far:   {use: losses.reference, image: $other, reference: $noise}
  end:   {use: optimizers.adam, image: $other, loss: $far, steps: 3}
  still: {use: output.image, image: $end}
"""
    )
    assert [region.optimizer for region in plan.regions] == ["fit", "end"]
    assert all("noise" in region.judge for region in plan.regions)
