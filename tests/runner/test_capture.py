"""Steps that are recorded once and replayed find what steps find that are taken one by one."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from t2iflow.nodes import optimizers
from t2iflow.nodes.perceptors.lite import perceptor
from t2iflow.nodes.pictures import strokes
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.text.recipe import Recipe, read, read_text, shipped_recipes
from t2iflow.runner import session
from t2iflow.runner.events import Event, Filmed, Fitted, Stepped
from t2iflow.runner.execution import compiled
from t2iflow.runner.execution.checkpoint import Checkpoint
from t2iflow.runner.execution.link import Surroundings
from t2iflow.runner.execution.loop import Loop, Stopped
from tests import needs
from tests.nodes.conftest import Heard, RunFolder
from tests.runner.conftest import COPY, Command
from tests.runner.test_shipped_recipes import smaller
from tests.runner.test_systems import ROWS
from tests.runner.test_systems import smaller as less
from tests.tape import Tapes

RECIPE = """
t2iflow: 1
title: Crops of noise, with what changes over time
nodes:
  photo:  {use: images.noise, size: [24, 24], kind: fractal}
  canvas: {use: canvas.pixels, size: [24, 24]}
  same:   {use: losses.reference, image: $canvas, reference: $photo}
  cuts:   {use: cutouts.uniform, image: $canvas, count: 4, size: 16}
  part:   {use: mine.dark, crops: $cuts}
  fit:    {use: optimizers.adam, image: $canvas, loss: [{of: $same, weight: 2}, $part], rate: 0.05, steps: 9}
  still:  {use: output.image, image: $fit}
"""
FILM = (
    RECIPE.replace("steps: 9", "steps: 4")
    + """
  zoom:   {use: camera.zoom, image: $fit, frames: 6, steps: 4, scale: 0.9, turn: 3}
  film:   {use: output.strip, image: $zoom}
"""
)
NODES = '''
import torch
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.ambient import Random, Share, Tick
from t2iflow.nodes.core.types import Image, Loss, Made, Size
from t2iflow.nodes.pictures.crops import Crops

@node
def dark(crops: Crops, *, by: float = 0.3) -> Loss:
    """How bright crops are."""
    return crops.pixels.mean() * by

@node
def asking(crops: Crops) -> Loss:
    """As dark, after a look at the value."""
    dark = crops.pixels.mean() * 0.3
    return dark if dark.item() > 0 else -dark

@node
def timely(crops: Crops, tick: Tick) -> Loss:
    """As dark, more and more."""
    return crops.pixels.mean() * 0.3 * tick.progress

@node
class Bounded:
    """Pixels that are clamped where that changes them."""

    def __init__(self, random: Random, *, size: Size = (24, 24)) -> None:
        self._pixels = random.uniform(1, 3, size[1], size[0]).requires_grad_()

    def __call__(self) -> Image:
        return Image(self._pixels * 1)

    def trainable(self):
        return [self._pixels]

    @torch.no_grad()
    def settle(self):
        if bool((self._pixels.abs() > 1).any()):
            self._pixels.clamp_(0, 1)

@node
def greedy(crops: Crops, share: Share, *, count: Made = 4, limit: int = 2) -> Loss:
    """Have memory for `limit` things at a time."""
    if share.of(count) > limit:
        raise torch.OutOfMemoryError("CUDA out of memory")
    return crops.pixels.mean() * 0.3
'''

PARTS = 4
"""Of a step of these recipes: judging it, carrying its gradients on, advancing, and settling the canvas."""


@pytest.fixture(autouse=True)
def _as_on_a_gpu(monkeypatch: pytest.MonkeyPatch, plugin: Callable[[str], None]) -> None:
    """One `lite` for all, and Adam as it is on a GPU."""
    monkeypatch.setattr(perceptor, "Lite", lambda device, precision, shelf: LITE(device, precision))
    monkeypatch.setattr(optimizers, "fused", lambda parameters: {"fused": True})
    plugin(NODES)


LITE = cache(perceptor.Lite)


@dataclass
class Painted:
    """What came of a run: the loss of each step, pictures of steps and frames, and what was warned of."""

    losses: list[float] = field(default_factory=list)
    pictures: list[Tensor] = field(default_factory=list)
    heard: Heard = field(default_factory=Heard)

    def __call__(self, event: Event) -> None:
        if isinstance(event, Stepped):
            self.losses.append(float(event.loss))
        if isinstance(event, Stepped | Filmed | Fitted):
            self.pictures.append(event.image)


def painted(
    plan: Plan, folder: Path, tapes: Tapes | None = None, resume: Checkpoint | None = None, **how: Any
) -> Painted:
    """What comes of a plan, its steps recorded on tapes if there are any."""
    made = Painted()
    folder.mkdir(exist_ok=True)
    around = Surroundings(0, torch.device("cpu"), RunFolder(folder), lambda _: made.heard)
    with suppress(Stopped):
        Loop(plan, around, made, recorder=(lambda: tapes) if tapes else None, **how).run(resume)
    return made


def assert_same(one: Painted, other: Painted) -> None:
    """Numbers that change over time have fewer digits on the device."""
    assert other.losses == pytest.approx(one.losses, rel=1e-5)
    assert max(float((a - b).abs().max()) for a, b in zip(one.pictures, other.pictures, strict=True)) < 1e-6


def both(recipe: str | Recipe, folder: Path, tapes: Tapes | None = None) -> tuple[Painted, Tapes]:
    """A recipe painted without and with tapes, and that with them."""
    plan = compile_recipe(read_text(recipe, "mine.yaml", folder) if isinstance(recipe, str) else recipe)
    tapes = tapes or Tapes()
    one, other = painted(plan, folder / "one"), painted(plan, folder / "other", tapes)
    assert_same(one, other)
    return other, tapes


@pytest.mark.parametrize("name", [name for name in shipped_recipes() if needs.plan(name).regions])
def test_a_shipped_recipe_paints_the_same_when_its_steps_are_replayed(
    name: str, small_weights: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strokes, "_most", lambda within: within.shape[1])  # as on a GPU
    changes = [*less(name, None), *smaller(name, None)[1::2], *(ROWS[name].changes if name in ROWS else ())]
    for node, spec in needs.specs(name):
        changes += [f"{node}.classes=[1, 2]"] if spec.name == "biggan.canvas" else []
        changes += [f"{node}.steps=8"] if spec.role == "optimizer" else []
    families = needs.weights(name) | needs.small(name)
    changes += [f"{key}={small_weights(family)}" for key, family in families.items()]
    made, tapes = both(read(name, overrides=changes), tmp_path)
    assert made.heard.warned == []
    assert tapes.replayed >= 3 * 5


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("weight: 2", "weight: {0: 2, 100%: 0.5}"),
        ("rate: 0.05", "rate: {0: 0.1, 100%: 0.02}"),
        ("crops: $cuts", "crops: $cuts, by: {0: 0.1, 100%: 2}"),
        ("size: 16", "size: 16, saturate_bound: true"),
        ("reference: $photo", "reference: $blend"),
    ],
)
def test_what_changes_over_time_is_fed_to_replayed_steps(now: str, then: str, tmp_path: Path) -> None:
    blend = """
  other: {use: images.noise, size: [24, 24], kind: uniform}
  blend: {use: images.blend, image: $photo, over: $other, amount: {0: 0, 100%: 1}}
"""
    made, tapes = both(RECIPE.replace(now, then) + blend * ("$blend" in then), tmp_path)
    assert made.heard.warned == []
    assert (tapes.recorded, tapes.replayed) == (PARTS, PARTS * 6)


def test_steps_are_recorded_anew_when_a_whole_number_changes(tmp_path: Path) -> None:
    made, tapes = both(RECIPE.replace("count: 4", "count: {0: 4, 3: 4, 4: 6}"), tmp_path)
    assert made.heard.warned == []
    assert tapes.recorded == PARTS * 2


def test_a_node_that_is_another_in_every_step_is_named_once(tmp_path: Path) -> None:
    made, tapes = both(RECIPE.replace("count: 4", "count: {0: 4, 100%: 40}").replace("steps: 9", "steps: 30"), tmp_path)
    (warned,) = made.heard.warned
    assert "`cuts` changes in every step" in warned
    assert tapes.recorded == 0


def test_a_node_that_asks_for_a_value_is_named_and_its_steps_are_taken_node_by_node(tmp_path: Path) -> None:
    made, tapes = both(RECIPE.replace("mine.dark", "mine.asking"), tmp_path)
    (warned,) = made.heard.warned
    assert "`part` (mine.asking)" in warned
    assert tapes.replayed == 0


def test_a_node_that_reads_the_clock_is_named(tmp_path: Path) -> None:
    made, tapes = both(RECIPE.replace("mine.dark", "mine.timely"), tmp_path)
    (warned,) = made.heard.warned
    assert "`part` (mine.timely) reads the clock" in warned
    assert tapes.replayed == 0


def test_an_optimizer_that_asks_takes_its_own_step_and_the_rest_is_replayed(tmp_path: Path) -> None:
    made, tapes = both(RECIPE.replace("optimizers.adam", "optimizers.rmsprop"), tmp_path)
    assert made.heard.warned == []
    assert (tapes.recorded, tapes.replayed) == (PARTS - 1, (PARTS - 1) * 6)


@pytest.mark.parametrize("passes", [2, 4])
def test_passes_are_replayed_together(passes: int, tmp_path: Path) -> None:
    _, tapes = both(RECIPE.replace("steps: 9", f"steps: 9, accumulate: {passes}, average: 0.5"), tmp_path)
    assert (tapes.recorded, tapes.replayed) == (PARTS, PARTS * 6)


@pytest.mark.parametrize(
    "how", ["hold: 2", "edge_steps: 2, carry: false", "hold: 0.5, edge_steps: 1, move: picture", "loop: 2, rate: 0.1"]
)
def test_the_frames_of_a_film_are_replayed_too(how: str, tmp_path: Path) -> None:
    made, tapes = both(FILM.replace("turn: 3", f"turn: 3, {how}"), tmp_path)
    assert made.heard.warned == []
    assert tapes.recorded == PARTS
    assert tapes.replayed >= PARTS * (4 + 5 * 4 - 3)


def test_a_part_that_is_cut_out_elsewhere_at_each_step_keeps_a_step_from_being_recorded(tmp_path: Path) -> None:
    cut = "  cut:    {use: images.cut, image: $canvas, part: {0: [0, 0, 0.7, 1], 100%: [0.3, 0, 1, 1]}}\n"
    made, _ = both(RECIPE.replace("uniform, image: $canvas", "uniform, image: $cut") + cut, tmp_path)
    (warned,) = made.heard.warned
    assert "`cut` (images.cut)" in warned


def test_a_camera_holds_a_picture_that_the_loss_does_not_see(tmp_path: Path) -> None:
    soft = "  soft:   {use: images.blend, image: $canvas, over: $photo, amount: 0.3}\n"
    film = FILM.replace(
        "fit:    {use: optimizers.adam, image: $canvas", soft.lstrip() + "  fit:    {use: optimizers.adam, image: $soft"
    )
    made, tapes = both(film.replace("turn: 3", "turn: 3, hold: 5"), tmp_path)
    assert made.heard.warned == []
    assert tapes.recorded == PARTS


def test_a_canvas_that_asks_when_it_settles_is_named(tmp_path: Path) -> None:
    made, _ = both(RECIPE.replace("canvas.pixels", "mine.bounded"), tmp_path)
    (warned,) = made.heard.warned
    assert "`canvas` (mine.bounded)" in warned


@pytest.mark.parametrize("verb", ["run", "resume"])
@pytest.mark.parametrize(("option", "recorded"), [("--capture", PARTS), ("--no-capture", 0)])
def test_recording_can_be_turned_off(
    verb: str, option: str, recorded: int, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    tapes = Tapes()
    monkeypatch.setattr(session, "recorder", lambda device, recording: None if recording == "off" else lambda: tapes)
    told = command("run", COPY, option)
    assert told.code == 0, told.err
    if verb == "resume":
        assert told.folder
        (told.folder / "events.jsonl").unlink()
        tapes.recorded = 0
        assert command("resume", str(told.folder), option).code == 0
    assert tapes.recorded == recorded


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # which torch.compile itself raises
def test_nodes_are_compiled_before_they_are_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graphs: list[object] = []

    def backend(graph: torch.fx.GraphModule, inputs: object) -> Callable[..., Any]:
        graphs.append(inputs)
        return graph.forward

    monkeypatch.setattr(compiled, "BACKEND", backend)
    how = "steps: 9, accumulate: 2"
    recipe = RECIPE.replace("steps: 9", how).replace("crops: $cuts", "crops: $cuts, by: {0: 0.1, 100%: 2}")
    made, tapes = both(recipe, tmp_path, Tapes(compiles=True))
    assert made.heard.warned == []
    assert len(graphs) >= 4  # the canvas, the loss, crops, and how dark they are
    assert (tapes.recorded, tapes.replayed) == (PARTS, PARTS * 5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_steps_are_recorded_even_if_nodes_cannot_be_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def backend(graph: object, inputs: object) -> Callable[..., Any]:
        raise RuntimeError("no compiler found")

    monkeypatch.setattr(compiled, "BACKEND", backend)
    made, tapes = both(RECIPE, tmp_path, Tapes(compiles=True))
    (warned,) = made.heard.warned
    assert "no compiler found" in warned
    assert "\n" not in warned
    assert tapes.replayed == PARTS * 5


def test_compiling_is_for_what_is_recorded(command: Command) -> None:
    told = command("run", COPY, "--compile", "--no-capture")
    assert told.code == 2
    assert "can't go with `--no-capture`" in told.err
    told = command("run", COPY, "--compile")
    assert told.code == 0
    assert "this run continues without it" in told.err


class Full(Tapes):
    """Tapes for which there is no room."""

    def record(self, act: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_without_memory_for_a_recording_steps_are_taken_node_by_node(tmp_path: Path) -> None:
    made, _ = both(RECIPE, tmp_path, Full())
    (warned,) = made.heard.warned
    assert "memory" in warned


def test_without_memory_for_a_step_it_is_judged_in_more_passes_and_then_recorded(tmp_path: Path) -> None:
    made, tapes = both(RECIPE.replace("mine.dark", "mine.greedy"), tmp_path)
    assert made.heard.warned == []
    assert (tapes.recorded, tapes.replayed) == (PARTS, PARTS * 6)


@pytest.mark.parametrize("recipe", [RECIPE, FILM.replace("turn: 3", "turn: 3, hold: 1, edge_steps: 1")])
def test_a_run_that_is_stopped_while_steps_are_replayed_resumes_to_the_same(recipe: str, tmp_path: Path) -> None:
    plan = compile_recipe(read_text(recipe, "mine.yaml", tmp_path))
    whole = painted(plan, tmp_path / "whole", Tapes())
    asked: list[None] = []
    saved: list[Checkpoint] = []

    def stopping() -> bool:
        asked.append(None)
        return len(asked) == 9

    def save(state: Checkpoint) -> None:
        state.save(tmp_path)
        saved.append(state)

    painted(plan, tmp_path / "part", Tapes(), stopping=stopping, save=save)
    rest = painted(plan, tmp_path / "part", Tapes(), saved[-1])
    whole.losses, whole.pictures = whole.losses[-len(rest.losses) :], whole.pictures[-len(rest.pictures) :]
    assert 0 < len(rest.losses) < len(saved) + 99
    assert_same(whole, rest)
