"""Sweeps from Python; docs/python.md, whose examples are run, makes one."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

import t2iflow
from t2iflow import notebook
from t2iflow.runner.sweep.thumbnail import thumbnail
from t2iflow.runner.sweep.work import make
from tests.runner.conftest import COPY

Begin = Callable[..., t2iflow.Run]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_sweep_that_is_stopped_has_its_cells_and_says_how_to_go_on(going: Begin) -> None:
    first = going()
    sweep = t2iflow.sweep(
        COPY, each={"seed": range(2)}, together={"steps": [2, 3], "photo.octaves": [1, 2]}, wait=False
    )
    sweep.stop()
    first.stop()
    assert sweep.message == f"stopped before it began; to go on:\n  t2iflow.sweep({str(sweep.folder)!r})"
    assert [cell.values["steps"] for cell in sweep.cells] == [2, 3, 2, 3]
    assert {cell.state for cell in sweep.cells} == {"waiting"}
    assert (sweep.sheet, sweep.best) == (None, None)
    assert repr(sweep) == f"<Sweep of 4 runs, 4 waiting: {sweep.folder}>"
    assert "4 runs: 4 waiting" in str(t2iflow.Sweep(sweep.folder)._repr_html_())
    with pytest.raises(t2iflow.RunError, match="has begun, so nothing in it can be changed"):
        t2iflow.sweep(sweep.folder, each={"seed": [3]})


def test_mistakes_of_all_cells_are_raised_before_one_begins(tmp_path: Path) -> None:
    with pytest.raises(t2iflow.RecipeError) as caught:
        t2iflow.sweep(COPY, each={"step": [1], "fit.rate": [0.1, "fast"]})
    assert [problem.code for problem in caught.value.problems] == ["T2I110", "T2I204"]
    assert "--> the call" in str(caught.value)
    with pytest.raises(t2iflow.RunError, match="nothing varies"):
        t2iflow.sweep(COPY)
    with pytest.raises(t2iflow.RunError, match="give the seeds there"):
        t2iflow.sweep(COPY, best=2, each={"steps": [1, 2]})
    with pytest.raises(t2iflow.RunError, match="`jobs` is 0, and must be at least 1"):
        t2iflow.sweep(COPY, best=2, jobs=0)
    assert not list(tmp_path.iterdir())


def test_a_notebook_shows_the_pictures_of_a_sweep_as_they_come(going: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    first = going()
    sweep = t2iflow.sweep(COPY, best=3, wait=False).stop()  # before it begins
    first.stop()
    monkeypatch.setattr(notebook, "Output", lambda owner, page: SimpleNamespace(page=page, update=lambda page: page()))
    live = notebook.LiveSweep(sweep)
    assert "0 of 3 runs finished" in live.output.page
    for number, cell in enumerate(sweep.cells[:2]):
        make(sweep.folder, cell.name, "cpu")
        thumbnail(sweep.folder, cell.name, cell.run.folder / "picture.png")
        assert live._page().count("<img ") == number + 1


def test_the_best_of_several_seeds_is_a_sweep_of_them(going: Begin) -> None:
    going()
    sweeps = [t2iflow.sweep(COPY, best=3, seed=5, wait=False), t2iflow.sweep(COPY + "best: 2\n", wait=False)]
    assert [[cell.values["seed"] for cell in sweep.stop().cells] for sweep in sweeps] == [[5, 6, 7], [0, 1]]
