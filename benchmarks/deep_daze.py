"""Steps a second of the `deep-daze` recipe beside deep-daze 0.11.1, in one run, with the same random ViT-B/32.

    pip install -e '.[bench]' && python benchmarks/deep_daze.py --steps 3

Same picture size, layers, width, cut-outs and passes on both sides: a step is `--passes` passes over `--cutouts` crops
each and one move of the optimiser. The two take turns, so that a machine whose speed drifts slows both.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

Step = Callable[[], None]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=512, help="side of the picture in pixels")
    parser.add_argument("--layers", type=int, default=16)
    parser.add_argument("--cutouts", type=int, default=4, help="crops in a pass")
    parser.add_argument("--passes", type=int, default=4, help="passes in a step")
    parser.add_argument("--steps", type=int, default=5, help="measured steps of each side, after one that is not")
    arguments = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(0)
    vit = random_vit()
    with tempfile.TemporaryDirectory() as folder:
        ours, name = our_step(arguments, vit, device, Path(folder))
        theirs = their_step(arguments, vit, device)
        seconds = {"t2iflow": [timed(ours, device)], "deep-daze": [timed(theirs, device)]}
        for _ in range(arguments.steps):
            seconds["t2iflow"].append(timed(ours, device))
            seconds["deep-daze"].append(timed(theirs, device))
    medians = {side: statistics.median(times[1:]) for side, times in seconds.items()}
    print(f"device {name}, torch {torch.__version__}, {torch.get_num_threads()} threads, {vars(arguments)}")
    for side, median in medians.items():
        print(f"{side:10} {1 / median:8.3f} steps/s   median {median:.3f} s, first {seconds[side][0]:.3f} s")
    print(f"ratio      {medians['deep-daze'] / medians['t2iflow']:8.2f}")


def random_vit() -> nn.Module:
    """A ViT-B/32 of OpenAI's shape with random weights."""
    import open_clip

    model: nn.Module = open_clip.create_model("ViT-B-32-quickgelu", pretrained=None)
    return model.eval().requires_grad_(False)


def timed(step: Step, device: torch.device) -> float:
    """Seconds that a step takes, the device's work included."""
    began = time.perf_counter()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def our_step(arguments: argparse.Namespace, vit: nn.Module, device: torch.device, folder: Path) -> tuple[Step, str]:
    """A step of the shipped recipe, through the compiler and the loop's own stage."""
    from t2iflow.nodes.ambient import Tick
    from t2iflow.pipelines.compiling import compile_recipe
    from t2iflow.pipelines.problems import Problem
    from t2iflow.pipelines.recipe import read
    from t2iflow.runner import device as devices
    from t2iflow.runner.folder import RunFolder
    from t2iflow.runner.link import Surroundings
    from t2iflow.runner.loop import Loop

    checkpoint = folder / "vit.pt"
    torch.save(vit.state_dict(), checkpoint)
    problems: list[Problem] = []
    overrides = [
        f"clip.name=ViT-B-32-quickgelu:{checkpoint}",
        f"canvas.size=[{arguments.width}, {arguments.width}]",
        f"canvas.layers={arguments.layers}",
        f"cuts.count={arguments.cutouts * arguments.passes}",
        f"fit.accumulate={arguments.passes}",
    ]
    recipe = read("deep-daze", overrides=overrides, problems=problems)
    plan = compile_recipe(recipe, problems)
    where, name = devices.choose(str(device))
    notes = type("Silence", (), {"say": lambda self, text: None, "warn": lambda self, text: None})()
    run_folder = RunFolder(folder, "", lambda event: None)
    stage = Loop(plan, Surroundings(0, where, run_folder, lambda node: notes), lambda event: None).stage("fit")
    return (lambda: stage.step(Tick(1, 100)) and None), f"{where} ({name})"


def their_step(arguments: argparse.Namespace, vit: nn.Module, device: torch.device) -> Step:
    """A training step of deep-daze's own class, given the same perceptor."""
    sys.path.remove(str(Path(__file__).parent))  # or this file would be imported in the package's place
    from deep_daze import deep_daze as theirs
    from torchvision import transforms

    mean, std = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    perceptor = vit.to(device)
    perceptor.visual.input_resolution = 224  # type: ignore[union-attr]
    theirs.load = lambda *_, **__: (perceptor, transforms.Normalize(mean, std))
    imagine = theirs.Imagine(
        text="a red fox",
        clip_encoding=torch.randn(1, 512, device=device),
        batch_size=arguments.cutouts,
        gradient_accumulate_every=arguments.passes,
        image_width=arguments.width,
        num_layers=arguments.layers,
        open_folder=False,
        save_progress=False,
        save_every=10**9,
    )
    return lambda: imagine.train_step(1, 1) and None


if __name__ == "__main__":
    main()
