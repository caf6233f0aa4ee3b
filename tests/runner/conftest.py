"""Runs go through the command line, in this process; small recipes without a perceptor keep them quick."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from t2iflow.runner.cli.main import app

torch.set_num_threads(1)  # as the runs in processes of their own, or the bytes would differ

COPY = """
t2iflow: 1
title: Copy a picture
params: {steps: 6}
nodes:
  photo:  {use: images.noise, size: [24, 24], kind: fractal}
  canvas: {use: canvas.pixels, size: [24, 24]}
  same:   {use: losses.reference, image: $canvas, reference: $photo}
  fit:    {use: optimizers.adam, image: $canvas, loss: $same, rate: 0.05, steps: $steps}
  still:  {use: output.image, image: $fit}
  film:   {use: output.video, image: $canvas, every: 2}
"""
"""A whole run in a second: a canvas learns a picture, with a still and a film."""
STILL = COPY.replace("  film:   {use: output.video, image: $canvas, every: 2}\n", "")


def swept(steps: int, seeds: str) -> str:
    """The same without the film, as a sweep of some seeds."""
    return STILL.replace("steps: 6", f"steps: {steps}") + f"sweep: {{each: {{seed: {seeds}}}}}\n"


@dataclass
class Told:
    """How a command ended."""

    code: int
    out: str
    err: str
    folder: Path | None


Command = Callable[..., Told]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Call `t2iflow` in an empty folder; a recipe's text stands for its file."""
    monkeypatch.chdir(tmp_path)

    def call(verb: str, recipe: str, *arguments: str) -> Told:
        if "\n" in recipe:
            (tmp_path / "mine.yaml").write_text(recipe, encoding="utf-8")
            recipe = "mine.yaml"
        before = set(tmp_path.glob("runs/*"))
        result = CliRunner().invoke(app, [verb, recipe, *arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        made = set(tmp_path.glob("runs/*")) - before
        return Told(result.exit_code, result.stdout, result.stderr, made.pop() if made else None)

    return call
