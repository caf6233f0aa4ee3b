"""Tensors that are made of numbers once: moving numbers to a GPU in every step would make every step wait for it."""

from collections.abc import Callable
from functools import cache, wraps
from typing import ParamSpec, TypeVar, cast

import torch
from torch import Tensor

Given = ParamSpec("Given")
Made = TypeVar("Made")


def constant(make: Callable[Given, Made]) -> Callable[Given, Made]:
    """Keep what a function makes; to `torch.compile` too it is a constant."""
    kept = cast(Callable[Given, Made], cache(make))

    @wraps(make)
    def once(*given: Given.args, **named: Given.kwargs) -> Made:
        return kept(*given, **named)

    # As torch.compiler.assume_constant_result does, which would load the whole compiler for it.
    once._dynamo_marked_constant = True  # type: ignore[attr-defined]
    return once


@constant
def table(rows: tuple[tuple[float, ...], ...], device: torch.device) -> Tensor:
    """Rows of numbers as a tensor."""
    return torch.tensor(rows, device=device)
