"""A run from recipe to run folder."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image

from t2iflow.nodes.pictures.metadata import read_recipe
from tests.runner.conftest import COPY, Command


def test_a_run_leaves_its_picture_film_recipe_lock_events_and_report(command: Command) -> None:
    told = command("run", COPY)
    assert told.code == 0, told.err
    assert told.folder is not None
    names = {path.name for path in told.folder.iterdir()}
    assert names == {"picture.png", "film.mp4", "recipe.yaml", "lock.yaml", "events.jsonl", "losses.csv", "report.html"}


def test_no_output_may_have_the_name_of_a_file_that_runs_write_themselves(command: Command) -> None:
    left = command("run", COPY).folder
    assert left
    own = {path.name for path in left.glob("[!.]*")} - {"picture.png", "film.mp4"}
    for name in own | {"now.png", "checkpoint.pt", "checkpoint-before.pt", "Recipe.YAML"}:
        wrong = command("check", COPY.replace("image: $fit}", f"image: $fit, file: {name}}}"))
        assert "a run writes a file of this name itself" in wrong.err, name


def test_a_canvas_comes_nearer_to_what_its_loss_wants(command: Command) -> None:
    told = command("run", COPY, "--set", "steps=60", "--json")
    losses = [event["loss"] for event in map(json.loads, told.out.splitlines()) if event["type"] == "stepped"]
    assert losses[-1] < losses[0] / 4


def test_the_same_recipe_and_seed_give_the_same_bytes(command: Command) -> None:
    first, second = command("run", COPY), command("run", COPY)
    other = command("run", COPY, "--seed", "5")
    assert first.folder
    assert second.folder
    assert other.folder
    for name in ("picture.png", "film.mp4"):
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes()
        assert (first.folder / name).read_bytes() != (other.folder / name).read_bytes()


def test_a_run_does_not_wait_for_what_torch_only_compiles_with(tmp_path: Path) -> None:
    run = "import sys, t2iflow; t2iflow.run(sys.argv[1])\n"
    asked = "sys.exit(bool(sys.modules.keys() & {'torch._dynamo', 'torch._inductor', 'sympy'}))"
    subprocess.run([sys.executable, "-c", run + asked, COPY], cwd=tmp_path, check=True)


def test_a_picture_carries_the_recipe_that_makes_it_again(command: Command) -> None:
    first = command("run", COPY, "--set", "steps=4")
    assert first.folder
    again = command("run", str(first.folder / "picture.png"))
    assert again.folder
    assert (first.folder / "picture.png").read_bytes() == (again.folder / "picture.png").read_bytes()
    assert (first.folder / "recipe.yaml").read_text() == (again.folder / "recipe.yaml").read_text()
    film = command("run", str(first.folder / "film.mp4"))
    assert film.code == 0


def test_a_carried_recipe_still_has_its_params(command: Command) -> None:
    first = command("run", COPY)
    assert first.folder
    changed = command("run", str(first.folder / "picture.png"), "--set", "steps=3")
    assert changed.folder
    assert "steps: 3" in (read_recipe(changed.folder / "picture.png") or "")


def test_json_events_end_with_how_it_ended(command: Command) -> None:
    told = command("run", COPY, "--json")
    events = [json.loads(line) for line in told.out.splitlines()]
    assert events[0]["type"] == "started"
    assert events[-1]["type"] == "ended"
    assert events[-1]["how"] == "finished"
    assert all(event["schema"] == "t2iflow.event/1" for event in events)


def test_a_node_that_fails_is_told_with_its_line(command: Command, plugin: Callable[[str], None]) -> None:
    plugin(FAULTY)
    told = command("run", COPY.replace("images.noise, size: [24, 24], kind: fractal", "mine.broken"))
    assert told.code == 1
    assert "the cable is loose" in told.err
    assert "mine.yaml:6:3, node `photo`" in told.err


def test_a_value_that_is_not_finite_stops_the_run_and_names_its_node(
    command: Command, plugin: Callable[[str], None]
) -> None:
    plugin(FAULTY)
    recipe = COPY.replace("losses.reference, image: $canvas, reference: $photo", "mine.explodes, image: $canvas")
    told = command("run", recipe)
    assert told.code == 1
    assert "at step 3 the values of `same` (mine.explodes) are no longer finite" in told.err


def test_out_of_memory_is_met_with_more_passes(command: Command, plugin: Callable[[str], None]) -> None:
    plugin(FAULTY)
    told = command("run", GREEDY)
    assert told.code == 0, told.err
    assert "judged in 4 passes" in told.err


def test_out_of_memory_that_no_passes_mend_ends_with_advice(command: Command, plugin: Callable[[str], None]) -> None:
    plugin(FAULTY)
    told = command("run", GREEDY.replace("limit: 2", "limit: 0"))
    assert told.code == 5
    assert "smaller `size`" in told.err


def test_accumulation_gives_the_gradient_of_the_whole_batch(command: Command) -> None:
    pictures = []
    for parts in (1, 4):
        told = command("run", CUT.format(parts=parts))
        assert told.folder, told.err
        pictures.append(torch.tensor(list(Image.open(told.folder / "picture.png").convert("RGB").tobytes())))
    difference = (pictures[0] - pictures[1]).abs()
    assert difference.max() <= 1  # of 255: rounding


def test_a_second_stage_starts_from_the_first_ones_picture(command: Command) -> None:
    told = command("run", STAGES, "--json")
    events = [json.loads(line) for line in told.out.splitlines()]
    assert told.code == 0, told.err
    assert [event["node"] for event in events if event["type"] == "fitted"] == ["sketch", "finish"]
    first = {e["node"]: e["loss"] for e in reversed(events) if e["type"] == "stepped" and e["step"] == 0}
    assert first["finish"] < first["sketch"] / 2


def test_the_mean_of_the_last_steps_can_be_kept(command: Command) -> None:
    plain = command("run", COPY.replace("rate: 0.05", "rate: 0.4"))
    mean = command("run", COPY.replace("rate: 0.05", "rate: 0.4, average: 0.9"))
    assert plain.folder
    assert mean.folder
    assert (plain.folder / "picture.png").read_bytes() != (mean.folder / "picture.png").read_bytes()


def test_outputs_stay_inside_the_run_folder(command: Command, tmp_path: Path) -> None:
    told = command("run", COPY.replace("output.image, image", "output.image, file: ../../out.png, image"))
    assert told.code == 3
    assert "plain name" in told.err
    assert not list(tmp_path.rglob("out.png"))


FAULTY = '''
import pytest
import torch
from annotated_types import Ge
from typing import Annotated
from t2iflow.nodes.core.ambient import Share, Tick
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.types import Image, Loss, Made

@node
def broken() -> Image:
    """Fail."""
    raise ValueError("the cable is loose")

@node
def explodes(image: Image, tick: Tick) -> Loss:
    """Become infinite at the third step."""
    return image.mean() / (0.0 if tick.step == 3 else 1.0)

@node
def greedy(image: Image, share: Share, *, count: Made = 8, limit: int = 2) -> Loss:
    """Have memory for `limit` things at a time."""
    if share.of(count) > limit:
        raise torch.OutOfMemoryError("CUDA out of memory")
    return image.mean()
'''

GREEDY = COPY.replace("losses.reference, image: $canvas, reference: $photo", "mine.greedy, image: $canvas, limit: 2")

CUT = """
t2iflow: 1
title: Crops in passes
nodes:
  photo:  {{use: images.noise, size: [32, 32], kind: fractal}}
  canvas: {{use: canvas.pixels, size: [32, 32], init: $photo}}
  clip:   {{use: clip.model, name: lite}}
  words:  {{use: clip.text, clip: $clip, prompt: a red fox}}
  cuts:   {{use: cutouts.whole, image: $canvas, count: 4, size: 64}}
  seen:   {{use: clip.look, crops: $cuts, clip: $clip}}
  score:  {{use: losses.spherical, seen: $seen, wanted: $words}}
  fit:    {{use: optimizers.sgd, image: $canvas, loss: $score, rate: 1, steps: 2, accumulate: {parts}}}
  still:  {{use: output.image, image: $fit}}
"""

STAGES = """
t2iflow: 1
title: Two stages
nodes:
  photo:  {use: images.noise, size: [24, 24], kind: fractal}
  first:  {use: canvas.pixels, size: [24, 24]}
  far:    {use: losses.reference, image: $first, reference: $photo}
  sketch: {use: optimizers.adam, image: $first, loss: $far, steps: 30}
  second: {use: canvas.pixels, size: [24, 24], init: $sketch}
  near:   {use: losses.reference, image: $second, reference: $photo}
  finish: {use: optimizers.adam, image: $second, loss: $near, rate: 0.01, steps: 3}
  still:  {use: output.image, image: $finish}
"""


@pytest.mark.parametrize("asked", ["random", "-1"])
def test_a_run_with_a_drawn_seed_says_which_and_is_made_again_by_it(command: Command, asked: str) -> None:
    one = command("run", COPY, "--seed", asked)
    assert one.code == 0, one.err
    assert one.folder is not None
    seed = re.search(r"the seed (\d+) was drawn", one.err)
    assert seed is not None
    other = command("run", COPY, "--seed", seed[1])
    assert other.folder is not None
    assert (one.folder / "picture.png").read_bytes() == (other.folder / "picture.png").read_bytes()


AIMED = """
t2iflow: 1
title: Towards what a file says
nodes:
  clip:   {use: clip.model, name: lite}
  canvas: {use: canvas.pixels, size: [64, 64]}
  wanted: {use: clip.embedding, clip: $clip, file: some.npy}
  cuts:   {use: cutouts.whole, image: $canvas}
  seen:   {use: clip.look, crops: $cuts, clip: $clip}
  score:  {use: losses.cosine, seen: $seen, wanted: $wanted}
  fit:    {use: optimizers.adam, image: $canvas, loss: $score, steps: 1}
  still:  {use: output.image, image: $fit}
"""


def test_lite_says_nothing_of_a_text_that_nobody_wrote(command: Command, tmp_path: Path) -> None:
    numpy.save(tmp_path / "some.npy", numpy.ones((2, 1024), "float32"))
    told = command("run", AIMED)
    assert told.code == 0, told.err
    assert "photo" not in told.err + told.out
    numpy.save(tmp_path / "some.npy", numpy.ones((2, 512), "float32"))
    assert "lite has 1024" in command("run", AIMED).err
