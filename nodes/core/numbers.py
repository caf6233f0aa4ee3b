"""Numbers of which each may be a tensor: in a step that a GPU repeats by itself, keyframed ones lie on the device.

What is only added and multiplied needs none of this.
"""

import math
from typing import Any

from torch import Tensor

RADIAN = math.pi / 180
"""What degrees are multiplied by; `math.radians` would ask a tensor for its value."""


def larger(one: Any, other: Any) -> Any:
    """The larger of two."""
    if isinstance(one, Tensor):
        return one.clamp(min=other)
    return other.clamp(min=one) if isinstance(other, Tensor) else max(one, other)


def logarithm(number: Any) -> Any:
    """The natural logarithm."""
    return number.log() if isinstance(number, Tensor) else math.log(number)


def counts(factor: Any) -> bool:
    """Whether a factor can't be left out: it is not 0, or nobody knows."""
    return isinstance(factor, Tensor) or bool(factor)
