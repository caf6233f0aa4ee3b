"""Where the cells of a sweep run on this machine: a slot for each process, on a GPU or with its share of the CPU."""

import os
from dataclasses import dataclass

import torch

from t2iflow.nodes.core.run_files import SAVE_EVERY
from t2iflow.runner.child.child import Slot
from t2iflow.runner.execution import device

MOST = 8
"""Processes that a CPU gets by itself; each takes memory, and more seldom are quicker."""


@dataclass(frozen=True)
class How:
    """How the cells of a sweep are made: on which device; so many `jobs` at once, and `per_gpu` on each GPU; `on` a
    cluster (`ray`, `ray=HOST:PORT`), if not on this machine; each with a checkpoint every `save_every` seconds."""

    device: str = "auto"
    jobs: int | None = None
    per_gpu: int = 1
    on: str = ""
    save_every: float = SAVE_EVERY


def slots(how: How) -> list[Slot]:
    """As many slots as there are jobs; by themselves `per_gpu` on each GPU, or on a CPU one for each core up to MOST.
    NoDeviceError where the device is unavailable."""
    wanted, jobs = device.resolved(how.device), how.jobs
    gpus = _gpus() if wanted in ("auto", "cuda") else []  # which takes no memory on them, as a context would
    kind = "cuda" if gpus else device.choose(wanted)[0].type
    if kind == "cpu":
        return [Slot("cpu")] * (jobs or min(cores(), MOST))
    places = (gpus or [Slot(wanted)]) * how.per_gpu
    return [places[number % len(places)] for number in range(jobs or len(places))]


def threads(slots: int) -> int:
    """How many threads each of so many processes computes with: as many as OMP_NUM_THREADS says, or its share."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdecimal() and int(said) else max(1, cores() // slots)


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _gpus() -> list[Slot]:
    """A slot for each GPU, in which no process sees another's."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(number) for number in range(torch.cuda.device_count())]
    return [Slot("cuda", {"CUDA_VISIBLE_DEVICES": name.strip()}) for name in names[: torch.cuda.device_count()]]
