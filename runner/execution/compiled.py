"""Nodes compiled by `torch.compile`: fewer and larger kernels after minutes of waiting, for runs of many steps."""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any, NewType

import torch

BACKEND = "inductor"
MOST = 256
"""How many variants of a node are compiled: one in which a step is judged in 16 passes may have as many."""


def compiled(call: Callable[..., Any]) -> Callable[..., Any]:
    """The same call, compiled when it is first made with inputs of these shapes."""
    from torch import _dynamo  # which takes a second to import

    teach()
    quick = torch.compile(call, backend=BACKEND, dynamic=False)

    def calling(**given: Any) -> Any:
        with _dynamo.config.patch(recompile_limit=MOST), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it meets in itself
            return quick(**given)

    return calling


@cache
def teach() -> None:
    """Let `torch.compile` know what a kind does, `Image(...)`: it can't follow the C code that calls a `NewType`."""

    @torch.compiler.substitute_in_graph(NewType.__call__, skip_signature_check=True)  # type: ignore[arg-type]
    def same(*given: object) -> object:
        return given[-1]  # before it comes the kind
