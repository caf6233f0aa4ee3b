"""Runs go through the command line, in this process; small recipes without a perceptor keep them quick."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


ALONE = {**os.environ, "OMP_NUM_THREADS": "1"}
"""The environment of runs in processes of their own."""


def finished_alone(folder: Path, recipe: str) -> Path:
    """Run a recipe in a process of its own; gives its run."""
    subprocess.run(_running(folder, recipe), cwd=folder, check=True, capture_output=True, env=ALONE)
    return _only_run(folder)


def signalled(folder: Path, recipe: str, number: int, when: Callable[[dict[str, Any]], bool], *options: str) -> Path:
    """Run a recipe in a process of its own, and send that a signal at the first event for which `when` holds; gives its
    run."""
    words = [*_running(folder, recipe), "--json", *options]
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True, env=ALONE) as process:
        assert process.stdout
        assert any(when(json.loads(line)) for line in process.stdout)
        process.send_signal(number)
        process.stdout.read()
    assert process.returncode in (-number, 128 + number)
    return _only_run(folder)


def _running(folder: Path, recipe: str) -> list[str]:
    (folder / "mine.yaml").write_text(recipe, encoding="utf-8")
    return [sys.executable, "-m", "t2iflow.runner", "run", "mine.yaml"]


def _only_run(folder: Path) -> Path:
    (run,) = (folder / "runs").iterdir()
    return run


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


class Disk:
    """What a power cut would leave: files as they were when they were brought to the disk."""

    def __init__(self) -> None:
        self._safe: set[tuple[int, int]] = set()
        self._late: set[Path] = set()

    def has(self, path: Path) -> bool:
        """Whether a file is safe."""
        return _state(path) in self._safe

    def always_had(self, path: Path) -> bool:
        """Whether it was when it took its place."""
        return self.has(path) and path not in self._late

    def sync(self, handle: int) -> None:
        self._safe.add(_state(handle))

    def replace(self, fresh: Path, path: Path) -> None:
        (self._late.discard if self.has(fresh) else self._late.add)(path)
        os.rename(fresh, path)


def _state(file: Path | int) -> tuple[int, int]:
    about = os.stat(file)
    return about.st_ino, about.st_mtime_ns


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Notes what is brought to the disk, and when."""
    disk = Disk()
    monkeypatch.setattr(os, "fsync", disk.sync)
    monkeypatch.setattr(os, "replace", disk.replace)
    return disk
