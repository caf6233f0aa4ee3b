"""`t2iflow plan` says how long a run will take, from one like it or from a few steps."""

import json
from pathlib import Path

import pytest
import torch

from t2iflow.pipelines.plan.plan import Plan
from t2iflow.runner.events import Ended, Filmed, Fitting, Started, Stepped
from t2iflow.runner.preview import estimate
from t2iflow.runner.timing import figures
from t2iflow.runner.timing.figures import Stopwatch
from tests.compiled import compiled
from tests.runner.conftest import COPY, Command

CPU = torch.device("cpu")
FILM = COPY.replace("image: $canvas, every: 2}", "image: $zoom, fps: 12}") + (
    "  zoom: {use: camera.zoom, image: $fit, frames: 31, steps: 2}\n"
)


def plan_of(text: str) -> Plan:
    return compiled(text)


def played(
    plan: Plan, frames: int = 0, how: str = "finished", spared: bool = False, seconds: float = 2, steps: int = 6
) -> None:
    """A run of 6 steps of 2 seconds, of which the first takes 5, and frames of 3 seconds beside their steps."""
    watch, image = Stopwatch(plan, CPU, lambda: spared), torch.zeros(1, 3, 10, 20)
    watch(Started("mine", Path("runs/x"), "cpu", "", 6, at=100))
    watch(Fitting("fit", 0, 6, at=110))
    now = 113.0
    for step in range(steps):
        now += seconds
        watch(Stepped("fit", step, 6, torch.zeros(()), image, at=now))
    for frame in range(frames):
        watch(Filmed("fit", frame, frames, image, at=now + 1))
        for step in range(2):
            now += 2 if step else 5
            watch(Stepped("fit", step, 6, torch.zeros(()), image, at=now))
    watch(Ended(how, 0.0, at=now + 1))  # type: ignore[arg-type]


def rows(plan: Plan) -> dict[str, str]:
    found = figures.known(plan, CPU)
    return dict(estimate.rows(plan, found)) if found else {}


def test_a_run_teaches_how_long_one_of_other_length_prompt_and_seed_takes() -> None:
    played(plan_of(COPY))
    told = rows(plan_of(COPY.replace("steps: 6", "steps: 50").replace("rate: 0.05", "rate: 0.1") + "seed: 5\n"))
    assert told["fit"] == "50 steps, 2.0 s each: 1 min 40 s"
    assert told["once"].endswith(": 16 s")
    assert told["in all"] == "about 1 min 56 s: 1 min 15 s to 2 min 37 s"
    assert told["how sure"].startswith("within 35%, from 5 steps on ")


def test_a_run_for_which_all_was_loaded_already_teaches_no_more_than_its_steps() -> None:
    played(plan_of(COPY), spared=True)
    assert not rows(plan_of(COPY))
    played(plan_of(COPY))
    before = rows(plan_of(COPY))
    played(plan_of(COPY), spared=True)
    assert rows(plan_of(COPY)) == before


def test_one_run_on_a_busy_machine_does_not_change_what_is_known() -> None:
    plan = plan_of(COPY)
    for seconds in (2, 19, 2.1):
        played(plan, seconds=seconds)
    assert rows(plan)["fit"].startswith("6 steps, 2.1 s each")
    for _ in range(3):  # but a machine that has become slow has
        played(plan, seconds=4)
    assert rows(plan)["fit"].startswith("6 steps, 4.0 s each")


def test_the_frames_of_a_film_are_reckoned_beside_their_steps() -> None:
    plan = plan_of(FILM)
    played(plan, frames=4)
    told = rows(plan)
    assert told["fit"] == "66 steps, 2.0 s each: 2 min 12 s"
    assert told["zoom"] == "31 frames, 3.0 s each besides their steps: 1 min 33 s"


@pytest.mark.parametrize(
    "change",
    [
        ("[24, 24]}\n  same", "[32, 24]}\n  same"),
        ("kind: fractal", "kind: uniform"),
        ("optimizers.adam", "optimizers.sgd"),
    ],
)
def test_another_size_kind_or_node_is_another_run(change: tuple[str, str]) -> None:
    played(plan_of(COPY))
    assert COPY.replace(*change) != COPY
    assert not rows(plan_of(COPY.replace(*change)))


def test_a_run_that_failed_or_took_no_step_teaches_nothing() -> None:
    played(plan_of(COPY), how="failed")
    played(plan_of(COPY), steps=0)
    assert not rows(plan_of(COPY))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"steps": {"fit": {"seconds": 1}}}', '{"steps": 3}'])
def test_figures_that_are_damaged_are_none(text: str) -> None:
    played(plan_of(COPY))
    (file,) = figures.folder().iterdir()
    file.write_text(text, "utf-8")
    assert not rows(plan_of(COPY))


def test_sure_is_what_many_steps_say() -> None:
    sure = figures.Figures({"fit": figures.StepTime(1.0, 0.1, 400)}, once=0.0, day="2026-01-01")
    assert dict(estimate.rows(plan_of(COPY), sure))["in all"] == "about 6.0 s: 5.1 s to 6.9 s"
    wild = figures.Figures({"fit": figures.StepTime(1.0, 1.2, 4)}, once=0.0, day="2026-01-01")
    assert dict(estimate.rows(plan_of(COPY), wild))["in all"] == "about 6.0 s: 2.4 s to 9.6 s"


def test_frames_that_a_closing_film_keeps_are_added_to_the_memory() -> None:
    short = plan_of(FILM.replace("steps: 2}", "steps: 2, loop: 2}"))
    long = plan_of(FILM.replace("frames: 31, steps: 2}", "frames: 100, steps: 2, loop: 40}"))
    found = figures.Figures({"fit": figures.StepTime(1, 0, 9)}, memory=10**6, pictures={"fit": 10**6}, day="2026-01-01")
    memory = [float(dict(estimate.rows(plan, found))["memory"].split()[1]) for plan in (short, long)]
    assert memory[1] - memory[0] == 38


def test_plan_measures_a_few_steps_on_request_and_remembers(command: Command, tmp_path: Path) -> None:
    first = command("plan", FILM, "--set", "steps=300")
    assert "unknown yet" in first.out
    told = command("plan", FILM, "--set", "steps=300", "--measure")
    assert told.code == 0, told.err
    assert "fit 360 steps, " in " ".join(told.out.split())
    assert "zoom 31 frames, " in " ".join(told.out.split())
    assert "GB at the peak" in told.out or "MB at the peak" in told.out
    assert not (tmp_path / "runs").exists()
    again = command("plan", FILM, "--set", "steps=300")
    assert "in all" in again.out


def test_a_run_is_known_to_plan(command: Command) -> None:
    assert command("run", COPY).code == 0
    assert "6 steps, " in command("plan", COPY).out.partition("time and memory:")[2]


def test_what_cannot_be_measured_is_told_and_nothing_is_fetched(command: Command) -> None:
    recipe = COPY.replace("canvas.pixels, size: [24, 24]", "vqgan.canvas, weights: imagenet-f16-16384, size: [64, 64]")
    told = command("plan", recipe, "--measure")
    assert told.code == 0
    assert "could not be measured: " in told.out


def test_the_length_of_a_film_is_told_in_seconds(command: Command) -> None:
    told = command("plan", FILM)
    assert "shown 31 frames, 2.583 s at 12 fps" in told.out
    told = command("plan", FILM.replace("fps: 12", "fps: 12, order: boomerang"))
    assert "shown 31 frames, 5 s at 12 fps" in told.out


@pytest.mark.parametrize(
    "camera",
    [
        "camera.zoom, image: $fit, frames: 31, steps: 2",
        "camera.zoom, image: $fit, frames: 31, steps: 2, loop: 5",
        "camera.zoom, image: $fit, frames: 31, steps: 2, every: 4",
        "camera.infinite, image: $fit, frames: 31, steps: 2",
        "camera.infinite, image: $fit, frames: 31, steps: 2, scale: 1.1, every: 3",
    ],
)
def test_as_many_steps_are_expected_as_are_taken(command: Command, camera: str) -> None:
    told = command(
        "run", COPY.replace("image: $canvas, every: 2}", f"image: $zoom}}\n  zoom: {{use: {camera}}}"), "--json"
    )
    events = [json.loads(line) for line in told.out.splitlines()]
    expected = next(event["steps"] for event in events if event["type"] == "started")
    assert expected == next(event["steps"] for event in events if event["type"] == "fitting")
