"""Joining a Ray cluster, or starting one; which is refused, where it can't be, before torch is imported."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType

from t2iflow.runner.exits import NoDeviceError

LOCAL, RUNNING = "local", "auto"
"""Addresses of a cluster that is started for the sweep, and of the one that this machine belongs to."""
MEMORY = 100_000_000
"""Bytes of shared memory that a local cluster takes: no more than names and words go through it."""
PATIENCE = 10.0
"""Seconds that a cluster may take to answer at all."""


class ClusterError(NoDeviceError):
    """A cluster can't be used for a sweep."""


def address(said: str) -> str:
    """The address of a cluster, as `--on ray` or `--on ray=HOST:PORT` says it; ClusterError where it is none."""
    kind, equals, where = said.partition("=")
    host, _, port = where.rpartition(":")
    if kind != "ray":
        raise ClusterError(f"`--on {said}`: cells run on this machine, or on `ray` or `ray=HOST:PORT`")
    if not equals:
        return LOCAL
    if "://" in where:
        raise ClusterError(
            f"`--on {said}`: on a machine of the cluster, write `--on ray=HOST:6379`; a `ray://` address is that of a"
            " client, whose runs end with its connection"
        )
    if where != RUNNING and not (host and port.isdecimal()):
        raise ClusterError(
            f"`--on {said}`: `{where}` is not an address; write `ray=HOST:PORT` (Ray's own port is 6379), `ray=auto`"
            " for the cluster that this machine belongs to, or `ray` to start one here"
        )
    return where


def check(said: str) -> None:
    """ClusterError where this names no cluster, or Ray is missing."""
    address(said)
    package()


def package() -> ModuleType:
    """Ray; ClusterError where it is missing."""
    try:
        import ray
    except ImportError as fault:
        raise ClusterError(f"Ray is not installed ({fault}): `pip install 't2iflow[ray]'`") from None
    found: ModuleType = ray
    return found


def join(ray: ModuleType, where: str) -> None:
    """Join the cluster at an address, or start one; never whichever happens to run."""
    if where == RUNNING and "://" in os.environ.get("RAY_ADDRESS", ""):
        raise ClusterError("RAY_ADDRESS is that of a client (`ray://`); write `--on ray=HOST:6379`")
    knock(where)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    started = {"include_dashboard": False, "object_store_memory": MEMORY, "_node_ip_address": "127.0.0.1"}
    try:
        with _signals_kept():
            ray.init(
                address=where,
                namespace="t2iflow",
                log_to_driver=False,
                logging_level=logging.ERROR,
                **(started if where == LOCAL else {}),
            )
        _hush(ray)
    except Exception as fault:  # of a dozen types
        what = "Ray can't be started" if where == LOCAL else f"can't join the Ray cluster at {where}"
        is_tokenless = isinstance(fault, ConnectionError) and "RAY_AUTH_MODE" not in os.environ
        hint = "; if it has a token, set RAY_AUTH_MODE=token here too" if is_tokenless else ""
        raise ClusterError(f"{what}: {words(fault)}{hint}") from fault


def knock(where: str) -> None:
    """ClusterError where nobody listens at an address; Ray itself would try for minutes."""
    if where in (LOCAL, RUNNING):
        return
    host, _, port = where.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
    except (OSError, OverflowError) as fault:
        raise ClusterError(
            f"can't join the Ray cluster at {where}: {getattr(fault, 'strerror', None) or fault}"
        ) from None


def _hush(ray: ModuleType) -> None:
    """Ray prints which of its processes died on standard output, whatever is asked of it; the sweep says so itself."""
    with suppress(AttributeError):
        ray._private.worker.print_to_stdstream = lambda *_, **__: None


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself when it begins, in the main thread."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def words(fault: BaseException) -> str:
    """What an error of Ray's says first, without its colours and the addresses of objects."""
    cause = getattr(fault, "cause", None) or fault
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    if lines and lines[0].endswith(":"):  # of a list, such as the versions here and there
        return " ".join(lines)
    return lines[0] if lines else type(cause).__name__
