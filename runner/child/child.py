"""One such process, as the program that starts it sees it."""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from signal import Signals
from typing import IO

LIBRARY_FIRST = "import sys; sys.path[:] = [place for place in sys.path if place]\n"
"""How a program begins for which a `timeit.py` in the working folder is not the library's."""
STARTING = LIBRARY_FIRST + "import importlib; importlib.import_module(sys.argv[1]).main(*sys.argv[2:])"
PATIENCE = 90.0
"""Seconds that a process has to end by itself."""
SAID = 300
"""Letters of a dead process's last words that are repeated."""


@dataclass(frozen=True)
class Slot:
    """Where a process computes: its device, and what its environment has for that."""

    device: str
    environment: Mapping[str, str] = field(default_factory=dict)


class Child:
    """A process that runs `main` of a module. Each line of its replies is given to `hear`, in another thread, and an
    empty one after the last."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        hear: Callable[["Child", str], None],
    ) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (it is read once the process has ended)
        self._process = subprocess.Popen(
            [sys.executable, "-c", STARTING, module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=os.environ | dict(environment),
            start_new_session=True,  # Ctrl-C is for the driver, which passes it on
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same on Windows
            text=True,
            encoding="utf-8",
        )
        threading.Thread(target=self._listen, args=(hear,), daemon=True).start()

    def order(self, line: str) -> None:
        """Let it do something; where it is dead, its replies say so."""
        with contextlib.suppress(OSError):
            assert self._process.stdin
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def stop(self) -> None:
        """Let what it does now stop, as Ctrl-C does; on Windows, where that would only kill it, the end of its orders
        does so."""
        if os.name == "nt":
            self.dismiss()
        else:
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

    def _listen(self, hear: Callable[["Child", str], None]) -> None:
        assert self._process.stdout
        with contextlib.suppress(OSError, ValueError), self._process.stdout as lines:
            for line in lines:
                hear(self, line)
        hear(self, "")
