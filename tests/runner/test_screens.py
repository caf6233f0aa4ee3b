"""What a person sees in a terminal while a run goes on, and of its end."""

import io
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from t2iflow.runner.console import Console
from t2iflow.runner.events import Computing, Ended, Event, Fitted, Fitting, Noted, Started, Stepped, Wrote
from t2iflow.runner.progress import Reporter
from t2iflow.runner.sweep import events as sweep
from t2iflow.runner.sweep import progress
from t2iflow.runner.timing.duration import duration
from tests.runner.conftest import COPY, Command

Screen = Callable[..., str]


@pytest.fixture
def screen(tmp_path: Path) -> Screen:
    """What a terminal (or a file) of some width shows of events."""

    def show(*events: Event, width: int = 80, terminal: bool = True) -> str:
        file = io.StringIO()
        reporter = Reporter(Console(file=file, width=width, force_terminal=terminal, color_system=None))
        for event in events:
            reporter(event)
        return file.getvalue()

    return show


def lines(shown: str) -> list[str]:
    """What a terminal was sent, line by line, without what moves its cursor."""
    return [line for line in re.split(r"[\r\n]+", re.sub(r"\x1b\[[?\d]*[A-Za-z]", "", shown)) if line.strip()]


def started(*optimizers: tuple[str, int], resumed: bool = False, folder: str = "runs/x") -> Started:
    return Started("mine", Path(folder), "cpu", "asked for", 0, resumed, optimizers=optimizers, at=0)


def stepped(step: int, steps: int, at: float) -> Stepped:
    return Stepped("sketch", step, steps, torch.tensor(0.5), torch.zeros(1, 3, 4, 4), at=at)


@pytest.mark.parametrize("text", ["[red]fox[/red]", ":x: a fox", "[/]", "[link=x]fox", "[bold", "\\[red]"])
def test_nothing_in_a_text_is_markup(screen: Screen, text: str) -> None:
    shown = screen(
        Started(text, Path("runs") / text, "cpu", text, 1),
        Noted("words", "warn", text),
        Noted("words", "say", text),
        Wrote(Path(text)),
        Ended("finished", 1.0),
        width=200,
    )
    assert shown.count(text) >= 6


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_of_the_bar_is_so_long_that_a_terminal_breaks_it_at_ctrl_c(screen: Screen, width: int) -> None:
    steps = [stepped(step, 1000, step + 1) for step in range(3)]
    fit = Fitting("sketch", 0, 1000, at=0)
    shown = screen(started(("sketch", 1000)), Computing("words"), fit, *steps, Ended("interrupted", 3.0), width=width)
    bars = [line for line in lines(shown) if "loss" in line]
    assert bars
    assert max(map(len, bars)) <= width - len("^C")


def test_a_terminal_that_can_draw_nothing_gets_plain_lines(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    run = lines(
        screen(started(("sketch", 50)), Fitting("sketch", 0, 50, at=0), *(stepped(n, 50, n) for n in range(25)))
    )
    assert [line.partition(",")[0] for line in run[2:]] == ["sketch: step 11 of 50", "sketch: step 21 of 50"]
    monkeypatch.setattr(progress, "LINE_EVERY", 0)
    file = io.StringIO()
    with progress.shown(Console(file=file, force_terminal=True, width=80)) as watch:
        watch(sweep.Begun(Path("sweeps/x"), 4, 1))
        watch(sweep.Going(1, 0, {"000-seed=0": 0.4, "001-seed=1": 0.25}, 180))
    assert lines(file.getvalue())[-1] == "1 of 4, about 3 min left; running: 000-seed=0 40%, 001-seed=1 25%"


def test_the_time_left_is_that_of_all_optimisers(screen: Screen) -> None:
    run = started(("sketch", 100), ("finish", 50))
    shown = screen(run, Fitting("sketch", 0, 100, at=0), stepped(9, 100, at=20.0), terminal=False)
    assert "sketch: step 10 of 100, loss 0.5000, 2.0 s/step, about 4 min 40 s left" in shown
    alone = screen(started(("sketch", 100)), Fitting("sketch", 0, 100, at=0), stepped(9, 100, at=20.0), terminal=False)
    assert "about 3 min left" in alone


def test_a_resumed_run_says_so(screen: Screen) -> None:
    assert "mine: resuming on cpu (asked for)" in screen(started(resumed=True), terminal=False)


def test_what_was_waited_for_leaves_no_line(screen: Screen) -> None:
    shown = screen(
        started(("sketch", 10)), Computing("words"), Fitting("sketch", 0, 10), Fitted("sketch", 10, torch.zeros(1)),
        Computing("best"), Ended("finished", 1.0),
    )  # fmt: skip
    assert [line.split()[0] for line in lines(shown)[-2:]] == ["sketch", "done"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (9.97, "10 s"),
        (59.7, "1 min"),
        (80, "1 min 20 s"),
        (7190, "2 h"),
        (3 * 86400 + 3600, "3 days 1 h"),
    ],
)
def test_spans_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_the_end_names_the_report(command: Command) -> None:
    told = command("run", COPY)
    assert told.folder
    assert f"report: runs/{told.folder.name}/report.html" in told.err.splitlines()


@pytest.mark.parametrize(
    ("prompt", "seed", "name"),
    [
        ("A red fox, oil painting", 3, "mine-a-red-fox-oil-painting-s3"),
        ("Café/../..\\: “naïve”", 0, "mine-cafe-naive-s0"),
        ("여우 한 마리", 0, "mine-s0"),
        ("a" * 300, 2**62, f"mine-s{2**62}"),
        ("[one fox, two foxes]", 0, "mine-one-fox-s0"),
        ("{a fox: 2, fog: -1}", 0, "mine-a-fox-s0"),
    ],
)
def test_a_folder_is_named_by_recipe_prompt_and_seed(command: Command, prompt: str, seed: int, name: str) -> None:
    recipe = COPY + "  eye: {use: clip.model}\n  words: {use: clip.text, clip: $eye, prompt: PROMPT}\n"
    written = prompt if prompt[0] in "[{" else f"'{prompt}'"
    told = command("run", recipe.replace("PROMPT", written), "--set", "steps=1", "--seed", str(seed))
    assert told.folder, told.err
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\d_\d{{6}}-{name}-[0-9a-f]{{4}}", told.folder.name)


def test_the_command_that_resumes_can_be_copied(command: Command, tmp_path: Path) -> None:
    recipe = COPY.replace("{use: output.video, image: $canvas, every: 2}", "{use: output.video, image: $zoom}")
    recipe += "  zoom: {use: camera.zoom, image: $fit, frames: 4, steps: 1}\n"
    told = command("run", recipe, "--frames", "..1", "--out", "my runs")
    line = next(line for line in told.err.splitlines() if "t2iflow resume" in line)
    folder = shlex.split(line)[2]
    assert (tmp_path / folder / "recipe.yaml").is_file()
