"""What a run says of itself, as JSON lines: on standard output with `--json`, and in its `events.jsonl`."""

import json
from datetime import datetime
from typing import Any

import pytest

from tests.runner.conftest import COPY, Command, Told

SUM = COPY.replace(
    "loss: $same", "loss: [$same, {of: $smooth, weight: {0: 0.5, 100%: 0.1}}, {of: $smooth, weight: 1}]"
).replace("  still:", "  smooth: {use: losses.total_variation, image: $canvas}\n  still:")
CUT = """
t2iflow: 1
nodes:
  photo:  {use: images.noise, size: [24, 24], kind: fractal}
  canvas: {use: canvas.pixels, size: [24, 24]}
  cuts:   {use: cutouts.square, image: $canvas, count: 4, size: 16}
  clip:   {use: clip.model, name: lite}
  words:  {use: clip.text, clip: $clip, prompt: a fox}
  seen:   {use: clip.look, crops: $cuts, clip: $clip}
  score:  {use: losses.spherical, seen: $seen, wanted: $words}
  light:  {use: losses.photographic, image: $canvas}
  fit:    {use: optimizers.adam, image: $canvas, loss: [{of: $score, weight: 3}, $light], steps: 2, accumulate: 2}
  still:  {use: output.image, image: $fit}
"""
HELD = """
t2iflow: 1
nodes:
  canvas: {use: canvas.pixels, size: [16, 16]}
  smooth: {use: losses.total_variation, image: $canvas}
  fit:    {use: optimizers.adam, image: $canvas, loss: $smooth, rate: 0.1, steps: 2}
  zoom:   {use: camera.zoom, image: $fit, frames: 3, steps: 2, hold: 4, rate: 0.025}
  film:   {use: output.video, image: $zoom, file: film.gif}
"""


def events(told: Told, what: str) -> list[dict[str, Any]]:
    """The events of one kind that a run printed."""
    assert told.code == 0, told.err
    return [event for event in map(json.loads, told.out.splitlines()) if event["type"] == what]


@pytest.mark.parametrize(
    ("recipe", "names"),
    [
        (COPY, {"same"}),
        (SUM, {"same", "smooth"}),
        (
            SUM.replace("loss: [", "loss: $all}\n  all: {use: losses.total, weights: [1, 1, 1], terms: [").replace(
                "{of: $smooth, weight: {0: 0.5, 100%: 0.1}}, {of: $smooth, weight: 1}], rate: 0.05, steps: $steps}",
                "$smooth, $smooth]}",
            ),
            {"same", "smooth"},
        ),
        (CUT, {"score", "light"}),
        (HELD, {"smooth", "zoom"}),
    ],
    ids=["one", "weighted and keyframed", "a node that adds up", "in two passes", "a camera that holds"],
)
def test_the_terms_of_a_loss_stand_by_their_names_and_add_up_to_it(
    command: Command, recipe: str, names: set[str]
) -> None:
    steps = events(command("run", recipe, "--json"), "stepped")
    assert set().union(*(step["terms"] for step in steps)) == names
    for step in steps:
        assert sum(step["terms"].values()) == pytest.approx(step["loss"], rel=1e-3)


def test_the_weight_of_a_term_is_in_it(command: Command) -> None:
    (light, heavy) = (
        events(command("run", SUM.replace("weight: 1}", f"weight: {weight}}}"), "--json"), "stepped")[0]["terms"]
        for weight in (0, 2)
    )
    assert heavy["smooth"] == pytest.approx(light["smooth"] * 5, rel=1e-3)  # 0.5 at first, and 2
    assert heavy["same"] == light["same"]


def test_each_step_has_the_rate_that_was_taken(command: Command) -> None:
    steps = events(command("run", COPY.replace("rate: 0.05", "rate: {0: 0.1, 100%: 0}"), "--json"), "stepped")
    assert steps[0]["rate"] == 0.1
    assert steps[-1]["rate"] == 0
    assert events(command("run", HELD, "--json"), "stepped")[-1]["rate"] == 0.025


def test_each_event_has_its_time_and_the_first_the_date(command: Command) -> None:
    told = command("run", COPY, "--json")
    times = [json.loads(line)["time"] for line in told.out.splitlines()]
    assert times == sorted(times)
    assert times[0] == 0
    assert datetime.fromisoformat(events(told, "started")[0]["date"]).tzinfo
    assert told.folder
    assert (told.folder / "events.jsonl").read_text("utf-8") == told.out


def test_the_first_event_says_what_the_run_was_given(command: Command) -> None:
    recipe = COPY + "presets: {quick: {params: {steps: 3}}}\n"
    (first,) = events(
        command("run", recipe, "--preset", "quick", "--set", "steps=2", "--seed", "7", "--json"), "started"
    )
    assert first["seed"] == 7
    assert first["params"] == {"steps": 2}
    assert first["overrides"] == ["--preset quick", "--set steps=2", "--set seed=7"]
    assert first["threads"] >= 1
