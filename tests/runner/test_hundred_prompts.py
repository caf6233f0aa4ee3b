"""A hundred prompts as people write them: none fails, and a run says of each how it was read."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from t2iflow.nodes import clip
from t2iflow.nodes.perceptors.lite.perceptor import Lite
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.text.recipe import read
from tests.nodes.conftest import Heard
from tests.runner.conftest import Command


class Told(NamedTuple):
    prompt: str
    said: list[str]
    painted: bool


def told() -> Iterator[Told]:
    for line in Path(__file__).with_name("hundred_prompts.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            prompt, _, said = line.removeprefix("* ").partition(" -> ")
            yield Told(prompt, said.split(" & "), line.startswith("*"))


HUNDRED = list(told())
PAINTED = [one.prompt for one in HUNDRED if one.painted]
SMALL = ("sketch-steps=1", "steps=1", "size=[64,64]", "cuts.size=64", "sketch-cuts.size=64", "cuts.count=1")


def test_there_are_a_hundred() -> None:
    assert len(HUNDRED) >= 100


def test_each_says_how_it_was_read() -> None:
    device = torch.device("cpu")
    network = Lite(device, "float32")
    wrong = {}
    for prompt, said, _ in HUNDRED:
        plan = compile_recipe(read("hello", overrides=[f"prompt={prompt}"]))
        heard = Heard()
        clip.text(network, heard, **plan.graph.nodes["words"].settings)
        missing = [one for one in said if not any(one in note for note in heard.said + heard.warned)]
        if missing:
            wrong[prompt] = (missing, heard.said + heard.warned)
    assert not wrong


@pytest.mark.parametrize("prompt", PAINTED)
def test_a_prompt_becomes_a_picture(prompt: str, command: Command) -> None:
    told = command("run", "hello", f"--set=prompt={prompt}", *(f"--set={one}" for one in SMALL))
    assert told.code == 0, told.err
    assert told.folder is not None
    assert (told.folder / "picture.png").is_file()
    assert "lite" in told.err


def test_a_note_is_made_once_though_a_prompt_changes_in_every_step(command: Command) -> None:
    told = command("run", CHANGING)
    assert told.code == 0, told.err
    lines = [line for line in told.err.splitlines() if line.startswith(("words:", "warning:"))]
    assert sum("read as" in line for line in lines) == 2
    assert len(lines) == len(set(lines))
    assert told.folder is not None
    page = (told.folder / "report.html").read_text("utf-8")
    assert all(text in page for text in ("a fox", "rain", "at step 0", "snow", "at step 2"))


def test_plan_says_how_a_text_with_weights_is_read(command: Command) -> None:
    told = command("plan", CHANGING, "--set=words.prompt=a fox:2 | fog:-1")
    assert '"a fox:2 | fog:-1", read as: a fox x 2, fog x -1' in told.out
    assert "read as" not in command("plan", CHANGING, "--set=words.prompt=a fox").out


CHANGING = """
t2iflow: 1
nodes:
  clip:   {use: clip.model}
  words:  {use: clip.text, clip: $clip, prompt: [a fox, {0: rain, 2: snow}]}
  canvas: {use: canvas.pixels, size: [32, 32]}
  cuts:   {use: cutouts.square, image: $canvas, count: 1, size: 64}
  seen:   {use: clip.look, crops: $cuts, clip: $clip}
  score:  {use: losses.spherical, seen: $seen, wanted: $words}
  fit:    {use: optimizers.adam, image: $canvas, loss: $score, steps: 5}
  still:  {use: output.image, image: $fit}
"""
