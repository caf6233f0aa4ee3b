"""Each canvas learns at a rate of its own: left out, it suits the canvas; far from it, it is noted."""

from collections.abc import Callable
from typing import Any

import pytest

from t2iflow.nodes.core import catalog
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.show.form import form
from t2iflow.pipelines.show.resolved import resolved
from t2iflow.pipelines.text.recipe import Recipe, read, shipped_recipes

CANVASES = {spec.name: spec.usual_rate for spec in catalog.every_node() if spec.role == "canvas"}
SIZED = "size: [64, 64]"
BOTH = f"{{use: images.blend, image: $canvas, over: $other}}\n  other: {{use: canvas.fourier, {SIZED}}}"


@pytest.fixture
def planned(made: Callable[..., Recipe]) -> Callable[..., Plan]:
    """The plan of a recipe that brings a canvas nearer to black."""

    def make(
        canvas: str, rate: str = "", painted: str = "{use: images.cut, image: $canvas, part: [0, 0, 1, 1]}"
    ) -> Plan:
        return compile_recipe(
            made(f"""
nodes:
  canvas: {{use: {canvas}}}
  painted: {painted}
  calm: {{use: losses.total_variation, image: $painted}}
  fit: {{use: optimizers.adam, image: $painted, loss: $calm{rate and f", rate: {rate}"}, steps: 9}}
  still: {{use: output.image, image: $fit}}
""")
        )

    return make


def test_every_canvas_says_how_fast_it_learns() -> None:
    assert len(CANVASES) >= 9
    assert all(CANVASES.values())


@pytest.mark.parametrize(
    ("canvas", "rate"),
    [
        (f"siren.canvas, {SIZED}", 2e-4),
        (f"siren.canvas, {SIZED}, pace: 0.002", 0.1),
        (f"canvas.fourier, {SIZED}", 0.05),
        (f"strokes.canvas, {SIZED}", 0.01),
        (f"vqgan.canvas, {SIZED}, weights: small-vqgan", 0.1),
        ("biggan.canvas, weights: small-biggan", 0.07),
    ],
)
def test_a_rate_that_is_left_out_is_what_suits_the_canvas(
    planned: Callable[..., Plan], canvas: str, rate: float
) -> None:
    graph = planned(canvas).graph
    assert graph.nodes["fit"].settings["rate"] == pytest.approx(rate)
    assert not graph.recipe.notes


def test_the_resolved_recipe_has_the_rate_so_that_it_stays(planned: Callable[..., Plan]) -> None:
    assert "rate: 0.0002" in resolved(planned(f"siren.canvas, {SIZED}").graph)


def test_the_form_of_the_studio_shows_it(planned: Callable[..., Plan]) -> None:
    assert form(planned(f"siren.canvas, {SIZED}"))["properties"]["fit.rate"]["default"] == 2e-4


@pytest.mark.parametrize(
    ("canvas", "rate", "fate"),
    [
        (f"siren.canvas, {SIZED}", "0.05", "turn into noise; leave `rate` out, or try 0.0002"),
        (f"siren.canvas, {SIZED}", "{0: 1e-5, 100%: 0.1}", "turn into noise"),
        (f"siren.canvas, {SIZED}", '"0.1 + 0.05*sin(t)"', "turn into noise"),
        (f"canvas.pixels, {SIZED}", "3", "turn into noise"),
        (f"canvas.pixels, {SIZED}", "1e-5", "hardly change; leave `rate` out, or try 0.05"),
        (f"vqgan.canvas, {SIZED}, weights: small-vqgan", "{0: 6e-5, 10: 6e-4, 100%: 2e-4}", "hardly change"),
    ],
)
def test_a_rate_that_is_far_from_what_suits_the_canvas_is_noted(
    planned: Callable[..., Plan], canvas: str, rate: str, fate: str
) -> None:
    (note,) = planned(canvas, rate).graph.recipe.notes
    assert fate in note
    assert "`fit` trains `canvas`" in note


@pytest.mark.parametrize(
    ("canvas", "rate"),
    [
        (f"siren.canvas, {SIZED}", "{0: 0, 10: 6e-4, 100%: 1e-5}"),
        (f"siren.canvas, {SIZED}, pace: 0.001", "0.1"),
        (f"canvas.pixels, {SIZED}", "0"),
        (f"vqgan.canvas, {SIZED}, weights: small-vqgan", "0.5"),
    ],
)
def test_other_rates_are_as_good(planned: Callable[..., Plan], canvas: str, rate: str) -> None:
    assert not planned(canvas, rate).graph.recipe.notes


def test_a_camera_s_own_rate_is_noted_too(made: Callable[..., Recipe]) -> None:
    text = (
        f"extends: zoom\nnodes: {{canvas: {{use: siren.canvas, {SIZED}}}, fit: {{rate: 1e-4}}, camera: {{rate: 0.03}}}}"
    )
    (note,) = compile_recipe(made(text, presets=["lite"])).graph.recipe.notes
    assert note.startswith("`camera` trains `canvas` (siren.canvas) at a rate of 0.03")


def test_of_two_canvases_the_slower_one_is_advised_a_pace(planned: Callable[..., Plan]) -> None:
    together = planned(f"siren.canvas, {SIZED}", painted=BOTH).graph
    assert together.nodes["fit"].settings["rate"] == 0.05
    (note,) = together.recipe.notes
    assert note.endswith("give `canvas` a `pace` of 0.004")
    assert not planned(f"siren.canvas, {SIZED}, pace: 0.004", painted=BOTH).graph.recipe.notes


@pytest.mark.parametrize("preset", [None, "lite"])
def test_no_shipped_recipe_has_a_rate_that_is_far_from_its_canvas(preset: Any) -> None:
    for name in shipped_recipes():
        recipe = read(name, presets=[preset] if preset else [])
        assert not [note for note in compile_recipe(recipe).graph.recipe.notes if "trains" in note]
