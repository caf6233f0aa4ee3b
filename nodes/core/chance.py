"""Random numbers for steps that a GPU repeats by itself: drawn before each step, from the same seeds as in it.

A captured step reads and writes the same memory each time, and can draw nothing. So its numbers lie in places that
stay, and are renewed on the host: packed, so that one copy brings them to the device. What scales them is part of the
step, so it is the same numbers that nodes draw when nothing is captured.
"""

from collections.abc import Mapping
from itertools import accumulate

import torch
from torch import Tensor

from t2iflow.nodes.core.ambient import Draw, Random

Call = tuple[str, int]
"""One call of a node in a step: the node's name, and which pass it is part of."""

ALIGNED = 16
"""Bytes to which each place is rounded up."""


class Chance:
    """All random numbers of a step; `chance[call]` is what the node is given, the same object in each step.

    To be renewed before every step. In the first, nodes draw as they would anyway, and it is noted what.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._calls: dict[Call, Kept] = {}
        self._packed: Tensor | None = None

    def __getitem__(self, call: Call) -> Random:
        return self._calls[call]

    def renew(self, fresh: Mapping[Call, Random]) -> None:
        """Draw the numbers of the next step; `fresh` has the same calls every time, newly seeded."""
        if not self._calls:
            self._calls = {call: Kept(random) for call, random in fresh.items()}
            return
        if self._packed is None:
            self._packed = self._laid()
        host = torch.empty(len(self._packed), dtype=torch.uint8, pin_memory=self._device.type == "cuda")
        for call, kept in self._calls.items():
            kept.renew(fresh[call], host)
        self._packed.copy_(host, non_blocking=True)

    def _laid(self) -> Tensor:
        """The memory of all that is drawn on the host, with a place in it for each draw that was noted."""
        sizes = [_rounded(draw) for kept in self._calls.values() for draw in kept.draws]
        packed = torch.empty(sum(sizes), dtype=torch.uint8, device=self._device)
        starts = accumulate(sizes, initial=0)
        for kept in self._calls.values():
            kept.lay(packed, [next(starts) for _ in kept.draws])
        return packed


class Kept(Random):
    """The random numbers of one call: the first step's drawn on demand and noted, later ones lie in their places."""

    def __init__(self, first: Random) -> None:
        self.draws: list[Draw] = []
        self.device = first.device
        self._first: Random | None = first
        self._starts: list[int] = []
        self._places: list[Tensor] = []
        self._served = 0

    def lay(self, packed: Tensor, starts: list[int]) -> None:
        """Take places in packed memory, from these bytes on; noise has its own, on its device."""
        self._first, self._starts = None, starts
        self._places = [
            torch.empty(draw.shape, dtype=draw.dtype, device=draw.device)
            if draw.kind == "noise"
            else _place(packed, start, draw)
            for draw, start in zip(self.draws, starts, strict=True)
        ]

    def renew(self, fresh: Random, host: Tensor) -> None:
        """Draw all numbers of a call: noise into its place, all else into the packed memory of the host."""
        self._served = 0
        for draw, place, start in zip(self.draws, self._places, self._starts, strict=True):
            fresh.fill(place if draw.kind == "noise" else _place(host, start, draw), draw)

    def drawn(self, draw: Draw) -> Tensor:
        """The next numbers; ValueError where they are others than in the first step."""
        if self._first is not None:
            self.draws.append(draw)
            return self._first.drawn(draw)
        if self._served == len(self.draws) or self.draws[self._served] != draw:
            raise ValueError("it draws other random numbers than in its first step")
        self._served += 1
        return self._places[self._served - 1]


def _rounded(draw: Draw) -> int:
    """The bytes that a draw takes in packed memory."""
    return 0 if draw.kind == "noise" else -(-_bytes(draw) // ALIGNED) * ALIGNED


def _bytes(draw: Draw) -> int:
    return torch.Size(draw.shape).numel() * draw.dtype.itemsize


def _place(packed: Tensor, start: int, draw: Draw) -> Tensor:
    return packed[start : start + _bytes(draw)].view(draw.dtype).view(draw.shape)
