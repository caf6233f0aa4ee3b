"""What benchmarks beside other tools share: a random perceptor, a step of ours, and fair turns."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

Step = Callable[[], object]


@dataclass(frozen=True)
class Side:
    """A step to be measured, what it is called, and the bytes that building it took on a GPU."""

    name: str
    step: Step
    built: int = 0


def built(name: str, make: Callable[[], Step]) -> Side:
    """A side, with what making it took."""
    before = _allocated()
    return Side(name, make(), _allocated() - before)


def compare(ours: Side, theirs: Side, steps: int, device: torch.device) -> str:
    """A table of both, who take turns, so that a machine whose speed drifts slows both; the first step is left out."""
    seconds: dict[str, list[float]] = {ours.name: [], theirs.name: []}
    peaks: dict[str, int] = {}
    for _ in range(steps + 1):
        for side in (ours, theirs):
            before = _allocated()
            seconds[side.name].append(timed(side.step, device))
            if device.type == "cuda":
                peaks[side.name] = side.built + torch.cuda.max_memory_allocated() - before
    medians = {name: statistics.median(times[1:]) for name, times in seconds.items()}
    lines = []
    for name, median in medians.items():
        memory = f"   peak {peaks[name] / 2**30:.2f} GiB" if peaks else ""
        first = seconds[name][0]
        lines.append(f"{name:10} {1 / median:8.3f} steps/s   median {median:.3f} s, first {first:.3f} s{memory}")
    return "\n".join([*lines, f"ratio      {medians[theirs.name] / medians[ours.name]:8.2f}"])


def timed(step: Step, device: torch.device) -> float:
    """Seconds that a step takes, the device's work included."""
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def random_vit() -> nn.Module:
    """A ViT-B/32 of OpenAI's shape with random weights."""
    import open_clip

    model: nn.Module = open_clip.create_model("ViT-B-32-quickgelu", pretrained=None)
    return model.eval().requires_grad_(False)


def our_step(recipe: str, overrides: Sequence[str], device: torch.device, folder: Path) -> Step:
    """A step of a shipped recipe, through the compiler and the loop's own stage."""
    from t2iflow.nodes.core.ambient import SILENCE, Tick
    from t2iflow.nodes.film.takes import Take
    from t2iflow.pipelines.compiling import compile_recipe
    from t2iflow.pipelines.text.recipe import read
    from t2iflow.runner.execution.link import Surroundings
    from t2iflow.runner.execution.loop import Loop
    from t2iflow.runner.folder.folder import RunFolder

    plan = compile_recipe(read(recipe, overrides=overrides))
    run_folder = RunFolder(folder, "", lambda event: None)
    stage = Loop(plan, Surroundings(0, device, run_folder, lambda node: SILENCE), lambda event: None).stage("fit")
    return lambda: stage.step(Tick(1, 100), Take(100))


def _allocated() -> int:
    return torch.cuda.memory_allocated() if torch.cuda.is_available() else 0
