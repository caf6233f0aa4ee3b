"""A process that makes one cell after another: their names come in by lines, and what came of each goes out likewise.

It ends when there are no more names to come, as when its driver is gone, and after a run that was interrupted.
"""

import json
import os
import signal
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from typing import TextIO

PATIENCE = 60.0
"""Seconds that a run has to write its checkpoint once the driver is gone."""


def main() -> None:
    """The process: `python -c ... FOLDER DEVICE SECONDS`, which are those between checkpoints."""
    folder, device, save_every = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what nodes print is no reply
    worker = _Worker(folder, device, save_every, replies)
    threading.Thread(target=worker.listen, daemon=True).start()
    worker.work()


class _Worker:
    def __init__(self, folder: Path, device: str, save_every: float, replies: TextIO) -> None:
        self._folder, self._device, self._save_every, self._replies = folder, device, save_every, replies
        self._names: SimpleQueue[str | None] = SimpleQueue()
        self._busy = False

    def listen(self) -> None:
        """Take in names; when none can come any more, let the run that goes on stop with a checkpoint."""
        for line in sys.stdin:
            self._names.put(line.strip())
        self._names.put(None)
        if self._busy:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(PATIENCE)
            os._exit(1)

    def work(self) -> None:
        """Make cells; everything that they share stays in this process."""
        from t2iflow.runner.exits import HUNG_UP
        from t2iflow.runner.sweep.work import make

        while name := self._names.get():
            self._busy = True
            made = make(self._folder, name, self._device, save_every=self._save_every)
            self._busy = False
            self._replies.write(json.dumps(asdict(made)) + "\n")
            self._replies.flush()
            if made.code >= HUNG_UP:
                return
