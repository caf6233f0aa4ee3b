"""What changes over time goes by steps or by frames, as the recipe says or as people would expect."""

from pathlib import Path

import pytest
import torch

from t2iflow.nodes.core.ambient import SILENCE, Share, Tick
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.graph.schedule import Keyframes
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.problems import RecipeError
from t2iflow.pipelines.steering.standing import moments
from t2iflow.pipelines.text.recipe import read
from t2iflow.runner.execution.circuit import Circuit
from t2iflow.runner.execution.link import Surroundings
from t2iflow.runner.preview.schedules import rows

FILM = """
t2iflow: 1
title: A film
nodes:
  photo:  {use: images.noise, size: [24, 24]}
  canvas: {use: canvas.pixels, size: [24, 24]}
  same:   {use: losses.reference, image: $canvas, reference: $photo}
  fit:    {use: optimizers.adam, image: $canvas, loss: $same, FIT}
  zoom:   {use: camera.zoom, image: $fit, CAMERA}
  film:   {use: output.video, image: $zoom, fps: 10}
"""


def compiled(folder: Path, camera: str = "frames: 30", fit: str = "steps: 5", extra: str = "") -> Plan:
    path = folder / "film.yaml"
    path.write_text(FILM.replace("CAMERA", camera).replace("FIT", fit) + extra, "utf-8")
    return compile_recipe(read(path))


def keys(plan: Plan, node: str, setting: str) -> Keyframes:
    value = plan.graph.nodes[node].settings[setting]
    assert isinstance(value, Keyframes)
    return value


def message(folder: Path, **changes: str) -> str:
    with pytest.raises(RecipeError) as caught:
        compiled(folder, **changes)
    return "\n".join(f"{problem.message} {' '.join(problem.hints)}" for problem in caught.value.problems)


def test_a_camera_goes_by_frames_and_an_optimiser_by_steps(tmp_path: Path) -> None:
    plan = compiled(tmp_path, "frames: 30, scale: {0: 1, 100%: 2}", "rate: {0: 0.1, 100%: 0.01}")
    assert keys(plan, "zoom", "scale").over == "frame"
    assert keys(plan, "fit", "rate").over == "step"


def test_an_optimisers_rate_can_go_by_frames_if_the_recipe_says_so(tmp_path: Path) -> None:
    rate = keys(compiled(tmp_path, fit="rate: {0: 0.1, 100%: 0.01, over: frame}"), "fit", "rate")
    assert rate.over == "frame"
    assert rate.at(29, 30) == pytest.approx(0.01)


def test_seconds_count_frames_of_the_film(tmp_path: Path) -> None:
    scale = keys(compiled(tmp_path, "frames: 30, scale: {0s: 1, 2s: 2}"), "zoom", "scale")
    assert scale.at(10, 30, 10) == pytest.approx(1.5)
    assert scale.at(20, 30, 10) == scale.at(29, 30, 10) == 2


def test_every_of_a_camera_does_not_change_when_something_happens(tmp_path: Path) -> None:
    plan = compiled(tmp_path, "frames: 30, every: 5, scale: {0s: 1, 2s: 2}")
    (region,) = plan.regions
    assert region.shot
    assert region.shot.fps == 50


def test_of_a_film_that_leaves_frames_out_a_second_has_more_of_them(tmp_path: Path) -> None:
    (region,) = compiled(
        tmp_path, extra="  fast: {use: output.video, image: $zoom, file: b.mp4, fps: 5, every: 2}\n"
    ).regions
    assert region.shot
    assert region.shot.fps == 10
    other = "  more: {use: output.video, image: $zoom, file: more.mp4, fps: 10, every: 2}\n"
    assert "need a film with a single `fps`" in message(tmp_path, camera="scale: {0s: 1, 2s: 2}", extra=other)


def test_seconds_need_one_film(tmp_path: Path) -> None:
    other = "  more: {use: output.video, image: $zoom, file: more.mp4, fps: 12}\n"
    assert "need a film with a single `fps`" in message(tmp_path, camera="scale: {0s: 1, 2s: 2}", extra=other)


def test_steps_have_no_seconds(tmp_path: Path) -> None:
    said = message(tmp_path, fit="rate: {0s: 0.1, 1s: 0.2}")
    assert "changes over steps, which have no seconds" in said
    assert "over: frame" in said


def test_a_camera_has_no_steps(tmp_path: Path) -> None:
    assert "can't change over steps" in message(tmp_path, camera="scale: {0: 1, 9: 2, over: step}")


def test_without_a_camera_nothing_goes_by_frames(tmp_path: Path) -> None:
    path = tmp_path / "film.yaml"
    text = FILM.replace("FIT", "rate: {0: 0.1, 9: 0.2, over: frame}")
    path.write_text("\n".join(line for line in text.splitlines() if "zoom" not in line), "utf-8")
    path.write_text(path.read_text() + "\n  still: {use: output.image, image: $fit}\n", "utf-8")
    with pytest.raises(RecipeError) as caught:
        compile_recipe(read(path))
    assert "no camera films it" in caught.value.problems[0].message


STAGES = {
    "draft": "{use: optimizers.adam, image: $sketch, loss: $sketch-score, steps: 3}",
    "canvas": "{use: canvas.pixels, size: [24, 24], init: $draft}",
    "cuts": "{use: cutouts.square, image: $canvas, count: 1, size: 32}",
    "seen": "{use: clip.look, crops: $cuts, clip: $clip}",
    "score": "{use: losses.spherical, seen: $seen, wanted: $words}",
    "fit": "{use: optimizers.adam, image: $canvas, loss: $score, steps: 2}",
    "camera": "{use: camera.still, image: $fit, frames: 5}",
    "film": "{use: output.video, image: $camera, fps: 2}",
    "more": "{use: canvas.pixels, size: [24, 24], init: $camera}",
    "more-cuts": "{use: cutouts.square, image: $more, count: 1, size: 32}",
    "more-seen": "{use: clip.look, crops: $more-cuts, clip: $clip}",
    "more-score": "{use: losses.spherical, seen: $more-seen, wanted: $words}",
    "last": "{use: optimizers.adam, image: $more, loss: $more-score, steps: 2}",
    "still": "{use: output.image, image: $last}",
}
"""A draft of a film's first picture, the film, and its last frame painted on, all of the same words."""
STAGED = """
t2iflow: 1
nodes:
  clip:  {use: clip.model}
  words: {use: clip.text, clip: $clip, prompt: PROMPT}
  sketch:       {use: canvas.pixels, size: [16, 16]}
  sketch-cuts:  {use: cutouts.square, image: $sketch, count: 1, size: 32}
  sketch-seen:  {use: clip.look, crops: $sketch-cuts, clip: $clip}
  sketch-score: {use: losses.spherical, seen: $sketch-seen, wanted: $words}
"""


@pytest.mark.parametrize("order", [list(STAGES), list(STAGES)[::-1]], ids=["in order", "backwards"])
@pytest.mark.parametrize(
    "prompt",
    [
        "{0: a fox, 100%: an owl}",
        "{0: a fox, 4: an owl, over: frame}",
        "{0s: a fox, 2s: an owl}",
        "{before: a fox, 0: a fox, 4: an owl}",
    ],
)
def test_what_is_painted_before_a_film_goes_by_its_first_frame_and_what_comes_after_by_its_last(
    prompt: str, order: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "film.yaml"
    stages = "".join(f"  {name}: {STAGES[name]}\n" for name in order)
    path.write_text(STAGED.replace("PROMPT", prompt) + stages, "utf-8")
    plan = compile_recipe(read(path))
    position = plan.graph.nodes["words"].settings["position"]
    last = position.at(1e9, 5, 2)
    draft, fit, more = ([position.present(tick) - last for tick in moments(region, 0, 0)] for region in plan.regions)
    assert draft == [-1, -1, -1]
    assert fit == pytest.approx([-1, -1, -0.75, -0.5, -0.25, 0])
    assert more == [0, 0]
    drawn = dict(rows(plan, 20))
    assert list(drawn) == ["words.prompt"]
    assert "over frames" in drawn["words.prompt"]


def test_a_story_that_only_a_draft_follows_goes_by_its_steps_although_it_shares_another_prompt(tmp_path: Path) -> None:
    path = tmp_path / "film.yaml"
    tale = """  tale: {use: clip.story, clip: $clip, scenes: [a fox, an owl]}
  tale-score: {use: losses.spherical, seen: $sketch-seen, wanted: $tale}
"""
    both = STAGES["draft"].replace("$sketch-score", "[$sketch-score, $tale-score]")
    stages = "".join(f"  {name}: {said}\n" for name, said in {**STAGES, "draft": both}.items())
    path.write_text(STAGED.replace("PROMPT", "{0: a fox, 100%: an owl}") + tale + stages, "utf-8")
    plan = compile_recipe(read(path))
    circuit = Circuit(plan, Surroundings(0, torch.device("cpu"), None, lambda _: SILENCE))
    draft, film, *_ = plan.regions
    told = [circuit.links[name].changing(draft.tick(2), Share()) for name in ("tale", "words")]
    assert told[0]["tick"] == Tick(2, 3, opening=3, optimizer="draft")
    assert told[1]["position"] == 0
    assert circuit.links["words"].changing(film.tick(frame=4), Share())["position"] == 1
