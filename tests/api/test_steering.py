"""A run is steered from Python: one that goes on, without a step lost, and one that was stopped."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import t2iflow
from t2iflow.nodes.core.ambient import Tick
from t2iflow.runner.execution.stage import Stage
from t2iflow.runner.signals import Stop
from tests.runner.conftest import COPY

CHANGING = COPY.replace("rate: 0.05", "rate: {0: 0.05, 100%: 0.01}")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs wait at a step until one is asked to stop or to pause, lest they end before."""
    asked = threading.Event()

    def then_on(ask: Callable[[Stop], None]) -> Callable[[Stop], None]:
        return lambda stop: (ask(stop), asked.set())[0]

    def move(stage: Stage, tick: Tick, *given: Any) -> float:
        assert tick.step != 20 or asked.wait(60)
        return real(stage, tick, *given)

    real = Stage.move
    monkeypatch.setattr(Stage, "move", move)
    for name in ("ask", "pause"):
        monkeypatch.setattr(Stop, name, then_on(getattr(Stop, name)))


def picture(run: t2iflow.Run) -> bytes:
    return (run.folder / "picture.png").read_bytes()


def test_a_run_that_goes_on_is_steered_and_goes_on(going: Callable[..., t2iflow.Run]) -> None:
    run = going()
    for event in run:
        if event["type"] == "stepped" and event["step"] >= 20:
            break
    assert run.steer(set={"fit.rate": 0.2}) is run
    assert run.state == "running"
    with pytest.raises(t2iflow.RecipeError, match=r"fit\.rate"):
        run.steer(set={"fit.rate": -1})
    with pytest.raises(t2iflow.RunError, match="you can steer"):
        run.steer(set={"canvas.size": [8, 8]})
    assert run.state == "running", "with the recipe that it had"
    run.stop()
    assert run.state == "stopped"
    assert "ease: hold}" in (run.folder / "recipe.yaml").read_text()
    steps = [event["step"] for event in run if event["type"] == "stepped"]
    assert steps == sorted({*steps}), "no step is taken twice"


@pytest.mark.usefixtures("held")
def test_a_run_that_was_stopped_is_steered_and_resumed() -> None:
    run = t2iflow.run(CHANGING, steps=200, wait=False)
    next(event for event in run if event["type"] == "stepped")
    run.stop()
    with pytest.raises(t2iflow.RecipeError):
        run.steer(set={"fit.rate": -1})
    assert run.steer(set={"fit.rate": 0.3}).state == "finished"
    assert "rate: {before: " in (run.folder / "recipe.yaml").read_text()


@pytest.mark.usefixtures("held")
def test_the_picture_of_a_steered_run_is_that_of_its_recipe() -> None:
    run = t2iflow.run(CHANGING, steps=200, wait=False)
    next(event for event in run if event["type"] == "stepped")
    run.steer(set={"fit.rate": 0.2})
    run.wait()
    again = t2iflow.run(run.folder / "recipe.yaml", show=False)
    assert picture(run) == picture(again)
    with pytest.raises(t2iflow.RunError, match="finished"):
        run.steer(set={"fit.rate": 0.1})
