"""Recipes whose steps `torch.compile` can follow without a gap, compared with the steps as they are.

python -m tests.tracing                    # every shipped recipe, with each of its presets; some minutes
python -m tests.tracing vqgan-clip         # one of them
"""

import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from t2iflow.nodes.core.ambient import Tick
from t2iflow.nodes.film.takes import Take
from t2iflow.runner.execution.compiled import teach
from t2iflow.runner.execution.stage import Stage
from tests.needs import specs
from tests.rehearsal import STEPPING, Rehearsal, small
from tests.weights import make

CPU = torch.device("cpu")


def whole(name: str, preset: str | None, weights: Callable[[str], Path], folder: Path) -> Rehearsal:
    """A small recipe whose steps are judged in one pass each."""
    optimizers = [node for node, spec in specs(name, preset) if spec.role == "optimizer"]
    changes = [*small(name, preset, weights), *(f"{node}.accumulate=1" for node in optimizers)]
    return Rehearsal(name, preset, changes, folder, CPU)


def losses(rehearsal: Rehearsal) -> list[tuple[float, float]]:
    """The loss of a step of each stage, as it is and as one graph, which is differentiated; torch's own error where it
    is none."""
    teach()
    found = []
    for stage in rehearsal.stages():
        take = Take(stage.region.steps)
        for number, tick in enumerate(rehearsal.steps(stage, 0, 1, 1)):
            if number < 2:
                judged = stage.judge(tick, take)
            else:
                loss = traced(rehearsal, stage, tick)
        loss.backward()  # type: ignore[no-untyped-call]
        found.append((float(judged.loss), float(loss.detach())))
        rehearsal.finish(stage, judged.image)
    return found


def traced(rehearsal: Rehearsal, stage: Stage, tick: Tick) -> Tensor:
    """The loss of a step that is painted and judged in one graph; what comes before a picture is there already."""
    moving, values = rehearsal.moving(stage.region), rehearsal.circuit.values
    calls = [(link, link.changing(tick, share)) for link, share in rehearsal.calls(stage) if link.node.name in moving]
    last = rehearsal.circuit.slots[stage.region.judge[-1], ""]

    def step() -> Tensor:
        own, loss = list(values), torch.zeros(())
        for link, changing in calls:
            link.compute(own, changing)
            if last in link.outputs:
                loss = loss + own[last] / stage.passes
        return loss

    torch.compiler.reset()
    loss: Tensor = torch.compile(step, fullgraph=True, backend="aot_eager")()
    return loss


def main(names: list[str]) -> int:
    """Print what comes of each recipe."""
    torch.set_num_threads(1)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        weights = cache(lambda family: make.make(family, Path(folder) / family))
        for name, preset in STEPPING:
            if names and name not in names:
                continue
            try:
                told = str(losses(whole(name, preset, weights, Path(folder))))
            except Exception as fault:
                failed, told = failed + 1, f"{type(fault).__name__}: {fault}"
            sys.stdout.write(f"{name} {preset or ''}: {told}\n")
            sys.stdout.flush()
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
