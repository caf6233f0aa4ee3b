"""Runs that are killed at random moments, resumed, killed again, and compared with runs that nothing stopped.

    python -m tests.kills 300                  # so many kills, and what came of them
    python -m tests.kills 20 --only mixed      # of recipes made up here alone; `shipped`: of the shipped ones alone
    python -m tests.kills --trial 17           # one of them again
    python -m tests.kills --flips 60           # instead flip single bits of the checkpoints and frames of a killed run

A kill is a SIGKILL after some time, or before the n-th time that the process opens, renames or removes a file.
"""

import argparse
import importlib
import json
import os
import random
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch

from t2iflow.nodes.core.catalog import every_node
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.text.recipe import read, shipped_recipes
from t2iflow.runner import session
from t2iflow.runner.folder.claim import FolderError, NotResumableError
from t2iflow.runner.folder.folder import MAKING
from tests import needs

INTERVALS = (0.0, 0.05, 10.0)
OPERATIONS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}
OWN = {"events.jsonl", "lock.yaml", "report.html", "losses.csv"}
"""Files that say when and where a run was."""

SLOW = ["t2iflow.nodes.perceptors.lite.perceptor", "pytorch_optimizer"]
"""What takes long to import, and is imported once for all runs."""

CANVASES = {
    "pixels": "canvas.pixels, size: [24, 16]",
    "fourier": "canvas.fourier, size: [24, 16]",
    "palette": "canvas.palette, size: [24, 16], cell: 2",
    "siren": "siren.canvas, size: [24, 16], layers: 2, width: 16",
}
OPTIMIZERS = ("adam", "adamw", "adamp", "diffgrad", "radam", "adamax", "adagrad", "rmsprop", "sgd, momentum: 0.5")
CAMERAS = {
    "no film": "",
    "still": "camera.still, frames: 6, steps: 2",
    "zoom": "camera.zoom, frames: 6, steps: 2, scale: {0: 0.9, 100%: 1.1}, turn: 3",
    "hold": "camera.zoom, frames: 6, steps: 3, scale: 0.9, hold: 0.7, edge_steps: 2, rate: {0: 0.2, 100%: 0.1}",
    "resemble": "camera.zoom, frames: 2, steps: 3, scale: 1.1, hold: 0.5, resemble: 0.5, clip: $clip",
    "loop": "camera.zoom, frames: 8, steps: 2, pan: [0.1, 0], border: wrap, loop: 2, carry: false",
    "start": "camera.still, frames: 5, steps: 3, start: $photo, mix: {0: 0.2, 100%: 0.8}, hold: 0.2",
    "depth": "camera.depth, frames: 7, steps: 3, dolly: 0.1, move: picture, every: 2",
    "infinite": "camera.infinite, frames: 12, steps: 3, scale: 1.1, hold: 0.3",
}
CAMERAS |= {
    spec.name: f"{spec.name}, frames: 6, steps: 2"
    for spec in every_node()
    if spec.role == "camera" and not any(port.required for port in spec.ports.values() if port.name != "image")
}


FILMED = """
t2iflow: 1
nodes:
  photo:  {{use: images.noise, size: [24, 16], kind: fractal}}
  canvas: {{use: canvas.pixels, size: [24, 16]}}
  same:   {{use: losses.reference, image: $canvas, reference: $photo}}
  fit:    {{use: optimizers.adam, image: $canvas, loss: $same, rate: 0.1, steps: 4}}
  move:   {{use: {camera}, image: $fit}}
  film:   {{use: output.video, image: $move}}
"""


@dataclass(frozen=True)
class Recipe:
    """What is run: a file or a shipped name, with options."""

    name: str
    where: str
    presets: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()


@dataclass
class Whole:
    """A run that nothing stopped: what it left, how long it took, and how often it touched a file."""

    files: dict[str, bytes]
    seconds: float
    operations: int


@dataclass
class Tally:
    """What came of all trials."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in self.counts.items())
        return "\n".join([f"{counts}, {len(self.faults)} faults", *self.faults])


def mixed(chance: random.Random, folder: Path) -> Recipe:
    """A recipe of a random canvas, optimiser and camera, of a second stage, an input file and outputs of all kinds."""
    canvas, camera = chance.choice(list(CANVASES)), chance.choice(list(CAMERAS))
    optimizer, second = chance.choice(OPTIMIZERS), chance.random() < 0.3
    shutil.copyfile(shipped_recipes()["hello"].parent / "fox.webp", folder / "fox.webp")
    lines = [
        "t2iflow: 1",
        "nodes:",
        "  photo: {use: images.load, file: fox.webp, size: [24, 16]}",
        *(["  clip: {use: clip.model, name: lite}"] if camera == "resemble" else []),
        f"  canvas: {{use: {CANVASES[canvas]}}}",
        "  same: {use: losses.reference, image: $canvas, reference: $photo}",
        f"  fit: {{use: optimizers.{optimizer}, image: $canvas, loss: $same, rate: {{0: 0.1, 100%: 0.02}}, steps: 12,"
        f" average: {chance.choice([0, 0.9])}}}",
        *([f"  move: {{use: {CAMERAS[camera]}, image: $fit}}"] if CAMERAS[camera] else []),
        *(["  film: {use: output.video, image: $move}"] if CAMERAS[camera] else []),
        "  sheet: {use: output.strip, image: $canvas, every: 5}",
        "  still: {use: output.image, image: $fit}",
    ]
    if second:
        lines += [
            "  again: {use: canvas.pixels, size: [12, 8], init: $fit}",
            "  near: {use: losses.reference, image: $again, reference: $photo}",
            "  refit: {use: optimizers.adam, image: $again, loss: $near, steps: 5}",
            "  late: {use: output.image, image: $refit, file: late.webp}",
        ]
    path = folder / "mixed.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Recipe(f"{canvas}, {optimizer}, {camera}{', two stages' if second else ''}", str(path))


@cache
def shipped() -> tuple[Recipe, ...]:
    """Every shipped recipe that needs no download, as small as it goes."""
    from tests.runner.test_shipped_recipes import lite, smaller

    names = [name for name in shipped_recipes() if not needs.weights(name, lite(name))]
    found = []
    for name in names:
        preset = lite(name)
        presets = (preset,) if preset else ()
        found.append(Recipe(name, name, presets, tuple(smaller(name, preset)[1::2])))
    return tuple(found)


class Process:
    """A run or a resume in a process of its own, forked from this one, in which everything is imported."""

    def __init__(self, act: Callable[[], tuple[int, str, int]]) -> None:
        """`act` gives an exit code, a message, and how often it touched a file."""
        self._said, said = os.pipe()
        sys.stdout.flush()
        self.number = os.fork()
        if self.number == 0:
            try:
                os.write(said, json.dumps(act()).encode())
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(0)
        os.close(said)

    def kill(self, after: float) -> None:
        """Kill it some seconds later, unless it has ended then."""
        select.select([self._said], [], [], after)
        os.kill(self.number, signal.SIGKILL)

    def end(self) -> tuple[int, str, int]:
        """How it ended: a code, which is negative for a kill, a message, and how often it touched a file."""
        with open(self._said, "rb") as said:
            told = said.read()
        _, status = os.waitpid(self.number, 0)
        if told:
            code, message, touched = json.loads(told)
            return code, message, touched
        return (-signal.SIGKILL, "", 0) if os.WIFSIGNALED(status) else (1, "it ended without a word", 0)


def begun(recipe: Recipe, parent: Path, run: Path | None, every: float, last: int | None = None) -> Process:
    """A process that runs or resumes."""
    return Process(lambda: live(recipe, parent, run, every, last))


def counted(parent: Path, last: int | None) -> Callable[[], int]:
    """Count operations on files from now on, and kill this process at the `last`; gives how many there were."""
    touched = 0

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal touched
        if event in OPERATIONS and str(arguments[0]).startswith(str(parent)):
            touched += 1
            if touched == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    return lambda: touched


def live(recipe: Recipe, parent: Path, run: Path | None, every: float, last: int | None) -> tuple[int, str, int]:
    """Run or resume, up to the `last` operation on files."""
    touched: Callable[[], int] = int
    try:
        if run is None:
            plan = compile_recipe(read(recipe.where, presets=recipe.presets, overrides=recipe.overrides))
            touched = counted(parent, last)
            outcome = session.start(plan, parent, session.Options("cpu", every), [])
        else:
            plan = compile_recipe(read(str(run / "recipe.yaml")))
            touched = counted(parent, last)
            outcome = session.resume(plan, run, session.Options("cpu", every), [])
    except NotResumableError as fault:
        return 0 if "is finished" in str(fault) else 2, str(fault), touched()
    except FolderError as fault:
        return 1, str(fault), touched()
    return outcome.code, outcome.message, touched()


def runs(parent: Path) -> list[Path]:
    """The run folders that were begun."""
    return [path for path in parent.iterdir() if path.is_dir() and not path.name.startswith(MAKING)]


def left(run: Path) -> dict[str, bytes]:
    """What a run left that only its recipe decides."""
    paths = [path for path in run.rglob("*") if path.is_file()]
    return {str(path.relative_to(run)): path.read_bytes() if path.name not in OWN else b"" for path in paths}


def compared(files: dict[str, bytes], whole: dict[str, bytes], tally: Tally) -> str | None:
    """Count what has the same bytes; the names of files that differ, if any do."""
    different = [name for name in {*files, *whole} if files.get(name) != whole.get(name)]
    tally.counts["same bytes"] += not different
    return f"these files differ: {', '.join(sorted(different))}" if different else None


def unbroken(recipe: Recipe) -> Whole:
    """The run that nothing stops."""
    with tempfile.TemporaryDirectory(prefix="t2iflow-kills-") as place:
        start = time.monotonic()
        code, message, operations = begun(recipe, Path(place), None, 10.0).end()
        if code:
            raise RuntimeError(f"{recipe.name} can't be run at all: {message}")
        (run,) = runs(Path(place))
        return Whole(left(run), time.monotonic() - start, operations)


def trial(recipe: Recipe, whole: Whole, chance: random.Random, tally: Tally) -> str | None:
    """Kill a run up to three times, then let it end; what is wrong, if anything."""
    every, kills = chance.choice(INTERVALS), chance.choice([1, 1, 2, 3])
    with tempfile.TemporaryDirectory(prefix="t2iflow-kills-") as place:
        parent, run = Path(place), None
        for _ in range(kills):
            by_time = chance.random() < 0.5
            last = None if by_time else chance.randint(1, whole.operations)
            process = begun(recipe, parent, run, every, last)
            if by_time:
                process.kill(after=chance.uniform(0, 1.1 * whole.seconds))
            code, message, _ = process.end()
            tally.counts["kills"] += code < 0
            if code > 0:
                return f"{'resume' if run else 'run'} ended with {code}: {message}"
            there = runs(parent)
            if not there:
                tally.counts["nothing begun"] += 1
                return None
            (run,) = there
        tally.counts["resumed"] += 1
        code, message, _ = begun(recipe, parent, run, every).end()
        if code:
            return f"the last resume ended with {code}: {message}"
        assert run is not None
        return compared(left(run), whole.files, tally)


def recipes(seed: int, only: str | None, folder: Path) -> Iterator[Recipe]:
    """Without end: mixed ones and, one in three, shipped ones."""
    number = 0
    while True:
        chance = random.Random(f"{seed} recipe {number}")
        if only == "shipped" or (only is None and number % 3 == 2):
            yield shipped()[number % len(shipped())]
        else:
            place = folder / str(number)
            place.mkdir(exist_ok=True)
            yield mixed(chance, place)
        number += 1


def campaign(kills: int, seed: int = 0, only: str | None = None, single: int | None = None, each: int = 4) -> Tally:
    """So many kills, `each` recipe in some trials; or a `single` trial."""
    tally, first = Tally(Counter(dict.fromkeys(["kills", "resumed", "same bytes", "nothing begun"], 0))), 0
    with tempfile.TemporaryDirectory(prefix="t2iflow-kills-") as place:
        for recipe in recipes(seed, only, Path(place)):
            whole = unbroken(recipe) if single is None or single // each == first // each else None
            for number in range(first, first + each):
                if whole is not None and single in (None, number):
                    wrong = trial(recipe, whole, random.Random(f"{seed} trial {number}"), tally)
                    flags = f"--seed {seed} --each {each}" + (f" --only {only}" if only else "")
                    if wrong:
                        tally.faults.append(f"{recipe.name}: {wrong}\n  python -m tests.kills --trial {number} {flags}")
                if tally.counts["kills"] >= kills or number == single:
                    return tally
            first += each
    return tally


def flips(count: int, seed: int = 0) -> Tally:
    """Flip single bits in what a killed film is resumed from: each is named or harmless, and the bytes are the same."""
    tally, chance = Tally(), random.Random(f"{seed} flips")
    with tempfile.TemporaryDirectory(prefix="t2iflow-kills-") as place:
        text = FILMED.format(camera=CAMERAS["hold"])
        (Path(place) / "film.yaml").write_text(text, encoding="utf-8")
        recipe = Recipe("film", str(Path(place) / "film.yaml"))
        whole = unbroken(recipe)
        (Path(place) / "runs").mkdir()
        begun(recipe, Path(place) / "runs", None, 0.0, int(whole.operations * 0.8)).end()
        (killed,) = runs(Path(place) / "runs")
        files = [*killed.glob("checkpoint*.pt"), *killed.rglob(".frames/*/0*.png")]
        for number in range(count):
            run = shutil.copytree(killed, Path(place) / str(number))
            path = run / chance.choice(files).relative_to(killed)
            data = bytearray(path.read_bytes())
            bit = chance.randrange(len(data) * 8)
            data[bit // 8] ^= 1 << bit % 8
            path.write_bytes(data)
            code, message, _ = begun(recipe, Path(place), run, 0.0).end()
            same, named = left(run) == whole.files, '"warn"' in (run / "events.jsonl").read_text("utf-8")
            tally.counts["flips"] += 1
            tally.counts["named" if named else "harmless"] += 1
            if code or not same:
                tally.faults.append(f"bit {bit} of {path.relative_to(run)}: {code} {message}")
    return tally


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kills", type=int, nargs="?", default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=["mixed", "shipped"])
    parser.add_argument("--trial", type=int)
    parser.add_argument("--flips", type=int, metavar="COUNT")
    parser.add_argument("--each", type=int, default=4, help="trials of a recipe")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)  # no threads, which a fork would lose
    for name in SLOW:
        importlib.import_module(name)
    if given.flips:
        tally = flips(given.flips, given.seed)
    else:
        tally = campaign(given.kills, given.seed, given.only, given.trial, given.each)
    sys.stdout.write(f"{tally}\n")
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
