"""A run that was stopped, by whatever, ends with the same bytes as one that was not."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.runner.conftest import COPY, Command, finished_alone, signalled

LONG = COPY.replace("steps: 6", "steps: 400").replace("every: 2", "every: 40")


def stopped_at(step: int, number: int, folder: Path) -> Path:
    """Run LONG in a process of its own and send it a signal when it says that it has reached the step."""

    def reached(event: dict[str, Any]) -> bool:
        return event["type"] == "stepped" and event["step"] >= step

    return signalled(folder, LONG, number, reached, "--checkpoint", "0")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nothing stopped."""
    return finished_alone(tmp_path_factory.mktemp("unbroken"), LONG)


def resumed(run: Path, unbroken: Path, command: Command) -> None:
    """See that it ends with the same bytes as the one that nothing stopped."""
    told = command("resume", str(run))
    assert told.code == 0, told.err
    assert told.err.startswith("mine: resuming")
    for name in ("picture.png", "film.mp4", "recipe.yaml"):
        assert (run / name).read_bytes() == (unbroken / name).read_bytes(), name
    assert not (run / "checkpoint.pt").exists()


def test_a_run_that_is_killed_ends_with_the_same_bytes(unbroken: Path, tmp_path: Path, command: Command) -> None:
    resumed(stopped_at(170, signal.SIGKILL, tmp_path), unbroken, command)


def test_a_run_that_is_interrupted_says_how_to_go_on_leaves_a_film_and_ends_with_the_same_bytes(
    unbroken: Path, tmp_path: Path, command: Command
) -> None:
    run = stopped_at(100, signal.SIGINT, tmp_path)
    assert {"checkpoint.pt", "film.mp4", "report.html"} <= {path.name for path in run.iterdir()}
    last = json.loads((run / "events.jsonl").read_text().splitlines()[-1])
    assert last["how"] == "interrupted"
    assert "t2iflow resume" in last["message"]
    resumed(run, unbroken, command)


def test_a_finished_run_is_not_resumed(command: Command) -> None:
    told = command("run", COPY)
    for change in ([], ["--set", "fit.rate=0.02"]):
        again = command("resume", str(told.folder), *change)
        assert again.code == 2
        assert "is finished" in again.err
        assert f"`t2iflow fork {told.folder} --at STEP --set ...`" in again.err.replace("\n", " ")


def test_a_file_of_a_run_is_met_with_its_folder(command: Command) -> None:
    told = command("run", COPY)
    assert told.folder
    again = command("resume", str(told.folder / "recipe.yaml"))
    assert again.code == 2
    assert f"t2iflow resume {told.folder}" in again.err.replace("\n", " ")


@pytest.mark.parametrize("verb", ["resume", "verify"])
@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "mine.yaml/there", "loop", ""])
def test_what_can_be_no_folder_is_refused(verb: str, name: str, command: Command, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "mine.yaml").touch()
    assert command(verb, name).code == 2


def test_a_folder_that_is_no_run_is_refused(command: Command, tmp_path: Path) -> None:
    told = command("resume", str(tmp_path))
    assert told.code == 2
    assert "not a run folder" in told.err
