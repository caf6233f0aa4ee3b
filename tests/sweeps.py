"""Sweeps whose processes are killed at random moments, gone on with, and compared with one that nothing stopped.

    python -m tests.sweeps 20                  # so many trials, and what came of them
    python -m tests.sweeps 20 --on ray         # the same on a Ray cluster that each command starts
    python -m tests.sweeps 20 --on two         # and on a cluster of two nodes, one of which may be killed
    python -m tests.sweeps --trial 7           # one of them again

A trial kills, with SIGKILL, the driver, one of its workers, a node, or the node that the driver itself uses, some
seconds after it began; or two drivers share the folder, and one of the two is killed. Then the same command is given
again, until it says that all is done. Each trial prints a line, with what came of all so far.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

from tests.cluster import Network, environment, lacking, network
from tests.kills import OWN, Tally, compared, left

RECIPE = """
t2iflow: 1
params: {steps: 30}
nodes:
  photo:  {use: images.noise, size: [64, 48], kind: fractal}
  canvas: {use: canvas.fourier, size: [64, 48]}
  same:   {use: losses.reference, image: $canvas, reference: $photo}
  fit:    {use: optimizers.adam, image: $canvas, loss: $same, rate: {0: 0.1, 100%: 0.02}, steps: $steps}
  again:  {use: canvas.pixels, size: [24, 16], init: $fit}
  near:   {use: losses.reference, image: $again, reference: $photo}
  refit:  {use: optimizers.adamw, image: $again, loss: $near, steps: 20}
  strip:  {use: output.strip, image: $canvas, every: 10}
  still:  {use: output.image, image: $refit}
sweep:
  each: {seed: 0..3, fit.rate: [0.05, 0.1], steps: [30, 60]}
"""
PATIENCE = 600.0
"""Seconds that a command may take."""
PLACES: dict[str, int | None] = {"pool": None, "ray": 0, "two": 2}
"""Where the cells are made, and how many nodes the cluster has; with none, each command starts its own."""
OWN_NODE = "own nodes killed"
LOST = "this machine's node of the Ray cluster has ended"
"""What is counted where a driver's own node is killed, and how its command may then end."""


class Driver:
    """The command in a process of its own."""

    def __init__(self, place: Path, what: str, net: Network | None) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._net = net
        where = ["--on", f"ray={net.address}" if net.address else "ray"] if net else ["--jobs", "2"]
        options = ["--checkpoint", "0", "--device", "cpu", *where]
        command = [sys.executable, "-m", "t2iflow.runner", "sweep", what, *options]
        self.process = subprocess.Popen(
            net.inside(command) if net else command,
            cwd=place,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            env=environment(net.place) if net else {**os.environ, "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )

    def workers(self) -> list[int]:
        """The processes that make cells."""
        if self._net:
            return self._net.cells()
        try:
            text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text("ascii")
        except OSError:
            return []
        return [int(number) for number in text.split()]

    def end(self) -> tuple[int, str]:
        """How it ended, and what it said; one that hangs is killed."""
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._errors.seek(0)
        return code, self._errors.read().decode("utf-8", "replace")


def folder(place: Path) -> Path | None:
    """The sweep's folder, once it is made."""
    return next(
        (path.parent for path in place.glob("sweeps/*/sweep.yaml") if not path.parent.name.startswith(".")), None
    )


def files(sweep: Path) -> dict[str, bytes]:
    """What the cells left that only their recipes decide."""
    return {name: content for name, content in left(sweep / "runs").items() if Path(name).name not in OWN}


def ends(sweep: Path) -> Iterator[tuple[str, int]]:
    """How often each cell came to its end."""
    for log in sorted(sweep.glob("runs/*/events.jsonl")):
        told = [json.loads(line) for line in log.read_text("utf-8").splitlines() if line.endswith("}")]
        yield log.parent.name, sum(event.get("how") == "finished" for event in told)


def unbroken() -> tuple[dict[str, bytes], float]:
    """The files of a sweep that nothing stops, and how many seconds it takes."""
    with tempfile.TemporaryDirectory(prefix="t2iflow-sweeps-") as place:
        start = time.monotonic()
        (Path(place) / "mine.yaml").write_text(RECIPE, "utf-8")
        code, said = Driver(Path(place), "mine.yaml", None).end()
        sweep = folder(Path(place))
        if code or sweep is None:
            raise RuntimeError(f"the sweep can't be run at all: {said}")
        return files(sweep), time.monotonic() - start


def trial(
    whole: dict[str, bytes], seconds: float, chance: random.Random, tally: Tally, nodes: int | None
) -> str | None:
    """Kill up to three times, then let it end; what is wrong, if anything. Without `nodes`, there is no cluster."""
    with (
        tempfile.TemporaryDirectory(prefix="t2iflow-sweeps-") as path,
        nullcontext() if nodes is None else network(nodes) as net,
    ):
        place = Path(path)
        (place / "mine.yaml").write_text(RECIPE, "utf-8")
        for _ in range(chance.choice([1, 1, 2, 3])):
            if wrong := _killed(place, seconds, chance, tally, net):
                return wrong
        code, said = _command(place, net).end()
        if code == -signal.SIGKILL:
            tally.counts["hung"] += 1
            code, said = _command(place, net).end()
        sweep = folder(place)
        if code or sweep is None:
            return f"the last command ended with {code}: {said}"
        if often := [f"{name} {count} times" for name, count in ends(sweep) if count != 1]:
            return f"these came to their end: {', '.join(often)}"
        return compared(files(sweep), whole, tally)


def _command(place: Path, net: Network | None) -> Driver:
    sweep = folder(place)
    return Driver(place, "mine.yaml" if sweep is None else str(sweep.relative_to(place)), net)


def _killed(place: Path, seconds: float, chance: random.Random, tally: Tally, net: Network | None) -> str | None:
    """Start the command, with some luck a second one beside it, and kill something."""
    drivers = [_command(place, net)]
    if folder(place) and chance.random() < 0.3:
        drivers.append(_command(place, net))
        tally.counts["two drivers"] += 1
    if net:
        _await_cells(drivers[0])
    time.sleep(chance.uniform(0, (0.5 if net else 1.1) * seconds))  # a cluster has begun, as the commands then have not
    killed = _kill(drivers[0], chance, net)
    tally.counts.update(killed)
    ended = [driver.end() for driver in drivers]
    lost = LOST if OWN_NODE in killed else None
    wrong = next(((code, said) for code, said in ended if not _is_well(code, said, lost)), None)
    return f"a command ended with {wrong[0]}: {wrong[1]}" if wrong else None


def _is_well(code: int, said: str, lost: str | None) -> bool:
    """Whether a command ended as it may: at its end, killed, or with its own node."""
    return code in (0, -signal.SIGKILL) or (code == 2 and lost is not None and lost in said)


def _kill(driver: Driver, chance: random.Random, net: Network | None) -> list[str]:
    """Kill a node, the driver, or some of its workers, if there are any; gives what was killed."""
    nodes = net.raylets() if net else []
    if net and nodes and chance.random() < 0.5:
        if not net.address or (len(nodes) > 1 and chance.random() < 0.5):  # whoever joins a cluster needs a node here
            return _ended(nodes[:1], OWN_NODE)
        return _ended(nodes[1:2], "nodes killed")
    if chance.random() < 0.5:
        return _ended([driver.process.pid], "drivers killed")
    return _ended(driver.workers()[: chance.choice([1, 2])], "workers killed")


def _ended(processes: Sequence[int], what: str) -> list[str]:
    """End processes at once; gives a word for each that was there."""
    ended = []
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
            ended.append(what)
    return ended


def _await_cells(driver: Driver) -> None:
    """Wait until the cluster makes cells, as it takes its time to begin."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and driver.process.poll() is None and not driver.workers():
        time.sleep(0.1)


def campaign(
    trials: Sequence[int],
    seed: int = 0,
    nodes: int | None = None,
    say: Callable[[str], object] = lambda line: None,
) -> Tally:
    """So many trials; after each, a line with what came of it and of all so far is said."""
    tally = Tally(Counter(dict.fromkeys(["trials", "same bytes"], 0)))
    whole, seconds = unbroken()
    for number in trials:
        since = time.monotonic()
        tally.counts["trials"] += 1
        if wrong := trial(whole, seconds, random.Random(f"{seed} trial {number}"), tally, nodes):
            on = next(name for name, count in PLACES.items() if count == nodes)
            tally.faults.append(f"{wrong}\n  python -m tests.sweeps --trial {number} --seed {seed} --on {on}")
        how = f"a fault: {wrong}" if wrong else "well"
        say(f"trial {number}: {how}, {time.monotonic() - since:.0f} s; so far {str(tally).splitlines()[0]}")
    return tally


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trials", type=int, nargs="?", default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trial", type=int)
    parser.add_argument("--on", choices=list(PLACES), default="pool")
    given = parser.parse_args(arguments)
    if given.on != "pool" and (why := lacking()):
        parser.error(why)
    trials = range(given.trials) if given.trial is None else [given.trial]
    tally = campaign(trials, given.seed, PLACES[given.on], _say)
    sys.stdout.write(f"{tally}\n")
    return bool(tally.faults)


if __name__ == "__main__":
    sys.exit(main())
