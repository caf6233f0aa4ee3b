"""Easing: progress from 0 to 1 that starts and ends slowly."""

from typing import TypeVar

from torch import Tensor

Part = TypeVar("Part", float, Tensor)


def smooth(part: Part) -> Part:
    """Slowly at both ends (Perlin's smoothstep), from 0 to 1."""
    return part * part * (3 - 2 * part)
