"""Colours clamped to 0..1 so that a gradient can still lead back."""

from typing import Any

import torch
from torch import Tensor


def cut(picture: Tensor) -> Tensor:
    """Values clamped to 0..1; the gradient passes except where a step against it would lead further out.

    ClampWithGrad of Crowson's notebooks (2021).
    """
    picture = _Cut.apply(picture)  # type: ignore[no-untyped-call]
    return picture


class _Cut(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, picture: Tensor) -> Tensor:
        ctx.save_for_backward(picture)
        return picture.clamp(0, 1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        picture: Tensor = ctx.saved_tensors[0]
        return gradient * (gradient * (picture - picture.clamp(0, 1)) >= 0)
