"""The log of a run, `events.jsonl`: its events as JSON lines, each on disk as soon as it is written."""

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from t2iflow.nodes.core.run_files import LOG
from t2iflow.runner.entries import KINDS
from t2iflow.runner.events import SCHEMA, Event, Fitting, Happened, Started, Stepped
from t2iflow.runner.folder.claim import FolderError

TYPES: dict[type[Happened], str] = {event: name for name, (event, _) in KINDS.items()}
STEP_EVERY = 0.1
"""Seconds between steps that are written down."""


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
        self._write(json.dumps(_described(event, self._began)) + "\n")


def _described(event: Event, began: float) -> dict[str, Any]:
    """The event as JSON has it, `time` in seconds since `began`; reads the loss and its terms, leaves pictures out."""
    line: dict[str, Any] = {"schema": SCHEMA, "type": TYPES[type(event)], "time": round(event.at - began, 3)}
    if isinstance(event, Stepped):
        line |= _plain({"loss": event.loss, "terms": event.terms, "rate": event.rate})
    left_out = {"at", *line, "image"}
    return line | {name: _plain(value) for name, value in vars(event).items() if name not in left_out}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Tensor | float):
        number = float(value)
        return float(f"{number:.6g}") if math.isfinite(number) else None  # JSON has no other numbers
    return str(value) if isinstance(value, Path) else value


class LogFile:
    """The file behind it: lines are added whole, also after one that a kill or a full disk has cut short."""

    def __init__(self, folder: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        try:
            self._file = os.open(folder / LOG, flags, 0o666)
        except OSError as fault:
            raise FolderError(f"can't write `{folder / LOG}`: {fault.strerror}") from fault
        end = os.lseek(self._file, 0, os.SEEK_END)
        self._torn = end > 0 and self._at(end - 1) != b"\n"

    def write(self, line: str) -> None:
        """Add a line; OSError where there is no room for it, and the next is tried again."""
        left = (b"\n" if self._torn else b"") + line.encode()
        self._torn = True
        while left:
            left = left[os.write(self._file, left) :]
        self._torn = False

    def _at(self, place: int) -> bytes:
        os.lseek(self._file, place, os.SEEK_SET)  # where lines are added, O_APPEND decides
        return os.read(self._file, 1)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
