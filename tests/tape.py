"""A recorder that needs no GPU: what is computed while it records is computed again at each replay, on the same memory.

As in a CUDA graph numbers are as they were, and questions, chance and copies from the host are refused.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.captured import COPIES, Captured


class _Watching(Captured):
    """On a CPU even `places[0] = 1` makes a tensor of Python's number."""

    def _look(self, function: Any, given: list[Any], made: list[Any]) -> None:
        if function.overloadpacket.__name__ not in COPIES:
            super()._look(function, given, made)


class Tape(TorchDispatchMode):
    """Notes all that is computed within it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._calls: list[tuple[Any, Any, Any, Any]] = []
        self._before: list[tuple[Tensor, Tensor]] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function._schema.is_mutable:
            self._before += [(one, one.clone()) for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
        made = function(*args, **(kwargs or {}))
        self._calls.append((function, args, kwargs or {}, made))
        return made

    @torch.no_grad()
    def undo(self) -> None:
        """Let everything be as it was: a CUDA graph that fails while it is recorded has done nothing."""
        for place, before in reversed(self._before):
            place.copy_(before)

    @torch.no_grad()
    def replay(self) -> None:
        """Compute it again, with what is in the same places now."""
        for function, args, kwargs, made in self._calls:
            again = function(*args, **kwargs)
            for place, fresh in zip(tree_leaves(made), tree_leaves(again), strict=True):
                if isinstance(place, Tensor) and place.data_ptr() != fresh.data_ptr():
                    place.copy_(fresh.reshape(place.shape))  # which may have been reshaped in place


class Tapes:
    """Records tapes."""

    def __init__(self, compiles: bool = False) -> None:
        self.compiles = compiles
        self.recorded = self.replayed = 0

    def watching(self) -> AbstractContextManager[Any]:
        """Within it, what a GPU can't repeat is refused."""
        return _Watching(torch.device("cpu"))

    def record(self, act: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
        """Do it, and note it."""
        self.recorded += 1
        tape = Tape()
        try:
            with tape, self.watching():
                made = act()
        except Exception:
            tape.undo()
            raise

        def replay() -> None:
            self.replayed += 1
            tape.replay()

        return made, replay
