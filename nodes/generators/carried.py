"""What a moved picture shows and its moved codes don't paint, carried along from frame to frame."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from t2iflow.nodes.core.types import Image, Size

KEPT = 0.9
"""What part of it stays at each frame; the rest gives way to what the codes paint, which is as fine in every frame."""


class Carried(ABC):
    """A canvas of codes, each of which paints a whole square of pixels.

    Moved by a part of a square, codes paint something else, and so do those that an encoder reads from a moved picture.
    The difference lies over what they paint, so that the film goes on without a jump, and steering changes the codes
    beneath it.
    """

    _over: Tensor

    @abstractmethod
    def _painted(self) -> Tensor:
        """What the decoder makes of the codes of the finished picture, (1, 3, h, w) around 0..1."""

    def _bare(self, size: Size, device: torch.device) -> None:
        """Begin with nothing over what is painted."""
        self._over = torch.zeros(1, 3, size[1], size[0], device=device)

    @torch.no_grad()
    def carry(self, image: Image) -> None:
        """Show nearly this picture."""
        self._over.copy_(KEPT * (image - self._painted()))

    def state_dict(self) -> dict[str, Any]:
        """What lies over what is painted."""
        return {"over": self._over}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take it back."""
        self._over.copy_(state["over"])
