"""Ray: the cells of a sweep as tasks of a cluster, or of one that this machine starts for them."""

import time
from collections.abc import Mapping
from typing import Any

from t2iflow.nodes.weights.connection import waiting
from t2iflow.runner.execution import device
from t2iflow.runner.exits import FAILED, INTERRUPTED, NoDeviceError
from t2iflow.runner.folder.places import RUNS
from t2iflow.runner.sweep import task
from t2iflow.runner.sweep.folder import SweepFolder
from t2iflow.runner.sweep.joining import ClusterError, address, join, package, words
from t2iflow.runner.sweep.slot import How
from t2iflow.runner.sweep.storage import stored
from t2iflow.runner.sweep.weights import named
from t2iflow.runner.sweep.work import BUSY, DIED, Made

LOOK_EVERY = 5.0
"""Seconds between looks at how large the cluster is."""


class Cluster:
    """Makes the cells of a sweep as tasks of a Ray cluster.

    Ray itself never tries a task again: the driver counts how often a cell's process died, wherever that was.
    """

    def __init__(self, sweep: SweepFolder, how: How) -> None:
        self._sweep, self._how, self._where = sweep, how, address(how.on)
        self._running: dict[Any, str] = {}
        self._packages = dict(sweep.packages or {})

    def __enter__(self) -> "Cluster":
        """Join the cluster, and check that its nodes can make cells; ClusterError or NoDeviceError if not."""
        self._ray = package()
        join(self._ray, self._where)
        try:
            self._device = _device(self._how.device, any(_amount(node, "GPU") for node in self._ray.nodes()))
            self._look()
            with waiting():
                self._check_nodes()
            self._task = self._ray.remote(max_calls=self._calls, max_retries=0, retry_exceptions=False)(task.make)
        except BaseException:
            self._ray.shutdown()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the cluster; what still runs there is ended, and one that was started for the sweep as well."""
        self._ray.shutdown()

    @property
    def room(self) -> int:
        """How many more cells can be taken on now."""
        if time.monotonic() - self._looked > LOOK_EVERY:
            self._look()
        places = sum(self._places.values())
        return min(places, self._how.jobs or places) - len(self._running)

    def take(self, cell: str) -> None:
        """Begin a cell."""
        begun = self._task.options(name=f"t2iflow {cell}", scheduling_strategy="SPREAD", **self._share)
        self._running[begun.remote(self._place, cell, self._device, self._how.save_every, self._packages)] = cell

    def wait(self, seconds: float) -> list[Made]:
        """What came of cells meanwhile; at once if there is something, else after some seconds at most."""
        if not self._running:
            time.sleep(seconds)
            return []
        first, rest = self._ray.wait(list(self._running), num_returns=1, timeout=seconds)
        more, _ = self._ray.wait(rest, num_returns=len(rest), timeout=0) if first and rest else ([], [])
        return [self._made(one) for one in (*first, *more)]

    def stop(self) -> None:
        """Let all runs stop with a checkpoint."""
        for one in self._running:
            self._ray.cancel(one)

    def _made(self, one: Any) -> Made:
        cell, errors = self._running.pop(one), self._ray.exceptions
        try:
            made: Made = self._ray.get(one)
            if made.code not in (BUSY, DIED) and (storage := stored(self._sweep.at)):
                storage.fetch(f"{RUNS}/{cell}")
            return made
        except errors.TaskCancelledError:
            return Made(cell, INTERRUPTED)
        except errors.RayTaskError as fault:  # nothing that a cell may raise, but an installation that is broken
            return Made(cell, FAILED, words(fault))
        except errors.LocalRayletDiedError:
            raise ClusterError("this machine's node of the Ray cluster has ended; start it again") from None
        except errors.RayError as fault:
            return Made(cell, DIED, words(fault))

    def _look(self) -> None:
        """See what nodes there are, and how many cells each can make at once."""
        self._looked = time.monotonic()
        self._nodes = {node["NodeID"]: node for node in self._ray.nodes() if node["Alive"]}
        self._places = {name: self._fitting(node) for name, node in self._nodes.items()}

    def _fitting(self, node: Mapping[str, Any]) -> int:
        if self._device == "cuda":
            return int(_amount(node, "GPU") * self._how.per_gpu)
        return int(_amount(node, "CPU") / self._sweep.threads)

    @property
    def _place(self) -> str:
        """Where the sweep is, as nodes find it."""
        storage = stored(self._sweep.at)
        return storage.address if storage else str(self._sweep.at.resolve())

    @property
    def _share(self) -> dict[str, float]:
        """What of a node each cell takes; without `num_gpus`, Ray would leave it all GPUs."""
        if self._device == "cuda":
            return {"num_gpus": 1 / self._how.per_gpu, "num_cpus": 1}
        return {"num_gpus": 0, "num_cpus": self._sweep.threads}

    @property
    def _calls(self) -> int:
        """How many cells a process makes: on a GPU one, as Ray gives the GPU of an idle process, which still has its
        memory, to another; else any number (0), so that what they share stays loaded."""
        return 1 if self._device == "cuda" else 0

    def _check_nodes(self) -> None:
        """Let each node fetch the weights; ClusterError, with all that is wrong, where a node can't make cells."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        if not any(self._places.values()):
            needed = "a GPU" if self._device == "cuda" else f"{self._sweep.threads} CPUs, a thread of each run on each"
            raise ClusterError(f"no node of the cluster has {needed}")
        check, names = self._ray.remote(max_retries=2, num_cpus=0)(task.prepare), named(self._sweep)
        checks = {
            node: check.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(
                self._place, self._packages, names
            )
            for node, places in self._places.items()
            if places
        }
        wrong = [f"{self._called(node)}: {why}" for node, one in checks.items() if (why := self._answer(one))]
        if wrong:
            raise ClusterError("\n".join(["these nodes can't make cells of this sweep:", *wrong]))

    def _answer(self, check: Any) -> str:
        errors = self._ray.exceptions
        try:
            return str(self._ray.get(check))
        except errors.RayTaskError as fault:
            return words(fault)
        except errors.RayError:  # the node is gone, and others may come
            return ""

    def _called(self, node: str) -> str:
        return str(self._nodes[node]["NodeManagerAddress"])


def _amount(node: Mapping[str, Any], resource: str) -> float:
    """How much of a resource a node has, if it is alive."""
    return float(node["Resources"].get(resource, 0.0)) if node["Alive"] else 0.0


def _device(wanted: str, gpus: bool) -> str:
    """What each run computes on: as its process sees no other GPU than its own, `cuda` alone."""
    wanted = device.resolved(wanted)
    kind, numbered, _ = wanted.partition(":")
    if numbered:
        raise NoDeviceError(f"`{wanted}`: on a cluster each run has a GPU of its own; write `{kind}`")
    if kind == "cuda" and not gpus:
        raise NoDeviceError("no node of the cluster has a GPU")
    return ("cuda" if gpus else "cpu") if kind in ("auto", "cuda") else wanted
