"""Which number format a node computes in."""

from typing import Literal

import torch

Precision = Literal["auto", "float32", "bfloat16"]
"""A format, or whichever the device computes fastest in."""


def dtype_of(precision: str, device: torch.device) -> torch.dtype:
    """The format that a setting means: the device's own for `auto`, else the one of that name."""
    return named(precision) or native(device)


def named(precision: str) -> torch.dtype | None:
    """The format that a setting names; None for `auto`."""
    return None if precision == "auto" else getattr(torch, precision)


def native(device: torch.device) -> torch.dtype:
    """bfloat16 where the device computes in it, float32 where it would only be imitated."""
    if device.type == "cuda":
        fast = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        fast = device.type == "cpu" and getattr(torch.cpu, "_is_avx512_bf16_supported", bool)()
    return torch.bfloat16 if fast else torch.float32
