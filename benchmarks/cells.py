"""What a cell of a sweep costs beside its run: in a bare process pool, in a sweep's own pool, and as a task of Ray's.

    python benchmarks/cells.py [--cells 40] [--on ray]

One process makes all cells of a trivial recipe, one after another, with one thread. Printed is how long it takes from
one's end to the next's.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

from arguments import at_least

from t2iflow.pipelines.text.recipe import read
from t2iflow.runner import environment
from t2iflow.runner.cli.refusing import refusing
from t2iflow.runner.sweep import joining, sweeping, work
from t2iflow.runner.sweep.driver import drive
from t2iflow.runner.sweep.events import CellEnded, Event
from t2iflow.runner.sweep.folder import SweepFolder
from t2iflow.runner.sweep.slot import How, cores
from t2iflow.runner.sweep.varied import Varied

RECIPE = """
t2iflow: 1
nodes:
  photo:  {{use: images.noise, size: [24, 24], kind: fractal}}
  canvas: {{use: canvas.pixels, size: [24, 24]}}
  same:   {{use: losses.reference, image: $canvas, reference: $photo}}
  fit:    {{use: optimizers.adam, image: $canvas, loss: $same, rate: 0.05, steps: 4}}
  still:  {{use: output.image, image: $fit}}
sweep:
  each: {{seed: 0..{last}}}
"""


def begun(place: Path, cells: int) -> SweepFolder:
    """A sweep of so many cells with a thread each, none of them made."""
    (place / "mine.yaml").write_text(RECIPE.format(last=cells - 1), "utf-8")
    recipe = read(str(place / "mine.yaml"))
    return sweeping.begin(Varied(recipe, recipe.sweep), place / "sweeps", How("cpu", jobs=cores()))


def bare(sweep: SweepFolder) -> Iterator[float]:
    """When each cell ends in a pool of one process that does nothing else."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        for cell in sweep.cells:
            pool.submit(work.make, sweep.at, cell.name, "cpu").result()
            yield time.monotonic()


def swept(sweep: SweepFolder, on: str) -> list[float]:
    """When each cell ends in a sweep."""
    ends: list[float] = []

    def watch(event: Event) -> None:
        if isinstance(event, CellEnded):
            ends.append(time.monotonic())

    with sweeping.crew(sweep, How("cpu", 1, on=on)) as crew:
        drive(sweep, crew, lambda: False, watch)
    return ends


@refusing()
def main() -> None:
    """Measure, and print milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=at_least(2), default=40)
    parser.add_argument("--on", default="", help="ray, or ray=HOST:PORT")
    given = parser.parse_args()
    if given.on:
        joining.check(given.on)
    environment.prepare()
    for name in ("bare", "pool", *([given.on] if given.on else [])):
        with tempfile.TemporaryDirectory() as place:
            sweep = begun(Path(place), given.cells)
            ends = list(bare(sweep)) if name == "bare" else swept(sweep, "" if name == "pool" else name)
            between = [1000 * (later - earlier) for earlier, later in pairwise(ends)]
            print(f"{name:6} {statistics.median(between):6.1f} ms a cell, the quickest {min(between):6.1f}")


if __name__ == "__main__":
    main()
