"""Steps that the device repeats by itself: taken twice as they come, then recorded, then replayed.

From Python a step is a thousand kernels, launched one by one, and a GPU is done with one before the next is on its way.
Recorded, they are a few CUDA graphs. A replay does what was recorded, on the same memory: so all that changes from step
to step is fed to it (`feed.py`); where something changes that can't be, recording begins anew. A region in which nodes
ask the device for values can't be recorded: it is computed node by node, as on a CPU.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from enum import Enum, auto
from functools import partial
from typing import Any, Literal, Protocol

import torch

from t2iflow.nodes.core.ambient import Notes, Share, Tick
from t2iflow.pipelines.graph.graph import Node
from t2iflow.runner.execution import device
from t2iflow.runner.execution.compiled import compiled
from t2iflow.runner.execution.feed import Feed, form, outline
from t2iflow.runner.execution.link import Arguments, Link, NodeError, now

RESTLESS = 8
"""After this many steps in a row, each of another form, the user is warned."""

Recording = Literal["off", "on", "compiled"]
"""Whether steps are recorded, where the device can do that, and whether their nodes are compiled before."""


class Phase(Enum):
    """What a step is for, besides its result."""

    FIRST = auto()  # makes what lasts, such as constants
    COMPILING = auto()  # compiles the nodes, where that is wanted
    WATCHED = auto()  # raises where something can't be recorded
    REPLAYED = auto()  # is recorded if it wasn't yet


class Recorder(Protocol):
    """What records the work of a device."""

    compiles: bool
    """Whether nodes are to be compiled before they are recorded."""

    def watching(self) -> AbstractContextManager[None]:
        """Within it, what can't be recorded raises."""

    def record(self, act: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
        """Let the device do it, once; gives what it returned, and what repeats it."""


class Graphs:
    """Records CUDA graphs, which share their memory."""

    def __init__(self, compiles: bool = False) -> None:
        self.compiles = compiles
        self._pool = torch.cuda.graph_pool_handle()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Within it, what waits for the device raises."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it doesn't find everything
            torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")

    def record(self, act: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
        """Record it, on the stream that all else is computed on, and replay it."""
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        try:
            # Other threads, such as those that code films, may do anything meanwhile.
            with torch.cuda.graph(graph, pool=self._pool, stream=stream, capture_error_mode="thread_local"):
                made = act()
        except Exception:
            self._abandon()
            raise
        graph.replay()
        return made, graph.replay

    def _abandon(self) -> None:
        """Let the allocator know that a recording has failed; torch doesn't, where CUDA has ended it."""
        with suppress(RuntimeError, AttributeError):  # it did
            where = torch.cuda.current_device()
            torch._C._cuda_endAllocateToPool(where, self._pool)
            torch._C._cuda_releasePool(where, self._pool)


def recorder(where: torch.device, recording: Recording) -> Callable[[], Recorder] | None:
    """What makes a recorder for a device, if there is one and it is wanted."""
    return partial(Graphs, recording == "compiled") if where.type == "cuda" and recording != "off" else None


class Capture:
    """The parts of a region's steps, each done when it is asked for; from the third step on they are replayed."""

    def __init__(self, recorder: Recorder, values: list[Any], where: torch.device, notes: Notes) -> None:
        self.on = True
        """Whether anything is still recorded and replayed; what parts give is then written over in the next step."""
        self._recorder, self._values, self._device, self._notes = recorder, values, where, notes
        self._compiles = recorder.compiles
        self._compiled: list[Link] = []
        self._key: list[Any] | None = None
        self._restless = 0
        self._begin(None)

    def prepare(self, calls: Sequence[tuple[Link, Share]], ahead: Sequence[int], tick: Tick) -> Arguments:
        """Make everything ready for a step of these calls, which finds the slots `ahead` filled; gives what the calls
        are given."""
        why = hindrance(link.node for link, _ in calls)
        if why:
            self._stop(why)
            return now(tick)
        changing = {(link.node.name, share.number): link.changing(tick, share) for link, share in calls}
        key = [form(changing), outline([self._values[slot] for slot in ahead])]
        if key != self._key:
            self._watch_for_change(key)
            self._begin(key)
        self._phase = next(self._phases, Phase.REPLAYED)
        if self._phase is Phase.COMPILING:
            self._compile(link for link, _ in calls)
        for slot in ahead:
            self._values[slot] = self._feed.keep(slot, self._values[slot])
        self._feed.renew(changing)
        return self._feed

    def part(self, name: str, act: Callable[[], Any], instead: Callable[[], Any]) -> Any:
        """Do part of a step; if it can't be recorded, do `instead`, now and from then on. If the two are the same, it
        can't be done twice, and only recording shows whether it can be recorded."""
        early = self._phase is not Phase.REPLAYED
        if not self.on or self._phase is Phase.FIRST or (early and act == instead):
            return act()
        try:
            return self._do(name, act)
        except Exception as fault:
            if early and isinstance(fault, torch.OutOfMemoryError):
                raise
            if self._phase is Phase.COMPILING:
                self._leave_plain(_reason(fault))
            else:
                self._stop(_reason(fault))
        with suppress(RuntimeError):
            device.release(self._device)  # now that nothing holds what failed
        return instead()

    def _do(self, name: str, act: Callable[[], Any]) -> Any:
        if self._phase is Phase.COMPILING:
            return act()
        if self._phase is Phase.WATCHED:
            with self._recorder.watching():
                return act()
        if name in self._parts:
            self._parts[name][1]()
        else:
            self._parts[name] = self._recorder.record(act)
        return self._parts[name][0]

    def _watch_for_change(self, key: list[Any]) -> None:
        """Warn once, naming the nodes, if no form of a step lasts long enough to be recorded."""
        before, self._restless = self._key, 0 if self._parts else self._restless + 1
        if self._restless == RESTLESS and before is not None:
            names = dict.fromkeys(call[0] for call, given in key[0].items() if before[0].get(call) != given)
            which = " and ".join(f"`{name}`" for name in names) or "what is computed before a step"
            self._notes.warn(
                f"its steps could not be recorded so far, which would be faster: {which} changes in every step"
            )

    def _begin(self, key: list[Any] | None) -> None:
        """Drop whatever was recorded."""
        self._key = key
        self._phase = Phase.FIRST
        self._phases: Iterator[Phase] = (phase for phase in Phase if phase is not Phase.COMPILING or self._compiles)
        self._plain()
        self._parts: dict[str, tuple[Any, Callable[[], None]]] = {}
        self._feed = Feed(self._device)

    def _compile(self, links: Iterable[Link]) -> None:
        """Let each node be compiled when it is called next."""
        self._compiled = list(dict.fromkeys(links))
        for link in self._compiled:
            link.instead = compiled(link.live.__call__ if link.node.spec.is_class else link.live)

    def _plain(self) -> None:
        """Let nodes be called as they are."""
        for link in self._compiled:
            link.instead = None

    def _leave_plain(self, why: str) -> None:
        """Stop compiling, and say why."""
        self._compiles = False
        self._plain()
        first = " ".join(why.partition("\n\n")[0].split())
        self._notes.warn(f"its nodes can't be compiled, so its steps are recorded uncompiled: {first}")

    def _stop(self, why: str) -> None:
        """Stop recording, and say why."""
        self.on = False
        self._begin(None)
        self._notes.warn(f"its steps can't be recorded and replayed, which would be faster: {why}")


def hindrance(nodes: Iterable[Node]) -> str:
    """Which of the nodes of a step keeps it from being recorded, as far as that is known beforehand; empty for none."""
    timed = next((node for node in nodes if Tick in node.spec.ambient.values()), None)
    return f"`{timed.name}` ({timed.spec.name}) reads the clock" if timed else ""


def _reason(fault: BaseException) -> str:
    if isinstance(fault.__context__, NodeError):  # which a recording that it ended has hidden
        return _reason(fault.__context__)
    if isinstance(fault, torch.OutOfMemoryError):
        return "there is too little memory"
    return (
        f"`{fault.node.name}` ({fault.node.spec.name}): {fault.cause}" if isinstance(fault, NodeError) else str(fault)
    )
