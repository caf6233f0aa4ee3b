"""A draft is the same film, smaller and of every fifth frame, and as long as the whole one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from t2iflow.nodes.core.types import exact
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.problems import Problems
from t2iflow.pipelines.show.draft import overrides
from t2iflow.pipelines.text.recipe import Recipe, read, shipped_recipes

Made = Callable[..., Recipe]

FILM = """
nodes:
  photo:  {use: images.noise, size: [256, 128], kind: fractal}
  canvas: {use: canvas.pixels, size: [256, 128]}
  same:   {use: losses.reference, image: $canvas, reference: $photo}
  fit:    {use: optimizers.adam, image: $canvas, loss: $same, steps: 30}
  zoom:   {use: camera.zoom, image: $fit, frames: 40, steps: 4}
  film:   {use: output.video, image: $zoom, fps: 24}
"""


@pytest.fixture
def drafted(made: Made) -> Callable[..., Plan]:
    """The plan of a recipe's draft."""

    def draft(text: str, **asked: list[str]) -> Plan:
        problems = Problems()
        changed = overrides(compile_recipe(made(text, **asked), problems))
        return compile_recipe(made(text, **{**asked, "overrides": [*changed, *asked.get("overrides", [])]}), problems)

    return draft


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_has_a_draft_of_every_preset(name: str) -> None:
    for preset in (None, *read(name).presets):
        presets = [preset] if preset else []
        whole = compile_recipe(read(name, presets=presets))
        made = compile_recipe(read(name, presets=presets, overrides=overrides(whole)))
        for region, smaller in zip(whole.regions, made.regions, strict=True):
            if region.shot and smaller.shot:
                assert smaller.shot.fps == pytest.approx(region.shot.fps)  # what goes by seconds, or by a song


@pytest.mark.parametrize("fps", [24, 25, 30, 1, 12.5, 29.97, "30000/1001"])
def test_a_fifth_of_the_frames_are_shown_at_a_fifth_of_the_rate(
    fps: float | str, made: Made, drafted: Callable[..., Plan]
) -> None:
    text = FILM.replace("fps: 24", f"fps: {fps}")
    whole = compile_recipe(made(text)).graph.nodes["film"].settings["fps"]
    plan = drafted(text)
    assert exact(plan.graph.nodes["film"].settings["fps"]) * 5 == exact(whole)
    assert plan.graph.nodes["zoom"].every == 5


def test_a_film_of_the_making_is_as_long_as_before(drafted: Callable[..., Plan]) -> None:
    making = FILM + "  making: {use: output.video, image: $canvas, file: making.mp4, fps: 30, interpolate: 60}\n"
    graph = drafted(making).graph
    assert (graph.nodes["fit"].settings["steps"], graph.nodes["making"].settings["fps"]) == (10, 10)
    assert graph.nodes["making"].settings["interpolate"] is None


def test_cameras_that_lend_their_motion_to_another_are_left_alone(drafted: Callable[..., Plan]) -> None:
    text = FILM.replace(
        "camera.zoom, image: $fit, frames: 40, steps: 4}",
        "camera.path, image: $fit, motions: [$near.motion, $around.motion], frames: 40, steps: 4, position: 0.5}\n"
        "  near:   {use: camera.zoom, scale: 1.05}\n"
        "  around: {use: camera.zoom, turn: 2}",
    )
    graph = drafted(text).graph
    assert [graph.nodes[name].every for name in ("zoom", "near", "around")] == [5, 1, 1]


def test_a_film_that_follows_a_song_has_a_draft(drafted: Callable[..., Plan]) -> None:
    song = Path(__file__).parents[2] / "examples" / "beat.ogg"
    text = FILM.replace("steps: 4}", f"steps: 4, scale: {{music: {song}, low: 1, high: 1.1}}}}")
    plan = drafted(text.replace("fps: 24", f"fps: 24, sound: {song}"))
    (region,) = plan.regions
    assert region.shot is not None
    assert region.shot.fps == pytest.approx(24)


def test_a_param_for_a_size_alone_is_no_mistake_in_a_draft(drafted: Callable[..., Plan]) -> None:
    size = "{size: [$side, $side]}"
    sizes = f"presets: {{small: {{params: {{side: 128}}, nodes: {{canvas: {size}, photo: {size}}}}}}}"
    assert drafted(f"{FILM}{sizes}\n", presets=["small"]).graph.nodes["canvas"].settings["size"] == (64, 64)


def test_a_film_that_is_slow_already_has_a_draft(drafted: Callable[..., Plan]) -> None:
    assert drafted(FILM.replace("fps: 24", "fps: 0.02")).graph.nodes["film"].settings["fps"] == pytest.approx(0.01)


def test_what_a_person_says_comes_after_a_draft(drafted: Callable[..., Plan]) -> None:
    assert drafted(FILM, overrides=["zoom.every=2"]).graph.nodes["zoom"].every == 2
