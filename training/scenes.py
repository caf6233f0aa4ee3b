"""What scenes look like: the mean of what EfficientNet-Lite0 makes of pictures of them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import yaml
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from t2iflow.nodes.perceptors.lite import efficientnet
from t2iflow.nodes.perceptors.lite.perceptor import Lite, normalised
from t2iflow.nodes.perceptors.lite.scenes import LOOKS
from training.packages import listed, unpacked

LIST = Path(__file__).with_suffix(".yaml")
LONG = 1.2
"""From this many times as wide as high on, a picture is seen as three squares rather than one."""


@torch.no_grad()
def ship(work: Path) -> Path:
    """Put the looks of all scenes, (1000,) each, into a file of the package, and say which."""
    network = efficientnet.load("lite0")
    folders = {package.key: unpacked(package, work) for package in listed() if package.kind == "scenes"}
    looks = {}
    for name, packages in yaml.safe_load(LIST.read_text(encoding="utf-8")).items():
        files = [file for key, patterns in packages.items() for one in patterns for file in _found(folders[key], one)]
        looks[name] = torch.stack([_look(network, file) for file in files]).mean(0).half()
    save_file(looks, LOOKS)
    return LOOKS


def _found(folder: Path, pattern: str) -> list[Path]:
    """The files of a pattern; ValueError where there are none."""
    files = sorted(folder.rglob(pattern))
    if not files:
        raise ValueError(f"{LIST}: {folder.name} has no {pattern}")
    return files


def _look(network: efficientnet.EfficientNetLite, file: Path) -> Tensor:
    """What the network makes of a picture, (1000,): as `Lite.look`, without colours."""
    with Image.open(file) as picture:
        squares = np.stack([np.asarray(square) for square in _squares(picture.convert("RGBA"))])
    logits = network(normalised(torch.from_numpy(squares).permute(0, 3, 1, 2) / 255)).logits
    return F.normalize(logits - logits.mean(1, keepdim=True), dim=-1).mean(0)


def _squares(picture: Image.Image) -> Iterator[Image.Image]:
    """Left, middle and right of a wide picture, or its middle, on black and as `lite` would see them."""
    side = min(picture.size)
    wide, high = picture.size
    ground = Image.new("RGBA", picture.size, "black")
    ground.alpha_composite(picture)
    for left in (0, (wide - side) // 2, wide - side) if wide > LONG * high else ((wide - side) // 2,):
        box = (left, (high - side) // 2, left + side, (high + side) // 2)
        yield ground.convert("RGB").resize((Lite.size, Lite.size), Image.Resampling.BICUBIC, box)
