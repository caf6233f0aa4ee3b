"""What a sweep would do: how many cells, which work they share, and what all of it costs."""

from collections import Counter
from collections.abc import Iterator, Sequence

import torch

from t2iflow.nodes.core.texts import aligned, plural
from t2iflow.runner.preview import estimate
from t2iflow.runner.sweep.grid import Grid
from t2iflow.runner.sweep.sharing import work
from t2iflow.runner.timing.duration import duration
from t2iflow.runner.timing.figures import Figures


def forecast(grid: Grid, counts: Sequence[int], device: str, jobs: int, threads: int) -> list[str]:
    """In words, as lines; `counts` are how many values each axis has, and of the cells `jobs` run at once, with so many
    threads each. NoDeviceError if the device is unavailable."""
    return list(_lines(grid, counts, _known(grid, device, threads), min(jobs, len(grid.cells))))


def _lines(grid: Grid, counts: Sequence[int], known: Figures | None, jobs: int) -> Iterator[str]:
    product = " = " + " x ".join(map(str, counts)) if len(counts) > 1 else ""
    yield f"{len(grid.cells)}{product} {plural(len(grid.cells), 'cell')}, {jobs} at once"
    yield from aligned(_work(grid))
    yield "networks are loaded, and texts that are the same are read, once in each process"
    yield f"time: {_time(grid, known, jobs)}"


def _work(grid: Grid) -> Iterator[tuple[str, str]]:
    """How often each optimiser does its work, and in how many steps; and each network that paints by itself, if not
    each cell needs it to."""
    alone: Counter[str] = Counter()
    for taken in grid.steps:
        alone.update(taken)
    for name, done in _done(grid).items():
        steps, often = sum(done), "once" if len(done) == 1 else f"{len(done)} times"
        if name not in alone:
            yield name, f"paints {often}, and its pictures are taken over by the other cells"
        elif steps == alone[name]:
            yield name, f"{steps:,} {plural(steps, 'step')}"
        else:
            over = f"its work is done {often}, and taken over by the other cells"
            yield name, f"{steps:,} {plural(steps, 'step')} instead of {alone[name]:,}: {over}"


def _done(grid: Grid) -> dict[str, list[int]]:
    """The steps of each optimiser (none of what paints by itself) each time that it does its work."""
    done = {
        (name, one): steps.get(name, 0)
        for cell, steps in zip(grid.cells, grid.steps, strict=True)
        for name, one in work(cell, steps)
    }
    found: dict[str, list[int]] = {}
    for (name, _), count in done.items():
        found.setdefault(name, []).append(count)
    return found


def _known(grid: Grid, device: str, threads: int) -> Figures | None:
    """The figures of a run like the first cell, with as many threads."""
    now = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return estimate.known(grid.plan, device)
    finally:
        torch.set_num_threads(now)


def _time(grid: Grid, known: Figures | None, jobs: int) -> str:
    if known is None:
        return "unknown yet: no similar run was made here with as many threads; it is known after the first cell"
    frames = {region.optimizer: region.shot.made for region in grid.plan.regions if region.shot}
    total = known.once * jobs
    for optimizer, done in _done(grid).items():
        if optimizer not in known.steps:
            continue
        each = known.frames.get(optimizer, 0.0) * frames.get(optimizer, 0)
        total += sum(done) * known.steps[optimizer].seconds + len(done) * each
    return f"about {duration(total / jobs)}, if all cells' steps take as long as in a run on {known.day}"
