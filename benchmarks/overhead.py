"""How much of a step is the loop's own: everything but the nodes' work, its differentiation and the optimiser's move.

python benchmarks/overhead.py hello --steps 30
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from arguments import at_least

from t2iflow.nodes.core.ambient import SILENCE, Tick
from t2iflow.nodes.film.takes import Take
from t2iflow.nodes.optimizing.fit import Fit
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.text.recipe import read
from t2iflow.runner.cli.refusing import refusing
from t2iflow.runner.execution import device
from t2iflow.runner.execution.link import Surroundings
from t2iflow.runner.execution.loop import Loop
from t2iflow.runner.folder.folder import RunFolder


class Clock:
    """Adds up the time spent in the functions that it wraps."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed."""

        def timed(*arguments: Any, **settings: Any) -> Any:
            began = time.perf_counter()
            result = function(*arguments, **settings)
            self.seconds += time.perf_counter() - began
            return result

        return timed


@refusing()
def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", nargs="?", default="hello")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--steps", type=at_least(1), default=30)
    arguments = parser.parse_args()
    plan = compile_recipe(read(arguments.recipe, overrides=arguments.overrides))
    region = plan.regions[0]
    clock = Clock()
    where, why = device.choose("cpu")
    with tempfile.TemporaryDirectory() as folder:
        run_folder = RunFolder(Path(folder), "", lambda event: None)
        loop = Loop(plan, Surroundings(0, where, run_folder, lambda node: SILENCE), lambda event: None)
        stage = loop.stage(region.optimizer)
        for link in (*stage._paint, *stage._judge):
            link.live = clock.wrap(link.live)
        Fit.step = clock.wrap(Fit.step)  # type: ignore[method-assign]
        torch.autograd.backward = clock.wrap(torch.autograd.backward)
        shares, totals = [], []
        for step in range(arguments.steps):
            clock.seconds, began = 0.0, time.perf_counter()
            stage.step(Tick(step, arguments.steps), Take(arguments.steps))
            total = time.perf_counter() - began
            shares.append((total - clock.seconds) / total)
            totals.append(total)
    print(f"{arguments.recipe} on {where} ({why}): step {statistics.median(totals) * 1e3:.1f} ms (median)")
    print(f"the loop's own: {statistics.median(shares):.2%} of a step (median of {arguments.steps})")


if __name__ == "__main__":
    main()
