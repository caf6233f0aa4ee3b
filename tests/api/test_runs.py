"""Runs from Python: begun, watched, stopped, resumed; and what is raised where one can't be."""

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import t2iflow
from tests.api.conftest import LONG
from tests.runner.conftest import COPY
from tests.studios import until

FAILS = """
import weakref
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.types import Image, Loss

held = []

@node
def fails(image: Image, reference: Image) -> Loss:
    large = image + reference
    held.append(weakref.ref(large))
    raise ValueError("no more of this")
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def steps_of(run: t2iflow.Run) -> Iterator[int]:
    """The steps of a run as they come."""
    return (event["step"] for event in run if event["type"] == "stepped")


def test_a_run_has_its_picture_its_files_its_losses_and_its_events() -> None:
    run = t2iflow.run(COPY, steps=4, show=False)
    assert run.state == "finished"
    assert not run.message
    assert run.image is not None
    assert run.image.size == (24, 24)
    assert [image.size for image in run.images] == [(24, 24)]
    assert [path.name for path in run.files] == ["picture.png", "film.mp4"]
    assert [row.step for row in run.losses] == [0, 1, 2, 3]
    assert [event["type"] for event in run][-1] == "ended"
    assert repr(run) == f"<Run finished: {run.folder}>"


@pytest.mark.parametrize("form", ["a file", "a path", "a text", "a mapping", "a picture"])
def test_a_recipe_is_given_in_any_form_and_the_picture_is_the_same(form: str, tmp_path: Path) -> None:
    import yaml

    (tmp_path / "mine.yaml").write_text(COPY, encoding="utf-8")
    first = t2iflow.run("mine.yaml", steps=2, show=False)
    recipe = {
        "a file": "mine.yaml",
        "a path": tmp_path / "mine.yaml",
        "a text": COPY,
        "a mapping": yaml.safe_load(COPY),
        "a picture": first.folder / "picture.png",
    }[form]
    again = t2iflow.run(recipe, steps=2, show=False)
    assert pixels(again) == pixels(first)


def pixels(run: t2iflow.Run) -> bytes:
    """The picture of a run."""
    assert run.image is not None
    return run.image.tobytes()


@pytest.mark.parametrize("size", [[32, 16], (32, 16), "[32, 16]", np.array([32, 16]), torch.tensor([32, 16])])
def test_settings_are_pythons_values_or_texts_as_the_command_takes_them(size: object) -> None:
    run = t2iflow.run(COPY, steps=1, set={"canvas.size": size, "photo.size": size}, seed=np.int64(5), show=False)
    assert run.image is not None
    assert run.image.size == (32, 16)
    assert "\nseed: 5\n" in (run.folder / "recipe.yaml").read_text("utf-8")


def test_keyframes_are_a_mapping() -> None:
    plan = t2iflow.plan(COPY, set={"fit.rate": {0: 0.1, "100%": 0.01}})
    assert "fit.rate" in "\n".join(plan.sections["schedules"])


def test_a_param_is_given_with_underscores_for_dashes() -> None:
    recipe = COPY.replace("{steps: 6}", "{steps: 6, learning-rate: 0.1}").replace("rate: 0.05", "rate: $learning-rate")
    run = t2iflow.run(recipe, steps=1, learning_rate=0.5, show=False)
    assert "learning-rate: 0.5" in (run.folder / "recipe.yaml").read_text("utf-8")


def test_a_prompt_is_taken_as_it_is() -> None:
    recipe = COPY.replace("{steps: 6}", "{steps: 6, prompt: a fox}").replace(
        "  still:",
        "  clip: {use: clip.model, name: lite}\n  words: {use: clip.text, clip: $clip, prompt: $prompt}\n  still:",
    )
    for prompt in (
        "a cat, 100% red: $5 #1",
        'she said "no"',
        "C:\\dir",
        "a\nb",
        "null",
        "[a, b]",
        "{a: 1}",
        " a ",
        "5",
    ):
        plan = t2iflow.plan(recipe, prompt=prompt)
        assert plan.plan.graph.nodes["words"].settings["prompt"] == prompt


def test_mistakes_of_a_recipe_are_raised_as_the_command_prints_them() -> None:
    with pytest.raises(t2iflow.RecipeError) as caught:
        t2iflow.run(COPY.replace("canvas.pixels", "canvas.pixel"), stepps=3)
    assert {problem.code for problem in caught.value.problems} >= {"T2I110", "T2I201"}
    assert "did you mean `canvas.pixels`?" in str(caught.value)
    assert "--> the call\n   |\n 1 | stepps=3\n   | ^^^^^^\n   = did you mean `steps`?" in str(caught.value)
    assert "--> the recipe:7:17" in str(caught.value)


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [
        ({"device": "cuda:77"}, 2, "(no CUDA device|there is no `cuda:77`)"),
        ({"device": "tpu"}, 2, "unknown device `tpu`"),
        ({"checkpoint": -1}, 2, "`checkpoint` is -1, and must be at least 0"),
        ({"frames": 3}, 2, "this recipe has no camera"),
        ({"out": "/proc/runs"}, 1, "can't make a run folder"),
    ],
)
def test_what_cannot_be_done_is_raised_with_the_commands_exit_code(how: dict[str, str], code: int, words: str) -> None:
    with pytest.raises(t2iflow.RunError, match=words) as caught:
        t2iflow.run(COPY, show=False, **how)  # type: ignore[arg-type]
    assert caught.value.code == code
    assert f"exit code {code}: {caught.value.meaning}" in str(caught.value)


def test_a_run_that_fails_is_raised_with_its_folder_when_it_is_waited_for(plugin: Callable[[str], None]) -> None:
    plugin(FAILS)
    run = t2iflow.run(COPY.replace("losses.reference", "mine.fails"), wait=False)
    with pytest.raises(t2iflow.RunError) as caught:
        run.wait()
    assert caught.value.run is run
    assert run.state == "failed"
    assert run.message.startswith("no more of this\n  --> the recipe:8:3, node `same`")
    assert str(caught.value) == f"{run.message}\n(exit code 1: failed)"
    assert isinstance(caught.value.__cause__, Exception)
    assert sys.modules["mine_module"].held[0]() is None  # what failed for want of memory gives it back
    assert pickle.loads(pickle.dumps(caught.value)).run.folder == run.folder


def test_a_run_that_is_stopped_and_resumed_makes_the_same_bytes() -> None:
    stopped = t2iflow.run(COPY, steps=400, wait=False)
    assert next(steps_of(stopped)) == 0
    stopped.stop()
    assert stopped.state == "stopped"
    assert f"t2iflow.resume('{stopped.folder}')" in stopped.message
    resumed = stopped.resume(show=False)
    whole = t2iflow.run(COPY, steps=400, show=False)
    assert resumed.state == "finished"
    assert (resumed.folder / "picture.png").read_bytes() == (whole.folder / "picture.png").read_bytes()


def test_a_run_is_the_same_when_the_program_changes_its_working_folder(
    going: Callable[..., t2iflow.Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = going()
    until(lambda: first.state == "running" and first.losses)
    second = t2iflow.run(COPY, steps=2, wait=False)
    sweep = t2iflow.sweep(COPY, each={"seed": [0, 1]}, wait=False)
    listed = t2iflow.runs()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    sweep.stop()
    assert first.stop().state == "stopped"
    assert second.wait().image is not None
    assert first.resume(wait=False).stop().folder == listed[0].folder == first.folder
    assert t2iflow.Sweep(sweep).cells[1].values["seed"] == 1
    assert not list(Path().iterdir())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_a_run_in_a_program_of_another_precision_makes_the_same_bytes(dtype: torch.dtype) -> None:
    usual = t2iflow.run(COPY, show=False)
    torch.set_default_dtype(dtype)
    try:
        other = t2iflow.run(COPY, show=False)
        assert torch.get_default_dtype() == dtype
    finally:
        torch.set_default_dtype(torch.float32)
    assert other.files[0].read_bytes() == usual.files[0].read_bytes()


def test_runs_of_one_process_take_turns_and_make_the_bytes_of_single_ones() -> None:
    with torch.no_grad():  # which is the caller's own
        runs = [t2iflow.run(COPY, steps=40, seed=seed, wait=False) for seed in (1, 2, 1)]
    first, second, third = (run.wait() for run in runs)
    assert [run.state for run in runs] == ["finished"] * 3
    assert pixels(first) == pixels(third) != pixels(second)
    times = [[event["date"] for event in run if event["type"] == "started"] for run in runs]
    assert times == sorted(times)


def test_a_run_that_waits_for_its_turn_can_be_stopped_before_it_begins(going: Callable[..., t2iflow.Run]) -> None:
    first = going()
    assert next(steps_of(first)) == 0
    second = going()
    assert (first.state, second.state) == ("running", "waiting")
    second.stop()
    assert second.state == "stopped"
    assert second.message == "stopped before it began"
    assert not second.folder.exists()
    assert list(second) == []


def test_an_interrupt_stops_the_run_with_a_checkpoint_and_says_how_to_resume(
    going: Callable[..., t2iflow.Run],
) -> None:
    run = going()
    handler = signal.getsignal(signal.SIGINT)
    steps = steps_of(run)
    next(steps)
    threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt, match=r"interrupted after \d+ of") as caught:
        run.wait()
    assert f"t2iflow.resume('{run.folder}')" in str(caught.value)
    assert run.state == "stopped"
    assert (run.folder / "checkpoint.pt").is_file()
    assert signal.getsignal(signal.SIGINT) is handler


def test_any_process_can_look_at_a_run_and_the_end_of_its_program_stops_it(tmp_path: Path) -> None:
    code = f"import sys, t2iflow\nt2iflow.run({COPY!r}, steps={LONG}, out='there', wait=False)\nsys.stdin.read()"
    program = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdin=subprocess.PIPE)
    (log,) = until(lambda: list(tmp_path.glob("there/2*/events.jsonl")))
    run = t2iflow.Run(log.parent)
    assert next(steps_of(run)) == 0
    assert run.state == "running"
    with pytest.raises(t2iflow.RunError, match="only by the process that started"):
        run.stop()
    program.communicate()
    assert program.returncode == 0
    assert run.state == "stopped"
    assert (run.folder / "film.mp4").is_file()  # what is painted so far
