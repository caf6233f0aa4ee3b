"""Steps a second of the `deep-daze` recipe beside deep-daze 0.11.1, in one run, with the same random ViT-B/32.

    pip install -e '.[bench]' && python benchmarks/deep_daze.py --steps 3

Same picture size, layers, width, cut-outs and passes on both sides: a step is `--passes` passes over `--cutouts` crops
each and one move of the optimiser. The two take turns, so that a machine whose speed drifts slows both.
"""

import argparse
import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from beside import Step, built, compare, our_step, random_vit
from torch import nn

from t2iflow.runner.execution import device as devices


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=512, help="side of the picture in pixels")
    parser.add_argument("--layers", type=int, default=16)
    parser.add_argument("--cutouts", type=int, default=4, help="crops in a pass")
    parser.add_argument("--passes", type=int, default=4, help="passes in a step")
    parser.add_argument("--steps", type=int, default=5, help="measured steps of each side, after one that is not")
    arguments = parser.parse_args()
    device, why = devices.choose()
    torch.manual_seed(0)
    vit = random_vit()
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "vit.pt"
        torch.save(vit.state_dict(), checkpoint)
        overrides = [
            f"clip.name=ViT-B-32-quickgelu:{checkpoint}",
            f"canvas.size=[{arguments.width}, {arguments.width}]",
            f"canvas.layers={arguments.layers}",
            f"cuts.count={arguments.cutouts * arguments.passes}",
            f"fit.accumulate={arguments.passes}",
        ]
        ours = built("t2iflow", lambda: our_step("deep-daze", overrides, device, Path(folder)))
        theirs = built("deep-daze", lambda: their_step(arguments, vit, device))
        print(f"{device} ({why}), torch {torch.__version__}, {torch.get_num_threads()} threads, {vars(arguments)}")
        print(compare(ours, theirs, arguments.steps, device))


def their_step(arguments: argparse.Namespace, vit: nn.Module, device: torch.device) -> Step:
    """A training step of deep-daze's own class, given the same perceptor."""
    sys.path.remove(str(Path(__file__).parent))  # or this file would be imported in the package's place
    from torchvision import transforms

    theirs: Any = importlib.import_module("deep_daze.deep_daze")

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
    return lambda: imagine.train_step(1, 1)


if __name__ == "__main__":
    main()
