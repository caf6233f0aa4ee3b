"""How commands end: the codes that scripts may rely on, and what each means."""

from collections.abc import Mapping

OK = 0
FAILED = 1
USAGE = 2
INVALID = 3
WEIGHTS = 4
MEMORY = 5
HUNG_UP = 129
INTERRUPTED = 130
TERMINATED = 143

MEANINGS: Mapping[int, str] = {
    OK: "done",
    FAILED: "failed",
    USAGE: "usage error, or device unavailable",
    INVALID: "the recipe has mistakes",
    WEIGHTS: "weights or a package are missing",
    MEMORY: "out of memory",
    HUNG_UP: "interrupted",
    INTERRUPTED: "interrupted",
    TERMINATED: "interrupted",
}


class UsageError(ValueError):
    """What was asked for can't be done: an option, a value or a folder that doesn't fit."""


class NoDeviceError(RuntimeError):
    """The requested device is unavailable."""
