"""Sweeps on a Ray cluster: of two nodes, on loopback addresses in a network namespace of its own."""

import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from t2iflow.pipelines.text.recipe import read
from t2iflow.runner.exits import OK
from t2iflow.runner.sweep import sweeping, work
from t2iflow.runner.sweep.folder import SweepFolder
from t2iflow.runner.sweep.slot import How
from t2iflow.runner.sweep.varied import Varied
from tests.cluster import Network, lacking, network
from tests.runner.conftest import Command, swept

RECIPE = swept(steps=400, seeds="0..2")
PATIENCE, TRIES = 100.0, 3
"""Seconds that a command may take on a machine that has much else to do, and how often it is given: Ray's processes
sometimes wait for each other without end when they begin."""

needs_cluster = pytest.mark.skipif(bool(lacking()), reason=lacking())


@pytest.fixture(scope="module")
def net() -> Iterator[Network]:
    with network(2) as made:
        yield made


def begun(place: Path) -> SweepFolder:
    """A sweep of which no cell has been made."""
    place.mkdir(exist_ok=True)
    (place / "mine.yaml").write_text(RECIPE, "utf-8")
    recipe = read(str(place / "mine.yaml"))
    return sweeping.begin(Varied(recipe, recipe.sweep), place / "sweeps", How("cpu", jobs=2))


def go_on(net: Network, sweep: SweepFolder, meanwhile: Callable[[int], bool] = lambda driver: True) -> tuple[int, str]:
    """Go on with a sweep from the cluster's first node: the exit code and all that is printed. `meanwhile` is called
    with the driver's process until it says that it has done what it had to. It is given again only while no step has
    been taken."""
    command = [sys.executable, "-m", "t2iflow.runner", "sweep", str(sweep.at), "--on", f"ray={net.address}"]
    before = stepped(sweep)
    for _ in range(TRIES):
        with net.start(command) as driver:
            since, done = time.monotonic(), False
            while driver.poll() is None and time.monotonic() - since < PATIENCE:
                done = done or meanwhile(driver.pid)
                time.sleep(0.02)
            if driver.poll() is not None:
                return driver.returncode, driver.communicate()[0]
            driver.kill()
        assert stepped(sweep) == before, f"{PATIENCE} seconds did not suffice"
    raise TimeoutError(f"{TRIES} times {PATIENCE} seconds did not suffice")


def stepped(sweep: SweepFolder) -> int:
    """How many steps are logged, of all cells."""
    return sum(log.read_text("utf-8").count('"stepped"') for log in sweep.runs.glob("*/events.jsonl"))


def pictures(sweep: SweepFolder) -> dict[str, bytes]:
    """The pictures of all cells."""
    return {path.parent.name: path.read_bytes() for path in sweep.runs.glob("*/picture.png")}


def ends(sweep: SweepFolder) -> dict[str, list[str]]:
    """How each cell ended, and ended before."""
    logs = {log.parent.name: log.read_text("utf-8").splitlines() for log in sweep.runs.glob("*/events.jsonl")}
    return {name: [json.loads(line)["how"] for line in log if '"type": "ended"' in line] for name, log in logs.items()}


@needs_cluster
def test_a_sweep_on_two_nodes_is_stopped_and_goes_on_though_a_process_is_killed_with_the_same_bytes(
    net: Network, tmp_path: Path
) -> None:
    sweep = begun(tmp_path)

    def interrupt(driver: int) -> bool:
        if begins := stepped(sweep) > 0:
            os.kill(driver, signal.SIGINT)
        return begins

    killed: list[int] = []

    def kill(driver: int) -> bool:
        if cells := net.cells():
            os.kill(cells[0], signal.SIGKILL)
            killed.append(cells[0])
        return bool(cells)

    code, said = go_on(net, sweep, interrupt)
    assert code == 130, said
    assert list(sweep.runs.glob("*/checkpoint.pt"))
    code, said = go_on(net, sweep, kill)
    assert code == 0, said
    assert killed
    assert [how.count("finished") for how in ends(sweep).values()] == [1, 1, 1]
    plain = begun(tmp_path / "plain")
    assert all(work.make(plain.at, cell.name, "cpu").code == OK for cell in plain.cells)
    assert pictures(sweep) == pictures(plain)


@needs_cluster
def test_other_versions_than_those_that_a_sweep_began_with_are_refused(net: Network, tmp_path: Path) -> None:
    sweep = begun(tmp_path)
    listed = sweep.at / "sweep.yaml"
    listed.write_text(re.sub(r"(?<= )torch: \S+", 'torch: "1.0.0",', listed.read_text("utf-8"), count=1), "utf-8")
    code, said = go_on(net, sweep)
    assert code == 2, said
    assert "127.0.0.2: other versions make different pictures; the sweep was started with torch 1.0.0 (" in said


@pytest.mark.parametrize("on", ["ray=", "ray=head", "ray=ray://head:10001", "ray=:6379", "slurm"])
def test_what_is_no_address_of_a_cluster_is_refused(command: Command, on: str) -> None:
    told = command("sweep", RECIPE, "--on", on)
    assert told.code == 2
    assert f"`--on {on}`" in told.err


@pytest.mark.parametrize("port", ["9", "99999"])
def test_where_no_cluster_answers_the_command_says_so_at_once(command: Command, tmp_path: Path, port: str) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    told = command("sweep", RECIPE, "--on", f"ray=127.0.0.1:{port}")
    assert told.code == 2
    assert f"can't join the Ray cluster at 127.0.0.1:{port}: " in told.err
    assert not list(tmp_path.glob("sweeps/*"))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            ConnectionError("Failed to connect"),
            ": Failed to connect; if it has a token, set RAY_AUTH_MODE=token here too; to resume:\n",
        ),
        (
            RuntimeError("It has:\n  Ray: 2.60\nand here:\n  Ray: 2.55"),
            ": It has: Ray: 2.60 and here: Ray: 2.55; to resume",
        ),
    ],
)
def test_where_a_cluster_can_not_be_joined_the_command_says_why_and_how_to_go_on(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception, words: str
) -> None:
    ray = pytest.importorskip("ray", reason="Ray is not installed")

    def refuse(**_: object) -> None:
        raise fault

    monkeypatch.setattr(ray, "init", refuse)
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    told = command("sweep", RECIPE, "--on", "ray=auto")
    assert told.code == 2
    assert words in told.err
    (made,) = tmp_path.glob("sweeps/*")
    assert told.err.endswith(f"t2iflow sweep sweeps/{made.name}\n")


def test_without_ray_the_command_says_what_to_install(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    told = command("sweep", RECIPE, "--on", "ray")
    assert told.code == 2
    assert "pip install 't2iflow[ray]'" in told.err
