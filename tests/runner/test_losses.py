"""The table of losses has every term by its name, whole lines, and no step twice, whatever becomes of the run."""

import contextlib
import csv
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch

from t2iflow.runner.events import Fitting, Stepped
from t2iflow.runner.report.curve import curve
from t2iflow.runner.report.losses import Losses
from tests.runner.conftest import COPY, Command

SUM = COPY.replace("loss: $same", "loss: [$same, {of: $loss, weight: 0.5}]").replace(
    "  fit:", "  loss: {use: losses.total_variation, image: $canvas}\n  fit:"
)
"""Two terms, one of which is called like a column."""


def stepped(step: int, steps: int = 10, node: str = "fit", /, **terms: float) -> Stepped:
    loss = torch.tensor(sum(terms.values()))
    found = {name: torch.tensor(value) for name, value in terms.items()}
    return Stepped(node, step, steps, loss, torch.zeros(1, 3, 2, 2), terms=found)


def table(path: Path) -> list[Mapping[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_leaves_a_row_for_each_step_whose_terms_add_up(command: Command) -> None:
    told = command("run", SUM)
    assert told.code == 0, told.err
    assert told.folder
    rows = table(told.folder / "losses.csv")
    assert [row["step"] for row in rows] == list("012345")
    for row in rows:
        assert row["optimizer"] == "fit"
        assert float(row["same"]) + float(row["loss (term)"]) == pytest.approx(float(row["loss"]), rel=1e-4)
    page = (told.folder / "report.html").read_text("utf-8")
    assert "same in the loss of fit" in page
    assert 'href="losses.csv"' in page


def test_lines_beyond_the_checkpoint_are_dropped_and_a_cut_one_too(tmp_path: Path) -> None:
    path = tmp_path / "losses.csv"
    killed = Losses(path)
    for step in range(6):
        killed.add(stepped(step, near=1.0, far=2.0))
    killed.keep()
    path.write_text(path.read_text("utf-8")[:-3], encoding="utf-8")
    resumed = Losses(path)
    resumed.remember()
    resumed.begin(Fitting("fit", 3, 10))
    for step in range(3, 10):
        resumed.add(stepped(step, near=5.0, far=6.0))
        resumed.keep()
    assert [(row["step"], row["near"]) for row in table(path)] == [
        (str(step), "1" if step < 3 else "5") for step in range(10)
    ]
    assert list(resumed.curves()["fit"]) == ["loss", "near", "far"]


def test_a_later_optimiser_brings_columns_of_its_own(tmp_path: Path) -> None:
    losses = Losses(tmp_path / "losses.csv")
    losses.begin(Fitting("draft", 0, 1))
    losses.add(stepped(0, 1, "draft", near=1.0))
    losses.begin(Fitting("fit", 0, 1))
    losses.add(stepped(0, 1, "fit", far=2.0, step=3.0))
    losses.keep()
    first, second = table(tmp_path / "losses.csv")
    assert first == {"optimizer": "draft", "step": "0", "loss": "1", "near": "1", "far": "", "step (term)": ""}
    assert (second["far"], second["step (term)"]) == ("2", "3")


@pytest.mark.parametrize("name", ["a,b", 'quo"te', "ünï", "loss", "step"])
def test_terms_may_have_any_name(name: str, tmp_path: Path) -> None:
    losses = Losses(tmp_path / "losses.csv")
    losses.add(stepped(0, **{name: 1.0, "other": 2.0}))
    losses.keep()
    again = Losses(tmp_path / "losses.csv")
    again.remember()
    assert again.curves() == losses.curves()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "optimizer\nfit\n",
        "a,b\n1,2\n",
        "optimizer,step,loss\nfit,x,y\nfit,1,nan\n",
        "optimizer,step,loss\nfit,1" + 99 * "0" + ",1e999\nfit,-3,1\n",
        "\0,\n" * 9,
    ],
)
def test_a_table_that_somebody_edited_is_taken_as_far_as_it_can_be(text: str, tmp_path: Path) -> None:
    (tmp_path / "losses.csv").write_text(text, encoding="utf-8")
    losses = Losses(tmp_path / "losses.csv")
    losses.remember()
    losses.begin(Fitting("fit", 2, 10))
    losses.add(stepped(2, near=1.0))
    losses.keep()
    assert table(tmp_path / "losses.csv")[-1] == {"optimizer": "fit", "step": "2", "loss": "1", "near": "1"}
    for curves in losses.curves().values():
        assert "nan" not in curve(curves["loss"], 10, "loss")


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_at_all_is_no_reason_to_hang(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "losses.csv")
    losses = Losses(tmp_path / "losses.csv")
    losses.remember()
    losses.add(stepped(0, near=1.0, far=2.0))
    with contextlib.suppress(OSError):  # which a report is prepared for
        losses.keep()
    assert losses.curves()["fit"]["near"] == {0: 1.0}


def test_rows_that_a_full_disk_did_not_take_are_written_when_it_has_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **settings: object) -> None:
        raise OSError(28, "No space left on device")

    losses = Losses(tmp_path / "losses.csv")
    losses.add(stepped(0, near=1.0))
    losses.keep()
    losses.add(stepped(1, near=1.0))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(OSError, match="No space"):
            losses.keep()
    losses.add(stepped(2, near=1.0))
    losses.keep()
    assert [row["step"] for row in table(tmp_path / "losses.csv")] == ["0", "1", "2"]


def test_a_very_long_run_leaves_some_thousand_rows_with_its_last_step(tmp_path: Path) -> None:
    losses = Losses(tmp_path / "losses.csv")
    losses.begin(Fitting("fit", 0, 1_000_001))
    for step in range(0, 1_000_001, 10):
        losses.add(stepped(step, 1_000_001, near=1.0))
    losses.keep()
    rows = table(tmp_path / "losses.csv")
    assert len(rows) < 10_100
    assert rows[-1]["step"] == "1000000"
    assert len(losses.curves()["fit"]["loss"]) < 210


def losses(command: Command, recipe: str) -> list[Mapping[str, str]]:
    told = command("run", recipe)
    assert told.code == 0, told.err
    assert told.folder
    return table(told.folder / "losses.csv")


def test_a_formula_is_followed_as_the_values_that_it_stands_for(command: Command) -> None:
    values = "{0: 0.05, 1: 0.025, 2: 0.0125, 3: 0.00625, 4: 0.003125, 5: 0.0015625}"
    assert losses(command, COPY.replace("rate: 0.05", "rate: 0.05*2**-t")) == losses(
        command, COPY.replace("rate: 0.05", f"rate: {values}")
    )


def test_in_a_film_what_follows_steps_keeps_its_last_value_after_the_first_frame(command: Command) -> None:
    """Even where a frame takes fewer steps than the first picture."""
    film = COPY.replace(
        "film: ", "zoom: {use: camera.zoom, image: $fit, frames: 3, steps: 2, scale: 1 + t/50}\n  film: "
    ).replace("image: $canvas, every: 2", "image: $zoom")
    formed, counted, last = (
        losses(command, film.replace("rate: 0.05", f"rate: {rate}"))
        for rate in ("0.05 - 0.008*t", "{0: 0.05, 5: 0.01}", "{0: 0.05, 100%: 0.01}")
    )
    assert len(formed) == 10
    assert formed == counted == last
