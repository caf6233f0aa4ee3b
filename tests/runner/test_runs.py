"""The list of runs."""

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from t2iflow.runner.cli.main import app
from t2iflow.runner.folder.claim import claim
from tests.runner.conftest import COPY, Command

ASKING = COPY.replace("steps: 6", "steps: 1, prompt: a red fox") + (
    "  lite: {use: clip.model}\n  fox: {use: clip.text, clip: $lite, prompt: $prompt}\n"
)
FAILING = """
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.types import Image

@node
def sad() -> Image:
    'Fail.'
    raise ValueError("no way on")
"""


@pytest.fixture
def made(command: Command, plugin: Callable[[str], None]) -> dict[str, Path]:
    """The folders of three runs: finished, failed, and killed before its end was written down."""
    plugin(FAILING)
    recipes = {
        "finished": ASKING,
        "failed": COPY.replace("images.noise, size: [24, 24], kind: fractal", "mine.sad"),
        "stopped": COPY.replace("steps: 6", "steps: 2"),
    }
    folders = {state: command("run", recipe, "--seed", "7").folder or Path() for state, recipe in recipes.items()}
    log = folders["stopped"] / "events.jsonl"
    log.write_text("".join(log.read_text("utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")
    return folders


def runs(command: Command, folder: str = "runs") -> dict[str, dict[str, Any]]:
    """What is listed, by the folder's name."""
    told = command("runs", folder, "--json")
    assert told.code == 0, told.err
    said = json.loads(told.out)
    assert said["schema"] == "t2iflow.runs/1"
    return {Path(run["folder"]).name: run for run in said["runs"]}


def test_runs_are_listed_with_state_recipe_prompt_seed_and_time(made: dict[str, Path], command: Command) -> None:
    listed = runs(command)
    assert {state: listed[folder.name]["state"] for state, folder in made.items()} == {state: state for state in made}
    finished, failed, stopped = (listed[folder.name] for folder in made.values())
    assert finished["recipe"] == "mine"
    assert finished["prompt"] == "a red fox"
    assert finished["seed"] == 7
    assert finished["seconds"] > 0
    assert finished["began"] <= failed["began"] <= stopped["began"]
    assert "no way on" in failed["message"]
    assert stopped["seconds"] is None
    head, *lines = command("runs", "runs").out.splitlines()
    assert head.split() == ["state", "began", "took", "recipe", "seed", "prompt", "folder"]
    assert {line.split()[0] for line in lines} == {*made}
    assert sum("a red fox" in line for line in lines) == 1


def test_the_last_to_begin_comes_last(made: dict[str, Path], command: Command) -> None:
    for name, date in {"finished": "2026-01-01T01:30:00+02:00", "failed": "2026-01-01T00:00:00+00:00"}.items():
        log = made[name] / "events.jsonl"
        first, rest = log.read_text("utf-8").split("\n", 1)
        log.write_text(json.dumps({**json.loads(first), "date": date}) + "\n" + rest, encoding="utf-8")
    assert [*runs(command)] == [made[name].name for name in ("finished", "failed", "stopped")]


def test_a_run_in_progress_is_listed_as_running(made: dict[str, Path], command: Command) -> None:
    stopped = made["stopped"]
    with claim(stopped):
        assert runs(command)[stopped.name]["state"] == "running"
    assert runs(command)[stopped.name]["state"] == "stopped"


def test_damaged_folders_are_named_and_the_others_listed(made: dict[str, Path], command: Command) -> None:
    for name in ("binary", "nothing", "other"):
        shutil.copytree(made["finished"], f"runs/{name}")
    Path("runs/binary/events.jsonl").write_bytes(bytes(range(256)))
    Path("runs/nothing/recipe.yaml").unlink()
    odd = '{"type": "started", "seed": [], "prompts": {}, "date": 3, "recipe": null}\n[1]\n'
    Path("runs/other/events.jsonl").write_text(odd, "utf-8")
    (made["stopped"] / "events.jsonl").write_bytes(b"")
    Path("runs/photos").mkdir()
    Path("runs/readme.txt").write_text("mine")
    told = {name: (one["state"], one["message"]) for name, one in runs(command).items()}
    assert told.pop(made["failed"].name)[0] == "failed"
    assert told == {
        "binary": ("damaged", "its events.jsonl is damaged"),
        "nothing": ("damaged", "its recipe.yaml doesn't exist"),
        "other": ("stopped", ""),
        made["finished"].name: ("finished", ""),
        made["stopped"].name: ("stopped", ""),
    }
    assert "its recipe.yaml doesn't exist" in command("runs", "runs").out


def test_a_folder_with_runs_in_it_lists_those(made: dict[str, Path], command: Command) -> None:
    assert {*runs(command, ".")} == {folder.name for folder in made.values()}


def test_the_runs_of_sweeps_are_listed_too(made: dict[str, Path], command: Command) -> None:
    sweep = Path("sweeps/mine")
    shutil.copytree(made["finished"], sweep / "runs" / "000-seed=0")
    for name in ("sweep.yaml", "recipe.yaml"):
        (sweep / name).write_text("")
    told = command("runs", ".")
    assert told.code == 0
    for name in (*(folder.name for folder in made.values()), "000-seed=0"):
        assert name in told.out
    assert {*runs(command, "sweeps")} == {*runs(command, str(sweep))} == {"000-seed=0"}
    for verb in ("bundle", "verify"):
        assert f"such as `{sweep / 'runs' / '000-seed=0'}`" in command(verb, str(sweep)).err


def test_where_there_are_no_runs_it_says_so(command: Command) -> None:
    told = command("runs", "nowhere")
    assert told.code == 2
    assert "there is no folder `nowhere`" in told.err
    Path("empty").mkdir()
    told = command("runs", "empty")
    assert told.code == 0
    assert told.err == "there are no runs in `empty`\n"
    assert runs(command, "empty") == {}
    Path("file").write_text("")
    assert "`file` is a file, not a folder of runs" in command("runs", "file").err


def test_where_it_looks_by_itself_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "there is no folder `runs` or `sweeps` here" in CliRunner().invoke(app, ["runs"]).stderr
    Path("runs").mkdir()
    assert CliRunner().invoke(app, ["runs"]).stderr == "there are no runs in `runs` or `sweeps`\n"


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that one may see, but not enter; not even as root, who else may."""
    folder, stat = tmp_path / "runs" / "locked", os.stat
    folder.mkdir(parents=True)

    def asked(path: Any, *given: Any, **how: Any) -> os.stat_result:
        if not isinstance(path, int) and folder in Path(os.fspath(path)).absolute().parents:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return stat(path, *given, **how)

    monkeypatch.setattr(os, "stat", asked)
    return folder


def test_a_locked_folder_hides_no_other(made: dict[str, Path], locked: Path, command: Command) -> None:
    assert {*runs(command, "runs")} == {folder.name for folder in made.values()}


@pytest.mark.parametrize("verb", ["resume", "verify", "bundle", "diff", "run", "check", "show"])
def test_of_a_locked_folder_commands_say_that_they_can_not_use_it(verb: str, locked: Path, command: Command) -> None:
    told = command(verb, str(locked), *(["hello"] if verb == "diff" else []))
    assert told.code in (2, 3)
    assert "locked" in told.err
