"""Work of optimisers that several runs share: done once, with the bytes of runs by themselves."""

import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock, Timeout

from t2iflow.nodes.core.shelf import Shelf
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.plan.work_digests import work_digests
from t2iflow.pipelines.text.origin import HERE
from t2iflow.pipelines.text.recipe import read_text
from t2iflow.runner import session
from t2iflow.runner.events import Event, Noted, Stepped
from t2iflow.runner.folder import lock
from t2iflow.runner.shared_work import SharedWork
from tests.runner.conftest import COPY

HYBRID = """
t2iflow: 1
title: Two stages
params: {rate: 0.05, size: [40, 32]}
nodes:
  clip:    {use: clip.model}
  words:   {use: clip.text, clip: $clip, prompt: "a fox:1 | fog:-0.2"}
  sketch:  {use: siren.canvas, size: $size, layers: 2, width: 8}
  cuts_1:  {use: cutouts.mixed, image: $sketch, count: 2, size: 64}
  seen_1:  {use: clip.look, crops: $cuts_1, clip: $clip}
  score_1: {use: losses.spherical, seen: $seen_1, wanted: $words}
  calm_1:  {use: losses.total_variation, image: $sketch}
  first:   {use: optimizers.adam, image: $sketch, loss: [{of: $score_1, weight: 10}, $calm_1], steps: 6, rate: 0.01}
  canvas:  {use: canvas.fourier, size: $size, init: $first}
  cuts_2:  {use: cutouts.mixed, image: $canvas, count: 2, size: 64}
  seen_2:  {use: clip.look, crops: $cuts_2, clip: $clip}
  score_2: {use: losses.spherical, seen: $seen_2, wanted: $words}
  second:  {use: optimizers.adam, image: $canvas, loss: $score_2, steps: 4, rate: $rate}
  film:    {use: output.video, image: $canvas, every: 2}
  still:   {use: output.image, image: $second}
  before:  {use: output.image, image: $first, file: sketch.png}
"""


def plan(recipe: str, *overrides: str) -> Plan:
    return compile_recipe(read_text(recipe, "mine.yaml", HERE, overrides=overrides))


def run(plan: Plan, folder: Path, shared: SharedWork | None = None, shelf: Shelf | None = None) -> Path:
    options = session.Options("cpu", shelf=shelf or Shelf(), shared_work=shared)
    outcome = session.start(plan, folder.parent, options, [], folder)
    assert outcome.code == 0, outcome.message
    return folder


@pytest.fixture
def shared(tmp_path: Path) -> SharedWork:
    """Where the first stage of the recipe is shared, and done already."""
    stages_of = SharedWork(tmp_path / "stages", {"first": work_digests(plan(HYBRID))["first"]})
    run(plan(HYBRID, "rate=0.2"), tmp_path / "cells" / "first", stages_of)
    return stages_of


@pytest.fixture
def work(shared: SharedWork) -> Path:
    """The work of the first stage, as it is kept."""
    return next(path for path in shared.folder.iterdir() if path.is_dir())


def steps(folder: Path, optimizer: str) -> int:
    """How many steps of an optimiser a run took itself, as its log says."""
    events = map(json.loads, (folder / "events.jsonl").read_text("utf-8").splitlines())
    return sum(one["steps"] - one["first"] for one in events if one["type"] == "fitting" and one["node"] == optimizer)


def left(folder: Path) -> dict[str, object]:
    """All that a run left, but for times and the folder's own name."""
    found: dict[str, object] = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    page = str(found["report.html"], "utf-8").replace(folder.name, "FOLDER")  # type: ignore[arg-type]
    found["report.html"] = re.sub(r"<dt>time</dt><dd>[^<]*</dd>", "", page)
    lines = str(found["events.jsonl"], "utf-8").splitlines()  # type: ignore[arg-type]
    events = [json.loads(line) for line in lines]
    found["events.jsonl"] = [
        {
            key: value
            for key, value in event.items()
            if key not in ("time", "date", "folder", "path", "seconds", "first")
        }
        for event in events
        if event["type"] != "stepped"
    ]
    return found


def test_a_first_stage_is_done_once_and_every_run_has_the_bytes_of_one_by_itself(tmp_path: Path) -> None:
    plans = [plan(HYBRID, f"rate={rate}") for rate in (0.05, 0.1)]
    names = [work_digests(one) for one in plans]
    assert names[0]["first"] == names[1]["first"]
    assert "second" not in names[0]  # a film sees it
    shelf = Shelf()
    for number, one in enumerate(plans):
        alone = run(one, tmp_path / "alone" / str(number))
        shared = SharedWork(tmp_path / "stages", {"first": names[number]["first"]})
        cell = run(one, tmp_path / "cells" / str(number), shared, shelf)
        assert steps(cell, "first") == (0 if number else 6)
        assert steps(cell, "second") == 4
        assert left(cell) == left(alone)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (["rate=0.1"], True),
        (["still.file=other.png"], True),
        (["first.rate=0.02"], False),
        (["words.prompt=an owl"], False),
        (["cuts_1.count=3"], False),
        (["size=[48, 32]"], False),
    ],
)
def test_what_a_stage_follows_from_tells_it_apart(change: Sequence[str], same: bool) -> None:
    assert (work_digests(plan(HYBRID))["first"] == work_digests(plan(HYBRID, *change))["first"]) is same


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], list[str]]:
    """Have something done as soon as a run has waited for a lock; gives the locks that were waited for."""

    def at_the_first(act: Callable[[], object]) -> list[str]:
        waited: list[str] = []

        def acquire(lock: FileLock, *given: Any, **named: Any) -> object:
            try:
                return real(lock, *given, **named)
            except Timeout:
                waited.append(lock.lock_file)
                if len(waited) == 1:
                    act()
                raise

        real = FileLock.acquire
        monkeypatch.setattr(FileLock, "acquire", acquire)
        return waited

    return at_the_first


def test_a_run_waits_for_work_that_another_is_at(
    shared: SharedWork, work: Path, tmp_path: Path, waits: Callable[..., list[str]]
) -> None:
    away = work.rename(tmp_path / "away")
    with FileLock(taken := work.with_suffix(".lock")):
        waited = waits(lambda: away.rename(work))
        cell = run(plan(HYBRID), tmp_path / "cells" / "mine", shared)
    assert waited == [str(taken)]
    assert steps(cell, "first") == 0
    assert left(cell) == left(run(plan(HYBRID), tmp_path / "alone" / "mine"))


def test_a_run_that_waits_can_be_stopped_and_resumed(
    shared: SharedWork, work: Path, tmp_path: Path, waits: Callable[..., list[str]]
) -> None:
    shutil.rmtree(work)
    cell = tmp_path / "cells" / "mine"
    with FileLock(taken := work.with_suffix(".lock")):
        options = session.Options("cpu", shared_work=shared)
        waited = waits(options.stop.ask)
        outcome = session.start(plan(HYBRID), cell.parent, options, [], cell)
        assert outcome.code == 130
    assert waited == [str(taken)]
    resumed = session.resume(plan(HYBRID), cell, session.Options("cpu", shared_work=shared), [])
    assert resumed.code == 0, resumed.message
    assert steps(cell, "first") == 6
    assert work.is_dir()
    alone = run(plan(HYBRID), tmp_path / "alone" / "mine")
    assert (cell / "picture.png").read_bytes() == (alone / "picture.png").read_bytes()


def test_a_run_that_was_stopped_within_a_stage_takes_over_what_another_did_since(
    shared: SharedWork, tmp_path: Path
) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    cell, alone = tmp_path / "cells" / "mine", tmp_path / "alone"
    for folder in (cell, alone):
        assert session.start(plan(HYBRID), folder.parent, session.Options("cpu"), [stop], folder).code == 130
    assert session.resume(plan(HYBRID), cell, session.Options("cpu", shared_work=shared), []).code == 0
    assert session.resume(plan(HYBRID), alone, session.Options("cpu"), []).code == 0
    assert steps(cell, "first") == 6  # those that it was to take at its first start
    for name in ("picture.png", "sketch.png", "film.mp4", "losses.csv"):
        assert (cell / name).read_bytes() == (alone / name).read_bytes()


@pytest.mark.parametrize("name", ["checkpoint.pt", "way.json"])
def test_damaged_work_is_done_again(name: str, shared: SharedWork, work: Path, tmp_path: Path) -> None:
    content = (work / name).read_bytes()
    (work / name).write_bytes(content[: len(content) // 2])
    for cell, taken in (("second", 6), ("third", 0)):
        assert steps(run(plan(HYBRID), tmp_path / "cells" / cell, shared), "first") == taken


def test_other_seeds_and_versions_share_nothing(
    shared: SharedWork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert steps(run(plan(HYBRID, "seed=1"), tmp_path / "cells" / "seed", shared), "first") == 6
    monkeypatch.setattr(lock, "versions", lambda: {"torch": "0.1"})
    assert steps(run(plan(HYBRID), tmp_path / "cells" / "mine", shared), "first") == 6


LOADING = """
import torch
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.shelf import NOWHERE, Shelf
from t2iflow.nodes.core.types import Image

loaded = []

def network(level: float) -> torch.Tensor:
    loaded.append(level)
    return torch.full((1, 3, 8, 8), level)

@node
def grey(shelf: Shelf = NOWHERE, *, level: float = 0.5) -> Image:
    "Grey."
    return Image(shelf.get(network, level) * 1)
"""


def test_what_is_on_the_shelf_is_not_loaded_again(tmp_path: Path, plugin: Callable[[str], None]) -> None:
    plugin(LOADING)
    recipe = "t2iflow: 1\nnodes:\n  a: {use: mine.grey}\n  b: {use: mine.grey, level: 0.2}\n" + (
        "  both: {use: images.blend, image: $a, over: $b, amount: 0.5}\n  still: {use: output.image, image: $both}\n"
    )
    shelf = Shelf()
    for number in range(3):
        run(plan(recipe, f"both.amount=0.{number}"), tmp_path / str(number), shelf=shelf)
    assert sys.modules["mine_module"].loaded == [0.5, 0.2]
    run(plan(recipe), tmp_path / "alone")
    assert len(sys.modules["mine_module"].loaded) == 4


CROWDED = """
import weakref
import torch
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.shelf import NOWHERE, Shelf
from t2iflow.nodes.core.types import Image, Loss

class Network:
    def __init__(self) -> None:
        self.weights = torch.zeros(9)

here = []

def network() -> Network:
    made = Network()
    here.append(weakref.ref(made))
    return made

@node
def heavy(shelf: Shelf = NOWHERE) -> Image:
    "Load something large."
    shelf.get(network)
    return Image(torch.zeros(1, 3, 8, 8))

@node
def crowded(image: Image) -> Loss:
    "Have no memory beside it."
    if any(one() for one in here):
        raise torch.OutOfMemoryError("out of memory")
    return image.mean()
"""


def test_where_memory_is_out_what_other_runs_had_loaded_goes_first(
    tmp_path: Path, plugin: Callable[[str], None]
) -> None:
    plugin(CROWDED)
    shelf = Shelf()
    heard: list[Event] = []
    large = "t2iflow: 1\nnodes:\n  a: {use: mine.heavy}\n  still: {use: output.image, image: $a}\n"
    run(plan(large), tmp_path / "large", shelf=shelf)
    small = COPY.replace("losses.reference, image: $canvas, reference: $photo", "mine.crowded, image: $canvas")
    outcome = session.start(plan(small), tmp_path, session.Options("cpu", shelf=shelf), [heard.append])
    assert outcome.code == 0, outcome.message
    assert not [event for event in heard if isinstance(event, Noted)]  # of more passes, which would round otherwise
