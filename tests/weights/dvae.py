"""OpenAI's dVAE: encoder.pkl and decoder.pkl with random weights, whole pickled modules as OpenAI wrote them."""

import sys
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import torch
from torch import nn

WHERE = {
    "dall_e.utils": ("Conv2d",),
    "dall_e.encoder": ("EncoderBlock", "Encoder"),
    "dall_e.decoder": ("DecoderBlock", "Decoder"),
}
"""The classes that the files name; nothing of the package itself is needed."""


def make(folder: Path, full: bool = False, container: Literal["zip", "legacy"] = "zip") -> Path:
    """Write both files; gives the folder. Small ones have 64 codes and an eighth or less of the channels."""
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]), _package() as classes, warnings.catch_warnings():
        torch.manual_seed(0)
        warnings.filterwarnings("ignore", message="Couldn't retrieve source code")
        for name, network in networks(classes, full=full).items():
            torch.save(network, folder / f"{name}.pkl", _use_new_zipfile_serialization=container == "zip")
    return folder


def networks(classes: dict[str, type[nn.Module]] | None = None, full: bool = False) -> dict[str, nn.Module]:
    """The two networks, by the names of their files, of classes that only hold what there is."""
    classes = classes or dict.fromkeys((name for names in WHERE.values() for name in names), nn.Module)
    codes, first, hidden = (8192, 128, 256) if full else (64, 8, 8)
    build = _Builder(classes)
    widths = [hidden * 2**number for number in range(4)]
    encoder = build.network("Encoder", (3, widths[0], 7), widths, (3, 3, 3, 1), codes, nn.MaxPool2d(kernel_size=2))
    upsample = nn.Upsample(scale_factor=2, mode="nearest")
    decoder = build.network("Decoder", (codes, first, 1), widths[::-1], (1, 3, 3, 3), 6, upsample)
    return {"encoder": encoder, "decoder": decoder}


class _Builder:
    def __init__(self, classes: dict[str, type[nn.Module]]) -> None:
        self._classes = classes

    def network(
        self,
        name: str,
        first: tuple[int, int, int],
        widths: list[int],
        sides: tuple[int, ...],
        last: int,
        between: nn.Module,
    ) -> nn.Module:
        blocks: dict[str, nn.Module] = {"input": self.convolution(*first)}
        taken = first[1]
        for number, made in enumerate(widths, 1):
            group: dict[str, nn.Module] = {}
            for place in (1, 2):
                group[f"block_{place}"] = self.block(f"{name}Block", taken, made, sides)
                taken = made
            if number < len(widths):
                group["upsample" if name == "Decoder" else "pool"] = between
            blocks[f"group_{number}"] = nn.Sequential(OrderedDict(group))
        conv = self.convolution(taken, last, 1)
        blocks["output"] = nn.Sequential(OrderedDict(relu=nn.ReLU(), conv=conv))
        return self.holder(name, group_count=len(widths), blocks=nn.Sequential(OrderedDict(blocks)))

    def block(self, name: str, taken: int, made: int, sides: tuple[int, ...]) -> nn.Module:
        path: dict[str, nn.Module] = {}
        widths = (taken, *[made // 4] * 3, made)
        for number, side in enumerate(sides, 1):
            path[f"relu_{number}"] = nn.ReLU()
            path[f"conv_{number}"] = self.convolution(widths[number - 1], widths[number], side)
        shortcut = self.convolution(taken, made, 1) if taken != made else nn.Identity()
        return self.holder(name, n_in=taken, id_path=shortcut, res_path=nn.Sequential(OrderedDict(path)))

    def convolution(self, taken: int, made: int, side: int) -> nn.Module:
        weight = torch.randn(made, taken, side, side) * (2 / (taken * side**2)) ** 0.5
        bias = torch.randn(made) * 0.1
        return self.holder(
            "Conv2d", n_in=taken, n_out=made, kw=side, w=nn.Parameter(weight, False), b=nn.Parameter(bias, False)
        )

    def holder(self, name: str, **held: Any) -> nn.Module:
        module = self._classes[name]()
        for key, value in held.items():
            setattr(module, key, value)
        return module


@contextmanager
def _package() -> Iterator[dict[str, type[nn.Module]]]:
    """Classes that go by the names of the package's, in modules that stand in for it while this lasts."""
    classes: dict[str, type[nn.Module]] = {}
    modules = {"dall_e": ModuleType("dall_e")}
    for path, names in WHERE.items():
        modules[path] = ModuleType(path)
        for name in names:
            classes[name] = type(name, (nn.Module,), {"__module__": path})
            setattr(modules[path], name, classes[name])
    before = {path: sys.modules.get(path) for path in modules}
    sys.modules.update(modules)
    try:
        yield classes
    finally:
        for path, module in before.items():
            if module is None:
                del sys.modules[path]
            else:
                sys.modules[path] = module
