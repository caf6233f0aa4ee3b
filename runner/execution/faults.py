"""What ended a run, in words and as an exit code."""

import errno
import os
import re
import traceback

import torch

from t2iflow.nodes.core.blame import blamed
from t2iflow.nodes.core.missing import MissingPackageError, MissingWeightsError
from t2iflow.nodes.core.run_files import BEFORE, CHECKPOINT
from t2iflow.nodes.core.whole import FULL
from t2iflow.runner.execution.checkpoint import DamagedError, UnfitError
from t2iflow.runner.execution.finite import NotFiniteError
from t2iflow.runner.execution.link import NodeError
from t2iflow.runner.exits import FAILED, MEMORY, WEIGHTS

NO_MEMORY = re.compile(
    r"(can't|cannot|could not|couldn't|failed to|unable to) (allocate|create a (memory|primitive))|not enough memory"
    r"|out of memory|bad_alloc|ALLOC_FAILED",
    re.IGNORECASE,
)
"""How torch's allocators, its libraries and the system say so; oneDNN, of its own buffers, that of a primitive."""

NO_ROOM = re.compile("No space left on device|Disk quota exceeded|File too large", re.IGNORECASE)
"""How other programs say so."""


def out_of_memory(fault: BaseException) -> bool:
    """Whether this is a device or the machine saying that it has no memory left."""
    cause = _cause(fault)
    if isinstance(cause, OSError):
        return cause.errno == errno.ENOMEM
    if isinstance(cause, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(cause, RuntimeError) and NO_MEMORY.search(str(cause)) is not None


def out_of_room(fault: BaseException) -> bool:
    """Whether this is the disk saying that it is full."""
    cause = _cause(fault)
    if isinstance(cause, OSError):
        return cause.errno in FULL
    return isinstance(cause, RuntimeError) and NO_ROOM.search(str(cause)) is not None


def code(fault: BaseException) -> int:
    """The exit code of a run that this has ended."""
    if out_of_memory(fault):
        return MEMORY
    cause = _cause(fault)
    return WEIGHTS if isinstance(cause, MissingWeightsError | MissingPackageError | ModuleNotFoundError) else FAILED


def _cause(fault: BaseException) -> BaseException:
    """What a node raised, if it is a node that failed."""
    return fault.cause if isinstance(fault, NodeError) else fault


def forget(fault: BaseException | None) -> None:
    """Release what the functions on its traceback hold, such as networks: the process may live on."""
    while fault is not None:
        traceback.clear_frames(fault.__traceback__)
        fault = fault.cause if isinstance(fault, NodeError) else fault.__cause__ or fault.__context__


def explain(fault: BaseException) -> str:
    """What went wrong, where, and what helps."""
    if out_of_memory(fault):
        return (
            "out of memory. What helps most, in this order: a smaller `size` of the canvas, a smaller `count` of"
            " the crops, a higher `accumulate` of the optimiser"
        )
    if out_of_room(fault):
        return "the disk is full, or a limit on files is reached; make room, then resume the run"
    if isinstance(fault, NodeError):
        place, cause = fault.node.place, fault.cause
        kind = "" if isinstance(cause, ValueError | RuntimeError | OSError) else f"{type(cause).__name__}: "
        at = f"{place.file}:{place.line}:{place.column}, node `{fault.node.name}`"
        return _with_places(f"{kind}{_message(cause)}", at, blamed(cause, fault.node.spec.target))
    if isinstance(fault, UnfitError):
        return f"{fault}; to start this run again, delete `{CHECKPOINT}` and `{BEFORE}` in its folder, and resume it"
    if isinstance(fault, DamagedError | NotFiniteError | OSError):
        return _message(fault)
    return _with_places(f"{type(fault).__name__}: {fault} (`--debug` shows the traceback)", blamed(fault))


def _message(fault: BaseException) -> str:
    """A fault's message; for a system error, the file and the reason, without its number."""
    if not isinstance(fault, OSError) or fault.errno is None:
        return str(fault)
    file = fault.filename2 or fault.filename
    return f"`{os.fsdecode(file)}`: {fault.strerror}" if isinstance(file, str | bytes) else str(fault.strerror)


def _with_places(message: str, *places: str | None) -> str:
    return "\n  --> ".join([message, *filter(None, places)])
