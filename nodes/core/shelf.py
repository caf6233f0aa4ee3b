"""What is made once and kept from run to run in a process: networks, and what they make of texts.

A node requests it by what makes it and of what; it gets the same thing again where all of that is the same, in one run
or in another. Only what never changes may be kept so.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor, nn

Given = ParamSpec("Given")
Thing = TypeVar("Thing")

ROOM = 2 << 30
"""Bytes of what the last run did not ask for that are kept for later ones."""


@dataclass
class _Kept:
    thing: Any
    run: int


@dataclass(eq=False)
class Shelf:
    """Keeps things; all that the last run has asked for, and of others as many as there is room for, the last used. It
    `lasts` where other runs may follow."""

    room: int = ROOM
    lasts: bool = False
    spared: bool = False
    """Whether the present run has got something that an earlier one made."""
    _things: dict[Hashable, _Kept] = field(default_factory=dict)
    _run: int = 0

    @property
    def for_large(self) -> "Shelf":
        """Where to keep what a run needs only for a while, and that takes so much memory that it is kept for later runs
        alone."""
        return self if self.lasts else NOWHERE

    def begin(self) -> None:
        """Another run begins; what it will ask for is most likely what the last one did."""
        self._make_room(self.room)
        self._run += 1
        self.spared = False

    def get(self, make: Callable[Given, Thing], *given: Given.args, **named: Given.kwargs) -> Thing:
        """What `make(*given)` gives, which may have been made before, of the same."""
        key = make.__module__, make.__qualname__, identity([*given, *named.items()]), torch.get_num_threads()
        kept = self._things.pop(key, None)
        if kept is None:
            kept = _Kept(make(*given, **named), self._run)
        self.spared |= kept.run < self._run
        kept.run = self._run
        self._things[key] = kept  # behind all others
        thing: Thing = kept.thing
        return thing

    def clear(self) -> bool:
        """Drop what the present run has not asked for; gives whether there was anything."""
        return self._make_room(0)

    def _make_room(self, room: int) -> bool:
        """Drop the things that were not used for longest, until the spare ones take no more than this."""
        spare = {key: _bytes(kept.thing, set()) for key, kept in self._things.items() if kept.run < self._run}
        taken, before = sum(spare.values()), len(self._things)
        for key, size in spare.items():
            if taken > room:
                taken -= size
                del self._things[key]
        return len(self._things) < before


@cache
def shelf_of_process() -> Shelf:
    """What this process keeps, for runs that follow each other in it."""
    return Shelf(lasts=True)


class _Nowhere(Shelf):
    def get(self, make: Callable[Given, Thing], *given: Given.args, **named: Given.kwargs) -> Thing:
        """Make it anew."""
        return make(*given, **named)


NOWHERE = _Nowhere()
"""For nodes that are called without a runner: it keeps nothing."""


def identity(value: Any) -> Hashable:
    """What tells a value from others: files by their path, size and date, as they may be written anew."""
    if isinstance(value, Path):
        state = value.stat()
        return str(value), state.st_size, state.st_mtime_ns
    if isinstance(value, list | tuple):
        return tuple(identity(one) for one in value)
    if isinstance(value, Mapping):
        return tuple((key, identity(one)) for key, one in value.items())
    own: Hashable = getattr(value, "identity", value)
    return own


def _bytes(thing: Any, seen: set[int]) -> int:
    """How much the tensors of a thing take."""
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    if isinstance(thing, Tensor):
        return thing.numel() * thing.element_size()
    if isinstance(thing, nn.Module):
        return sum(_bytes(one, seen) for one in (*thing.parameters(), *thing.buffers()))
    if isinstance(thing, Mapping):
        return sum(_bytes(one, seen) for one in thing.values())
    if isinstance(thing, list | tuple):
        return sum(_bytes(one, seen) for one in thing)
    return _bytes(vars(thing), seen) if hasattr(thing, "__dict__") and not isinstance(thing, type) else 0
