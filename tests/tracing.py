"""Recipes whose steps `torch.compile` can follow without a gap, compared with the steps as they are.

python -m tests.tracing                    # every shipped recipe, with each of its presets; some minutes
python -m tests.tracing vqgan-clip         # one of them
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from t2iflow.nodes.core.ambient import Tick
from t2iflow.nodes.film.takes import Take
from t2iflow.nodes.pictures import strokes
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


def found(rehearsal: Rehearsal) -> Iterator[tuple[list[Tensor], list[Tensor]]]:
    """Of a step of each stage the loss, and its gradients where its canvases are trained: as it is, and as one graph;
    torch's own error where it is none."""
    teach()
    for stage in rehearsal.stages():
        take, canvases = Take(stage.region.steps), [rehearsal.circuit.links[name] for name in stage.region.canvases]
        trained = [tensor for canvas in canvases for tensor in canvas.live.trainable()]
        made: list[list[Tensor]] = []
        for number, tick in enumerate(rehearsal.steps(stage, 0, 1, 1, 1)):
            if number < 2:
                judged = stage.judge(tick, take)
                continue
            step = painted_and_judged(rehearsal, stage, tick)
            if made:
                torch.compiler.reset()
                step = torch.compile(step, fullgraph=True, backend="eager")
            made.append([(loss := step()).detach(), *torch.autograd.grad(loss, trained)])
        one, other = made
        yield one, other
        rehearsal.finish(stage, judged.image)


def painted_and_judged(rehearsal: Rehearsal, stage: Stage, tick: Tick) -> Callable[[], Tensor]:
    """A step's loss, from its canvases on; what comes before a picture is there already."""
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

    return step


def main(names: list[str]) -> int:
    """Print what comes of each recipe."""
    torch.set_num_threads(1)
    strokes._most = lambda within: within.shape[1]  # as on a GPU, where nobody waits for that number
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        weights = cache(lambda family: make.make(family, Path(folder) / family))
        for name, preset in STEPPING:
            if names and name not in names:
                continue
            try:
                told = str([float(one[0]) for one, _ in found(whole(name, preset, weights, Path(folder)))])
            except Exception as fault:
                failed, told = failed + 1, f"{type(fault).__name__}: {fault}"
            sys.stdout.write(f"{name} {preset or ''}: {told}\n")
            sys.stdout.flush()
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
