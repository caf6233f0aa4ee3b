"""BigGAN-deep's two files with random weights, named and shaped as pytorch-pretrained-biggan's are."""

import json
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

LAYERS = {
    128: "F16-16 T16-16 F16-16 T16-8 F8-8 T8-4 F4-4 T4-2 F2-2 T2-1",
    256: "F16-16 T16-16 F16-16 T16-8 F8-8 T8-8 F8-8 T8-4 F4-4 T4-2 F2-2 T2-1",
    512: "F16-16 T16-16 F16-16 T16-8 F8-8 T8-8 F8-8 T8-4 F4-4 T4-2 F2-2 T2-1 F1-1 T1-1",
}
"""Whether a layer doubles the size, and its channels in and out; of the true ones."""

SMALL = {128: "T16-8 F8-4 T4-2 F2-1", 256: "T16-8 T8-4 T4-2 F2-1", 512: "T16-8 T8-4 T4-2 F2-2 T2-1"}
"""Likewise of small ones, which paint an eighth of the side: 16, 32 or 64 pixels."""


def make(folder: Path, full: bool = False, side: int = 128) -> Path:
    """Write both files of weights for pictures of `side` pixels (small ones: an eighth of it); gives the folder."""
    config = layout(full, side)
    tensors = _tensors(config)
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"biggan-deep-{side}"
    stem.with_name(f"{stem.name}-config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    torch.save(tensors, stem.with_name(f"{stem.name}-pytorch_model.bin"))
    return folder


def layout(full: bool, side: int) -> dict[str, Any]:
    layers = [(part[0] == "T", *map(int, part[1:].split("-"))) for part in (LAYERS if full else SMALL)[side].split()]
    return {
        "attention_layer_position": 8 if full else 2,
        "channel_width": 128 if full else 8,
        "class_embed_dim": 128,
        "eps": 1e-4,
        "layers": layers,
        "n_stats": 51,
        "num_classes": 1000,
        "output_dim": side if full else side // 8,
        "z_dim": 128,
    }


def _tensors(config: dict[str, Any]) -> dict[str, Tensor]:
    make, width, condition = _Maker(config["n_stats"]), config["channel_width"], 2 * config["z_dim"]
    make("embeddings.weight", config["z_dim"], config["num_classes"], size=0.3)
    make.spectral("generator.gen_z", 16 * 16 * width, condition)
    place = 0
    for number, (_, old, new) in enumerate(config["layers"]):
        taken, made = old * width, new * width
        if number == config["attention_layer_position"]:
            layer = f"generator.layers.{place}"
            make(f"{layer}.gamma", 1)
            for name, rows, columns in (
                ("theta", taken // 8, taken),
                ("phi", taken // 8, taken),
                ("g", taken // 2, taken),
                ("o_conv", taken, taken // 2),
            ):
                make.spectral(f"{layer}.snconv1x1_{name}", rows, columns, 1, 1, bias=False)
            place += 1
        layer, inner = f"generator.layers.{place}", taken // 4
        shapes = (inner, taken, 1, 1), (inner, inner, 3, 3), (inner, inner, 3, 3), (made, inner, 1, 1)
        for part, shape in enumerate(shapes):
            make.statistics(f"{layer}.bn_{part}", shape[1])
            make.spectral(f"{layer}.bn_{part}.scale", shape[1], condition, bias=False)
            make.spectral(f"{layer}.bn_{part}.offset", shape[1], condition, bias=False)
            make.spectral(f"{layer}.conv_{part}", *shape)
        place += 1
    make("generator.bn.weight", width)
    make("generator.bn.bias", width)
    make.statistics("generator.bn", width)
    make.spectral("generator.conv_to_rgb", width, width, 3, 3)
    return make.tensors


class _Maker:
    def __init__(self, truncations: int) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._chance = torch.Generator().manual_seed(0)
        self._truncations = truncations

    def __call__(self, name: str, *shape: int, size: float = 0.5) -> None:
        self.tensors[name] = torch.randn(shape, generator=self._chance) * size

    def statistics(self, name: str, channels: int) -> None:
        """Of channels that vary the more, the higher the truncation."""
        grown = torch.linspace(0.1, 1, self._truncations)[:, None]
        self(f"{name}.running_means", self._truncations, channels, size=0.2)
        self.tensors[f"{name}.running_vars"] = grown * (0.5 + torch.rand(channels, generator=self._chance))

    def spectral(self, name: str, *shape: int, bias: bool = True) -> None:
        """A weight and the vectors of its largest singular value, by power iteration as in training."""
        if bias:
            self(f"{name}.bias", shape[0], size=0.1)
        self(f"{name}.weight_orig", *shape)
        matrix = self.tensors[f"{name}.weight_orig"].flatten(1)
        u = torch.ones(len(matrix))
        for _ in range(3):
            v = F.normalize(matrix.T @ u, dim=0)
            u = F.normalize(matrix @ v, dim=0)
        self.tensors[f"{name}.weight_u"], self.tensors[f"{name}.weight_v"] = u, v
