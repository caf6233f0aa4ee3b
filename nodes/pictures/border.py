"""What lies beyond a picture's edges, where a crop or a camera looks there."""

from typing import Literal, TypeAlias

import torch
from torch import Tensor

from t2iflow.nodes.core.constants import constant
from t2iflow.nodes.core.types import Hex, rgb

Border: TypeAlias = Literal["reflect", "edge", "wrap", "black", "grey"] | Hex
"""The picture's mirror image, its outermost pixels, itself again, or a colour."""


CONTINUED = ("reflect", "edge", "wrap")
"""Borders at which the picture goes on, instead of a colour."""


@constant
def painted(border: Border, device: torch.device, dtype: torch.dtype) -> Tensor:
    """The colour (3, 1, 1) that lies there, where the picture doesn't go on."""
    values = {"black": [0.0] * 3, "grey": [0.5] * 3}.get(border) or rgb(border)
    return torch.tensor(values, device=device, dtype=dtype).view(3, 1, 1)
