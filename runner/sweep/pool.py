"""The pool: a process in each slot of this machine, started anew when it dies."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from signal import Signals
from typing import IO

from t2iflow.runner.exits import HUNG_UP
from t2iflow.runner.session import SAVE_EVERY
from t2iflow.runner.sweep.slot import Slot
from t2iflow.runner.sweep.work import DIED, Made

# A `timeit.py` in the working folder is not the library's.
STARTING = """
import sys
sys.path[:] = [place for place in sys.path if place]
from t2iflow.runner.sweep.worker import main
main()
"""
PATIENCE = 90.0
"""Seconds that processes have to end by themselves."""
SAID = 300
"""Letters of a dead process's last words that are repeated."""


class Pool:
    """Makes the cells of a sweep in processes of its own."""

    def __init__(self, folder: Path, slots: Sequence[Slot], save_every: float = SAVE_EVERY) -> None:
        self._folder, self._save_every = folder, save_every
        self._slots = list(slots)
        self._idle: list[_Process] = []
        self._busy: dict[_Process, str] = {}
        self._replies: queue.Queue[tuple[_Process, str]] = queue.Queue()

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Let all end: those that have nothing to do at once, others with a checkpoint, unless something went wrong."""
        processes = [*self._idle, *self._busy]
        for process in processes:
            process.dismiss()
            if kind is not None:
                process.kill()
        for process in processes:
            process.end()

    @property
    def room(self) -> int:
        """How many more cells can be taken on now."""
        return len(self._idle) + len(self._slots)

    def take(self, cell: str) -> None:
        """Begin a cell."""
        if not self._idle:
            self._idle.append(_Process(self._folder, self._slots.pop(0), self._save_every, self._replies))
        process = self._idle.pop()
        self._busy[process] = cell
        process.order(cell)

    def wait(self, seconds: float) -> list[Made]:
        """What came of cells meanwhile; at once if there is something, else after some seconds at most."""
        made: list[Made] = []
        with contextlib.suppress(queue.Empty):
            made += self._heard(*self._replies.get(timeout=seconds))
            while True:
                made += self._heard(*self._replies.get_nowait())
        return made

    def stop(self) -> None:
        """Let all runs stop with a checkpoint."""
        for process in self._busy:
            process.stop()

    def _heard(self, process: "_Process", line: str) -> list[Made]:
        cell = self._busy.pop(process, None)
        if line:
            made = Made(**json.loads(line))
            if made.code < HUNG_UP:  # else it ends
                self._idle.append(process)
            return [made]
        self._slots.append(process.slot)
        if process in self._idle:
            self._idle.remove(process)
        how = process.end()
        return [Made(cell, DIED, how)] if cell else []


class _Process:
    """One process; each line of its replies is put into the queue, and an empty one after the last."""

    def __init__(
        self, folder: Path, slot: Slot, save_every: float, replies: "queue.Queue[tuple[_Process, str]]"
    ) -> None:
        self.slot = slot
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (it is read once the process has ended)
        self._process = subprocess.Popen(
            [sys.executable, "-c", STARTING, str(folder), slot.device, str(save_every)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={"GOMP_SPINCOUNT": "5000", "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True", **os.environ}
            | dict(slot.environment),
            start_new_session=True,  # Ctrl-C is for the driver, which passes it on
            text=True,
            encoding="utf-8",
        )
        threading.Thread(target=self._listen, args=(replies,), daemon=True).start()

    def order(self, cell: str) -> None:
        """Let it make a cell; where it is dead, its replies say so."""
        with contextlib.suppress(OSError):
            assert self._process.stdin
            self._process.stdin.write(cell + "\n")
            self._process.stdin.flush()

    def stop(self) -> None:
        """Let its run stop with a checkpoint."""
        self._process.terminate()

    def dismiss(self) -> None:
        """Order nothing more."""
        with contextlib.suppress(OSError):
            assert self._process.stdin
            self._process.stdin.close()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def end(self) -> str:
        """How it ended, in words, once it has."""
        self.dismiss()
        try:
            code = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        with self._errors as errors:
            errors.seek(0)
            said = errors.read().decode("utf-8", "replace").strip().rpartition("\n")[2][-SAID:]
        how = f"killed by {Signals(-code).name}" if code < 0 else f"exit code {code}"
        return f"its process ended ({how}){f': {said}' if said else ''}"

    def _listen(self, replies: "queue.Queue[tuple[_Process, str]]") -> None:
        assert self._process.stdout
        with contextlib.suppress(OSError, ValueError), self._process.stdout as lines:
            for line in lines:
                replies.put((self, line))
        replies.put((self, ""))
