"""A Ray cluster on loopback addresses, in a network namespace of its own, in which nothing else can reach it."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PATIENCE, TRIES = 60.0, 3
"""Seconds that a cluster may take to start, and how often that is tried."""


def lacking() -> str:
    """Why there can be no cluster here, or nothing."""
    if find_spec("ray") is None:
        return "Ray is not installed"
    if not (shutil.which("unshare") and shutil.which("nsenter") and shutil.which("ip")):
        return "there is no unshare, nsenter or ip"
    alone = subprocess.run(["unshare", "--net", "ip", "link", "set", "lo", "up"], capture_output=True, check=False)
    return "only root can make a network namespace" if alone.returncode else ""


@dataclass
class Network:
    """A network namespace, and in it a cluster of some nodes, if any."""

    place: Path
    holder: "subprocess.Popen[bytes]"
    address: str = ""

    def inside(self, command: Sequence[str]) -> list[str]:
        """A command so that it is given in it."""
        return ["nsenter", "--net", "--target", str(self.holder.pid), *command]

    def start(self, command: Sequence[str]) -> "subprocess.Popen[str]":
        """Start a command in it, whose output and errors are read as one text."""
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(self.inside(command), env=environment(self.place), start_new_session=True, **pipes)

    def cells(self) -> list[int]:
        """The processes that make cells now."""
        return [number for number, said in processes(self.place) if said.startswith("ray::t2iflow ")]

    def raylets(self) -> list[int]:
        """The processes that are nodes of a cluster, in the order of their addresses: a driver uses the first."""
        found = [(said, number) for number, said in processes(self.place) if "/raylet/raylet " in said]
        return [number for _, number in sorted(found, key=lambda one: re.findall(r"--node_ip_address=(\S+)", one[0]))]


def processes(place: Path) -> Iterator[tuple[int, str]]:
    """The processes whose environment names this place, with their command lines."""
    for path in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if path.name.isdigit() and f"RAY_TMPDIR={place}".encode() in (path / "environ").read_bytes().split(b"\0"):
                yield int(path.name), (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")


@contextmanager
def network(nodes: int = 0) -> Iterator[Network]:
    """A network namespace with a cluster of so many nodes, of a core each; whatever ran in it is gone at the end."""
    for _ in range(TRIES):
        made = _begun(nodes)
        if made:
            break
    else:
        raise TimeoutError(f"Ray did not start in {TRIES} times {PATIENCE} seconds")
    try:
        yield made
    finally:
        _end(made.place, made.holder)


def _begun(nodes: int) -> Network | None:
    """Start it; nothing if that takes too long: Ray's first process sometimes answers nobody."""
    place = Path(tempfile.mkdtemp(prefix="t2iflow-"))  # short, as sockets have paths of a hundred letters at most
    command = ["unshare", "--net", sys.executable, "-m", "tests.cluster", str(nodes)]
    with (place / "said").open("w+", encoding="utf-8") as said:
        holder = subprocess.Popen(command, env=environment(place), cwd=ROOT, stdout=said, stderr=subprocess.DEVNULL)
        since = time.monotonic()
        while holder.poll() is None and time.monotonic() - since < PATIENCE:
            said.seek(0)
            if line := next((line for line in said if line.startswith("{")), ""):
                return Network(place, holder, **json.loads(line))
            time.sleep(0.1)
    _end(place, holder)
    return None


def _end(place: Path, holder: "subprocess.Popen[bytes]") -> None:
    """End all processes of a namespace."""
    for number, _ in processes(place):
        with contextlib.suppress(OSError):
            os.kill(number, signal.SIGKILL)
    holder.wait()
    shutil.rmtree(place, ignore_errors=True)


def environment(place: Path) -> dict[str, str]:
    """What Ray keeps, it keeps in a place of its own."""
    own = {"HOME": str(place), "RAY_TMPDIR": str(place), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return {**os.environ, **own}


def main(nodes: int) -> None:
    """Start a cluster, and say where it is, until somebody ends this."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    told: dict[str, object] = {}
    if nodes:
        from ray.cluster_utils import Cluster

        own = {"include_dashboard": False, "object_store_memory": 80_000_000, "num_cpus": 1}
        cluster = Cluster(initialize_head=True, head_node_args={"node_ip_address": "127.0.0.1", **own})
        for number in range(1, nodes):
            cluster.add_node(node_ip_address=f"127.0.0.{number + 1}", **own)
        told = {"address": cluster.address}
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    signal.pause()


if __name__ == "__main__":
    main(int(sys.argv[1]))
