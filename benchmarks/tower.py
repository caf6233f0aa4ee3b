"""A CLIP's image tower, folded, beside open_clip's own: forward and backward to the pixels, random weights.

    python benchmarks/tower.py --architecture ViT-B-32-quickgelu --crops 16

All sides take turns; a figure is the least of its turns, so that other work on the machine counts little. Errors are
those of the gradient at the pixels, beside that of open_clip in float32.
"""

import argparse
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from arguments import at_least
from beside import timed
from torch import Tensor

from t2iflow.nodes.perceptors.clip.loading import MEAN, STD
from t2iflow.nodes.perceptors.clip.own import Own
from t2iflow.nodes.perceptors.clip.vit import ViT
from t2iflow.runner.execution import device as devices


class Side:
    """A tower, its times, and the gradient that it gives."""

    def __init__(self, tower: Callable[[Tensor], Tensor], pixels: Tensor) -> None:
        self._tower, self._pixels = tower, pixels.clone().requires_grad_()
        self.seconds: list[float] = []

    def turn(self) -> None:
        """Once forward and back."""
        self.seconds.append(timed(self._step, self._pixels.device))

    @property
    def gradient(self) -> Tensor:
        """Of the last turn."""
        return self._pixels.grad if self._pixels.grad is not None else torch.zeros(0)

    def _step(self) -> None:
        self._pixels.grad = None
        F.normalize(self._tower(self._pixels), dim=-1)[:, 0].sum().backward()


def network(architecture: str, device: torch.device, precision: str) -> Any:
    """A network of open_clip, with the same random weights in each precision."""
    import open_clip

    torch.manual_seed(0)
    made = open_clip.create_model(architecture, precision="fp32")
    if precision == "fp32":
        return made.to(device).eval().requires_grad_(False)
    low = open_clip.create_model(architecture, precision=precision)
    low.load_state_dict(made.state_dict())
    return low.to(device).eval().requires_grad_(False)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--architecture", default="ViT-B-32-quickgelu", help="one of open_clip's ViTs")
    parser.add_argument("--crops", type=at_least(1), default=16)
    parser.add_argument("--turns", type=at_least(1), default=5, help="of each side, after one that is not counted")
    arguments = parser.parse_args()
    device, why = devices.choose()
    print(f"{device} ({why}), torch {torch.__version__}, {torch.get_num_threads()} threads, {vars(arguments)}")

    def own(precision: str) -> Own:
        return Own(network(arguments.architecture, device, precision), MEAN, STD).to(device)

    def folded(dtype: torch.dtype) -> ViT:
        return ViT(network(arguments.architecture, device, "fp32").visual, MEAN, STD, dtype).to(device)

    exact = own("fp32")
    pixels = torch.rand(arguments.crops, 3, exact.size, exact.size, device=device)
    sides = {
        "open_clip, float32": Side(exact, pixels),
        "open_clip, bfloat16": Side(own("bf16"), pixels),
        "folded, float32": Side(folded(torch.float32), pixels),
        "folded, bfloat16": Side(folded(torch.bfloat16), pixels),
    }
    for _ in range(arguments.turns + 1):
        for side in sides.values():
            side.turn()
    first = sides["open_clip, float32"]
    for name, side in sides.items():
        least, error = min(side.seconds[1:]), (side.gradient - first.gradient).norm() / first.gradient.norm()
        ratio = min(first.seconds[1:]) / least
        print(f"{name:20} {1e3 * least:8.1f} ms   {ratio:5.2f} times as fast   error {error:.1e}")


if __name__ == "__main__":
    main()
