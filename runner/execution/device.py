"""Which device a run uses, and why."""

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version

import torch

from t2iflow.nodes.core.texts import counted
from t2iflow.runner.exits import NoDeviceError

CHOICES = ("auto", "cpu", "cuda", "mps")
APPLE = (2, 14)
"""The first torch that can differentiate crops on an Apple GPU."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # GNU's malloc.h
BLOCK = 2**25
"""Bytes: the largest block that the C library puts on its heap, if it has freed larger ones."""
GROWN, KEPT = 2 * BLOCK, 8 * BLOCK
"""Bytes freed at the heap's end that it keeps: by itself, and during a run, whose next step needs them again. Else the
kernel has to clear them anew for each step."""


def resolved(wanted: str) -> str:
    """The requested device; the variable T2IFLOW_DEVICE can say what `auto` is. NoDeviceError for a name that no device
    has."""
    name = os.environ.get("T2IFLOW_DEVICE") or "auto" if wanted == "auto" else wanted
    kind, colon, number = name.partition(":")
    if kind not in CHOICES:
        raise NoDeviceError(f"unknown device `{name}`: choose one of {', '.join(CHOICES)}, or `cuda:1` and so on")
    if colon and not (kind == "cuda" and number.isdecimal()):
        raise NoDeviceError(f"unknown device `{name}`: only GPUs have numbers, as cuda:0, cuda:1 and so on")
    return name


def choose(wanted: str = "auto") -> tuple[torch.device, str]:
    """The device and the reason for it, in words; `auto` takes a GPU that works, else the CPU."""
    wanted = resolved(wanted)
    kind, _, which = wanted.partition(":")
    if kind == "cuda" or (kind == "auto" and torch.cuda.is_available()):
        if not torch.cuda.is_available():
            raise NoDeviceError(f"no CUDA device: {_why_no_cuda()}")
        number = int(which or 0)
        if number >= torch.cuda.device_count():
            raise NoDeviceError(f"there is no `{wanted}`: {torch.cuda.device_count()} CUDA device(s) found")
        return torch.device("cuda", number), torch.cuda.get_device_name(number)
    apple = torch.backends.mps.is_available()
    if kind == "mps" or (kind == "auto" and apple and _version() >= APPLE):
        if not apple:
            raise NoDeviceError("no Apple GPU (MPS) that this torch can use")
        return torch.device("mps"), "Apple GPU"
    if kind == "cpu":
        why = "requested"
    elif apple:
        why = f"torch {torch.__version__} can't steer on an Apple GPU; {APPLE[0]}.{APPLE[1]} can"
    else:
        why = _why_no_cuda()
    threads = torch.get_num_threads()
    return torch.device("cpu"), f"{why}; {counted(threads, 'thread')}"


def model(device: torch.device) -> str:
    """What decides a device's exact numbers: the model of a GPU, or the instructions that a CPU has."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu ({torch.backends.cpu.get_cpu_capability()})" if device.type == "cpu" else device.type


def made_with(device: torch.device) -> dict[str, object]:
    """What the bytes of a picture depend on besides its recipe: versions, threads and the device."""
    return {
        "t2iflow": version("t2iflow"),
        "torch": version("torch"),
        "threads": torch.get_num_threads(),
        "device": model(device),
    }


def _version() -> tuple[int, int]:
    major, minor, *_ = torch.__version__.split(".")
    return int(major), int(minor)


def _why_no_cuda() -> str:
    if torch.version.cuda is None and getattr(torch.version, "hip", None) is None:
        return f"torch {torch.__version__} is built without GPU support"
    return "torch finds no GPU or driver"


@contextmanager
def at_work(device: torch.device) -> Iterator[None]:
    """Within it, a GPU computes on one stream of its own, as it must where steps are recorded, and what a step on the
    CPU frees is kept for the next."""
    if device.type == "cuda":
        own = torch.cuda.Stream(device)
        own.wait_stream(torch.cuda.current_stream(device))
        try:
            with torch.cuda.stream(own):
                yield
        finally:  # outputs are closed after an error, too
            torch.cuda.current_stream(device).wait_stream(own)
    elif device.type == "cpu":
        _keep(KEPT)
        try:
            yield
        finally:
            _give_back()
    else:
        yield


@contextmanager
def single_precision() -> Iterator[None]:
    """Within it, numbers have single precision by default, as nodes expect; a program that uses t2iflow may have set
    another default."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def release(device: torch.device) -> None:
    """Return memory that nothing needs any more to the device or the system."""
    gc.collect()  # what was raised holds the frames that it came through, and they what they had computed
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
    else:
        _give_back()


def _keep(freed: int) -> None:
    """Have the C library keep this many bytes that are freed."""
    _call_libc("mallopt", M_MMAP_THRESHOLD, BLOCK)
    _call_libc("mallopt", M_TRIM_THRESHOLD, freed)


def _give_back() -> None:
    """Give what is kept to the kernel, and keep little from now on."""
    _keep(GROWN)
    _call_libc("malloc_trim", 0)


def _call_libc(call: str, *figures: int) -> None:
    """Call the C library where it is GNU's; others have no such calls."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            getattr(ctypes.CDLL(None), call)(*figures)
