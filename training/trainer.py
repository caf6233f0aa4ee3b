"""The loop that all models are trained by: it resumes where it was stopped, logs, and shows samples."""

import json
import time
from pathlib import Path
from pickle import UnpicklingError
from statistics import fmean
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor

LOG_EVERY, SAVE_EVERY = 50, 500
"""Steps."""


class Model(Protocol):
    """A model in training."""

    def step(self, number: int, progress: float) -> dict[str, float]:
        """Train by one batch; `progress` from 0 to 1. What is logged, by name."""

    def samples(self) -> Tensor:
        """What it can do by now, (n, 3, h, w) in 0..1, for a sheet."""

    def state(self) -> dict[str, Any]:
        """Everything that training resumes from."""

    def resume(self, state: dict[str, Any]) -> None:
        """Take it back."""

    def export(self, folder: Path) -> None:
        """Write the weights in the format of the original."""


def train(model: Model, folder: Path, steps: int, batch: int, seed: int) -> None:
    """Train to the last step, from where a run into the same folder was stopped, and export the weights; ValueError
    where the folder has another run, or a damaged one."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "state.pt"
    done, run = 0, {"steps": steps, "batch": batch, "seed": seed}
    if kept.is_file():
        try:
            state = torch.load(kept, weights_only=True)
            was = {name: state[name] for name in run}
        except (RuntimeError, EOFError, UnpicklingError, LookupError, TypeError) as fault:
            raise ValueError(f"{kept} is damaged: remove it, and the training starts anew") from fault
        if was != run:
            raise ValueError(
                f"{folder} holds a run of {_words(was)}, not of {_words(run)}: remove it, or add `--run NAME`"
            )
        model.resume(state["model"])
        done = state["done"]
    since, lately = time.perf_counter(), []
    for number in range(done, steps):
        torch.manual_seed(hash((seed, number)))
        lately.append(model.step(number, number / steps))
        done = number + 1
        if done % LOG_EVERY == 0 or done == steps:
            seconds = (time.perf_counter() - since) / len(lately)
            _log(folder / "log.jsonl", {"step": done, "seconds": seconds, **_means(lately)})
            since, lately = time.perf_counter(), []
        if done % SAVE_EVERY == 0 or done == steps:
            scratch = kept.with_suffix(".part")
            torch.save({"model": model.state(), "done": done, **run}, scratch)
            scratch.replace(kept)
            sheet(model.samples()).save(folder / f"samples-{done:06}.png")
    model.export(folder / "weights")


def sheet(pictures: Tensor, columns: int = 8) -> Image.Image:
    """Pictures (n, 3, h, w) in 0..1 side by side."""
    n, _, height, width = pictures.shape
    rows = -(-n // columns)
    grid = pictures.new_ones(rows * columns, 3, height, width)
    grid[:n] = pictures.clamp(0, 1)
    grid = grid.view(rows, columns, 3, height, width).permute(0, 3, 1, 4, 2).reshape(rows * height, columns * width, 3)
    return Image.fromarray((grid * 255).round().byte().cpu().numpy())


def _words(run: dict[str, int]) -> str:
    return f"{run['steps']} steps of {run['batch']} pictures with seed {run['seed']}"


def _means(told: list[dict[str, float]]) -> dict[str, float]:
    """The figures of several steps, each averaged over the steps that have it."""
    names = dict.fromkeys(name for one in told for name in one)
    return {name: fmean(one[name] for one in told if name in one) for name in names}


def _log(path: Path, told: dict[str, Any]) -> None:
    line = {key: float(f"{value:.4g}") if isinstance(value, float) else value for key, value in told.items()}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    print(*(f"{key} {value}" for key, value in line.items()), flush=True)
