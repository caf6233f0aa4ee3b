"""Sweeps from Python."""

from pathlib import Path

import pytest

import t2iflow
from tests.runner.conftest import COPY


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_sweep_has_its_cells_their_runs_and_a_sheet_and_goes_on_where_it_was_stopped() -> None:
    stopped = t2iflow.sweep(COPY, each={"seed": [7]}, together={"steps": [2, 3]}, wait=False).stop()
    assert "t2iflow.sweep(" in stopped.message
    sweep = stopped.resume(show=False, jobs=1)
    assert [cell.values for cell in sweep.cells] == [{"seed": 7, "steps": steps} for steps in (2, 3)]
    assert {cell.state for cell in sweep.cells} == {"finished"}
    assert sweep.cells[0].run.image is not None
    assert sweep.sheet is not None
    assert sweep.best is None  # nothing is asked for that they could be ranked by
    assert repr(sweep) == f"<Sweep of 2 runs, 2 finished: {sweep.folder}>"
    assert "2 runs: 2 finished" in str(t2iflow.Sweep(sweep.folder)._repr_html_())
    with pytest.raises(t2iflow.RunError, match="has begun, so nothing in it can be changed"):
        t2iflow.sweep(sweep.folder, each={"seed": [3]})


def test_mistakes_of_all_cells_are_raised_before_one_begins(tmp_path: Path) -> None:
    with pytest.raises(t2iflow.RecipeError) as caught:
        t2iflow.sweep(COPY, each={"step": [1], "fit.rate": [0.1, "fast"]})
    assert [problem.code for problem in caught.value.problems] == ["T2I110", "T2I204"]
    assert "--> the call" in str(caught.value)
    with pytest.raises(t2iflow.RunError, match="nothing varies"):
        t2iflow.sweep(COPY)
    with pytest.raises(TypeError, match="`seed` needs a list of values"):
        t2iflow.sweep(COPY, each={"seed": "0..3"})
    assert not list(tmp_path.iterdir())
