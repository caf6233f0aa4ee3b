"""The picture of a run for those who watch it, `.live.jpg`: small, and new several times a second."""

import contextlib
import io
import math
from pathlib import Path

import torch
from torch import Tensor

from t2iflow.nodes.core.types import Image
from t2iflow.nodes.core.whole import write
from t2iflow.nodes.pictures import codec
from t2iflow.runner.events import Ended, Event, Filmed, Fitted, Stepped
from t2iflow.runner.folder.watching import LIVE, is_watched
from t2iflow.runner.report.budget import Budget
from t2iflow.runner.report.snapshots import small

EVERY, SHARE = 0.25, 0.015
"""Seconds between two pictures, at least, and how much of a run's time may be spent on them."""
SIDE, QUALITY = 512, 85
"""Pixels of the longer side, and the quality of JPEG."""


class Live:
    """Makes the picture while somebody watches."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._budget = Budget(EVERY, SHARE)

    def __call__(self, event: Event) -> None:
        """Show the picture of the event, if it is time to."""
        if isinstance(event, Stepped | Filmed | Fitted):
            if self._budget.allows() or isinstance(event, Fitted):
                self._look(event.image)
        elif isinstance(event, Ended):
            with contextlib.suppress(OSError):  # what the run has written is better
                (self._folder / LIVE).unlink(missing_ok=True)

    def _look(self, image: Tensor) -> None:
        with self._budget.spending():  # nor is this asked more often
            watched = is_watched(self._folder)
        if not watched:
            return
        if image.is_cuda:
            torch.cuda.synchronize(image.device)  # the step that it is at is no cost of the picture's
        with self._budget.spending():
            many = math.ceil(math.sqrt(len(image)))
            data = io.BytesIO()
            codec.frame(Image(small(image, SIDE // many))).convert("RGB").save(data, "JPEG", quality=QUALITY)
            write(self._folder / LIVE, data.getvalue())
