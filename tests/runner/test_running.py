"""While a run goes on there is a picture and a page to look at, which cost it next to nothing and claim no more than
they know."""

import os
import re
import signal
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import PIL.Image
import pytest
import torch

from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.text.recipe import read_text
from t2iflow.runner import session
from t2iflow.runner.events import Event, Fitting, Started, Stepped, Wrote
from t2iflow.runner.report import budget
from t2iflow.runner.report.budget import Budget
from t2iflow.runner.report.listener import Report
from tests.compiled import compiled
from tests.runner.conftest import COPY


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be time to write at every step."""
    monkeypatch.setattr(budget, "EVERY", 0.0)
    monkeypatch.setattr(budget, "SHARE", 1e12)


def run(folder: Path, look: Callable[[Event], None], text: str = COPY) -> session.Outcome:
    """A run that somebody looks at after each event: what they see is what the event before left."""
    plan = compiled(text, folder)
    return session.start(plan, folder / "runs", session.Options("cpu"), [look])


def here(folder: Path) -> Path:
    (made,) = (folder / "runs").iterdir()
    return made


@pytest.mark.usefixtures("always")
def test_a_run_can_be_looked_at_from_its_first_step_on(tmp_path: Path) -> None:
    seen: list[tuple[int, str, tuple[int, int]]] = []

    def look(event: Event) -> None:
        if isinstance(event, Stepped) and event.step:
            with PIL.Image.open(here(tmp_path) / "now.png") as picture:
                seen.append((event.step, (here(tmp_path) / "report.html").read_text("utf-8"), picture.size))

    outcome = run(tmp_path, look)
    assert [step for step, _, _ in seen] == [1, 2, 3, 4, 5]
    for step, page, size in seen:
        assert size == (24, 24)
        assert f"fit: step {step + 1} of 6" in page
        assert re.search(r"Running, as of \d\d:\d\d:\d\d", page)
        assert f"t2iflow resume {outcome.folder}" in page
        assert 'src="now.png?' in page
        assert page.endswith("</html>\n")
    assert outcome.code == 0
    assert "Running" not in (outcome.folder / "report.html").read_text("utf-8")
    assert not (outcome.folder / "now.png").exists()


def test_a_page_is_there_before_the_first_step(tmp_path: Path) -> None:
    pages: list[str] = []

    def look(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 0:
            pages.append((here(tmp_path) / "report.html").read_text("utf-8"))

    run(tmp_path, look)
    assert "Running, as of" in pages[0]
    assert "now.png" not in pages[0]


@pytest.mark.usefixtures("always")
def test_the_picture_stays_when_a_run_is_interrupted_and_goes_when_it_is_resumed_to_its_end(
    tmp_path: Path,
) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 3:
            signal.raise_signal(signal.SIGINT)

    outcome = run(tmp_path, stop, COPY.replace("still:", "later:").replace("output.image, ", "output.strip, "))
    assert outcome.code == session.INTERRUPTED
    page = (outcome.folder / "report.html").read_text("utf-8")
    assert "This run was interrupted</b> after 4 of 6 steps" in page
    assert 'alt="as it was when the run stopped"' in page
    with PIL.Image.open(outcome.folder / "now.png") as picture:
        assert picture.size == (24, 24)
    plan = compile_recipe(read_text((outcome.folder / "recipe.yaml").read_text("utf-8"), "r", outcome.folder))
    assert session.resume(plan, outcome.folder, session.Options("cpu"), []).code == 0
    page = (outcome.folder / "report.html").read_text("utf-8")
    assert not (outcome.folder / "now.png").exists()
    assert [f'alt="step {step}"' in page for step in range(6)] == [True] * 6
    steps = [line.split(",")[1] for line in (outcome.folder / "losses.csv").read_text("utf-8").splitlines()]
    assert steps == ["step", "0", "1", "2", "3", "4", "5"]


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("name", ["now.png", "losses.csv", ".snapshots"])
def test_a_page_that_cannot_be_written_is_no_reason_to_fail(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, refused = os.replace, []

    def full(path: Path, target: Path) -> None:
        if name in str(target):
            refused.append(target)
            raise OSError(28, "No space left on device")
        rename(path, target)

    monkeypatch.setattr(os, "replace", full)
    outcome = run(tmp_path, lambda event: None)
    assert outcome.code == 0, outcome.message
    assert (outcome.folder / "picture.png").is_file()
    assert refused


@pytest.mark.usefixtures("always")
def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    for name in ("now", "csv", "html"):
        (tmp_path / name).write_text("precious", encoding="utf-8")

    def plant(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 2:
            for name, target in {".now.png": "now", "losses.csv": "csv", ".report.html": "html"}.items():
                (here(tmp_path) / name).unlink(missing_ok=True)
                (here(tmp_path) / name).symlink_to(tmp_path / target)

    outcome = run(tmp_path, plant)
    assert outcome.code == 0
    assert {(tmp_path / name).read_text("utf-8") for name in ("now", "csv", "html")} == {"precious"}
    assert len((outcome.folder / "losses.csv").read_text("utf-8").splitlines()) == 7


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize(
    ("shape", "size"), [((3, 3, 8, 6), (12, 16)), ((1, 3, 1500, 3000), (1024, 512)), ((1, 3, 1, 1), (1, 1))]
)
def test_any_picture_is_shown_as_it_is(shape: tuple[int, ...], size: tuple[int, int], tmp_path: Path) -> None:
    report = Report(compiled(COPY, tmp_path), COPY, tmp_path)
    report(Started("mine", tmp_path, "cpu", "asked for", 2))
    report(Fitting("fit", 0, 2))
    report(Stepped("fit", 0, 2, torch.tensor(0.5), torch.zeros(shape)))
    with PIL.Image.open(tmp_path / "now.png") as picture:
        assert picture.size == size


@pytest.mark.parametrize("cost", [0.001, 0.05, 3.0])
def test_writing_takes_no_more_than_its_share_of_the_time(cost: float) -> None:
    now = [100.0]
    pages = Budget(budget.EVERY, budget.SHARE, budget.ADVANCE, lambda: now[0])
    written = []
    for _ in range(100_000):  # steps of a tenth of a second
        now[0] += 0.1
        if pages.allows():
            with pages.spending():
                now[0] += cost
            written.append(now[0])
    assert written[0] < 101 + cost
    assert len(written) >= 3
    assert cost * len(written) < 0.2 + cost + 0.01 * (now[0] - 100)
    assert min(later - before for before, later in pairwise(written)) >= 2.0


def test_a_page_of_a_run_with_no_steps_is_there_too(tmp_path: Path) -> None:
    text = """
t2iflow: 1
title: Noise
nodes:
  noise: {use: images.noise, size: [24, 24]}
  still: {use: output.image, image: $noise}
"""
    seen: list[str] = []

    def look(event: Event) -> None:
        if isinstance(event, Wrote):
            seen.append((here(tmp_path) / "report.html").read_text("utf-8"))

    outcome = run(tmp_path, look, text)
    assert "Running, as of" in seen[0]
    assert not (outcome.folder / "losses.csv").exists()
