"""What does not differ between the cells of a sweep runs once, and each cell has the bytes of a run by itself."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from t2iflow.nodes.generators.dalle_mini import pictures
from t2iflow.nodes.perceptors.lite import minilm
from t2iflow.pipelines.problems import Problems
from t2iflow.pipelines.text.recipe import read
from t2iflow.pipelines.text.sweep import changed
from t2iflow.runner.sweep import sweeping
from t2iflow.runner.sweep.driver import drive
from t2iflow.runner.sweep.folder import SweepFolder
from t2iflow.runner.sweep.slot import How, cores
from t2iflow.runner.sweep.varied import Varied
from t2iflow.runner.sweep.work import Made, make
from tests.runner.conftest import Command
from tests.runner.test_shared_work import HYBRID, steps

CUTS = "siren-then-fourier", ("size=[48, 48]", "cuts_1.count=1", "cuts_2.count=1", "first.steps=2"), ()
ALEPH = (
    "aleph-into-vqgan",
    ("sketch-size=[32, 32]", "size=[32, 32]", "sketch-steps=2", "sketch-cuts.count=1", "cuts.count=1"),
    ("lite",),
)


DALLE = (
    "dalle-mini-refined",
    ("size=[32, 32]", "cuts.count=1", "drafts.count=2"),
    ("lite",),
)


class Here:
    """Makes cells in this process, one after another."""

    def __init__(self, sweep: SweepFolder) -> None:
        self.made: list[Made] = []
        self.order: list[str] = []
        self._sweep = sweep

    @property
    def room(self) -> int:
        return 0 if self.made else 1

    def take(self, cell: str) -> None:
        self.order.append(cell)
        self.made.append(make(self._sweep.at, cell, "cpu"))

    def wait(self, seconds: float) -> Sequence[Made]:
        made, self.made = self.made, []
        return made

    def stop(self) -> None:
        pass


def begun(where: str, others: Sequence[str], presets: Sequence[str], *each: str) -> SweepFolder:
    problems = Problems()
    recipe = read(where, presets=presets, overrides=others, problems=problems)
    varied = changed(recipe.sweep, each, (), None, recipe.text.document, problems)
    return sweeping.begin(
        Varied(recipe, varied, problems), Path("sweeps"), How("cpu", jobs=cores())
    )  # with a thread each


def made(sweep: SweepFolder) -> list[str]:
    """The cells in the order in which they were made."""
    crew = Here(sweep)
    states = drive(sweep, crew, lambda: False, lambda event: None)
    assert {*states.values()} == {"finished"}
    return crew.order


@pytest.mark.parametrize(
    ("recipe", "first", "second"), [(CUTS, "first", "second"), (ALEPH, "draft", "fit")], ids=["siren", "aleph"]
)
def test_a_cell_of_a_hybrid_has_the_bytes_of_a_run_by_itself_though_its_first_stage_is_taken_over(
    recipe: tuple[str, Sequence[str], Sequence[str]], first: str, second: str, command: Command
) -> None:
    sweep = begun(*recipe, f"{second}.steps=[1, 2]")
    made(sweep)
    assert [steps(sweep.runs / cell.name, first) for cell in sweep.cells] == [2, 0]
    compare(sweep, recipe, f"{second}.steps=2", command)


def compare(sweep: SweepFolder, recipe: tuple[str, Sequence[str], Sequence[str]], said: str, command: Command) -> None:
    """Find the last cell, of which this is said, to have the bytes of a run by itself."""
    name, others, presets = recipe
    given = [word for one in (*others, said) for word in ("--set", one)]
    given += [word for one in presets for word in ("--preset", one)]
    alone = command("run", name, *given).folder
    assert alone
    cell = sweep.runs / sweep.cells[-1].name
    files = [path.name for path in alone.iterdir() if path.suffix in (".png", ".csv")] + ["recipe.yaml"]
    assert {"picture.png", "losses.csv"} <= {*files}
    for file in files:
        assert (cell / file).read_bytes() == (alone / file).read_bytes(), file


def test_what_a_network_paints_by_itself_is_painted_once(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    codes = pictures.codes

    def counted(prompt: str, *given: Any) -> torch.Tensor:
        drawn.append(prompt)
        return codes(prompt, *given)

    monkeypatch.setattr(pictures, "codes", counted)
    sweep = begun(*DALLE, "steps=[1, 2]")
    made(sweep)
    assert drawn == ["a strawberry"]
    compare(sweep, DALLE, "steps=2", command)
    told = command("sweep", DALLE[0], "--preset", "lite", "--each", "steps=[1, 2]", "--plan")
    assert "  drafts  paints once, and its pictures are taken over by the other cells\n" in told.out


def test_each_first_stage_is_done_once_and_before_it_is_taken_over(command: Command) -> None:
    command("check", HYBRID)
    sweep = begun("mine.yaml", (), (), "seed=0..1", "rate=[0.1, 0.2, 0.3]")
    order = made(sweep)
    cells = {cell.name: cell for cell in sweep.cells}
    assert [cells[name].set["seed"] for name in order] == [0, 1, 0, 1, 0, 1]
    assert [steps(sweep.runs / name, "first") for name in order] == [6, 6, 0, 0, 0, 0]
    assert sum(steps(sweep.runs / name, "second") for name in order) == 6 * 4


def test_what_no_other_cell_does_is_not_kept(command: Command) -> None:
    command("check", HYBRID)
    assert [cell.stages for cell in begun("mine.yaml", (), (), "seed=0..1").cells] == [{}, {}]
    assert [cell.stages for cell in begun("mine.yaml", (), (), "first.rate=[0.1, 0.2]").cells] == [{}, {}]


def test_networks_are_loaded_and_texts_read_once_for_all_cells(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    encode = minilm.MiniLM.encode

    def counted(self: minilm.MiniLM, texts: list[str]) -> torch.Tensor:
        read.extend(texts)
        return encode(self, texts)

    monkeypatch.setattr(minilm.MiniLM, "encode", counted)
    command("check", HYBRID.replace('"a fox:1 | fog:-0.2"', "$prompt").replace("rate: 0.05,", "rate: 0.05, prompt: a,"))
    made(begun("mine.yaml", (), (), "prompt=[a red owl, a blue owl]", "rate=[0.1, 0.2]"))
    assert [read.count(text) for text in ("red owl", "blue owl")] == [1, 1]


def test_the_plan_of_a_sweep_says_what_is_shared(command: Command) -> None:
    varying = "--each", "seed=0..1", "--each", "rate=[0.1, 0.2, 0.3]", "--plan"
    told = command("sweep", HYBRID, *varying)
    assert told.code == 0, told.err
    assert not Path("sweeps").exists()
    said = told.out[told.out.index("sweep:\n") :].splitlines()[1:]
    assert said[0].startswith("  6 = 2 x 3 cells, ")
    assert said[1] == "  first   12 steps instead of 36: its work is done 2 times, and taken over by the other cells"
    assert said[2] == "  second  24 steps"
    assert "order:" in told.out
    told = command("plan", HYBRID + "sweep: {each: {rate: [0.1, 0.2]}}\n")
    assert "  first   6 steps instead of 12: its work is done once, and taken over by the other cells\n" in told.out


def test_work_that_is_shared_is_named_in_the_sweep_and_gone_with_it(command: Command) -> None:
    command("check", HYBRID)
    sweep = begun("mine.yaml", (), (), "rate=[0.1, 0.2]")
    assert (sweep.at / "sweep.yaml").read_text("utf-8").count("stages: {first: ") == 2
    (sweep.runs / ".making-dead").mkdir()  # by a process that was killed meanwhile
    assert sweeping.run(sweep, nullcontext(Here(sweep))).code == 0
    assert not (sweep.at / ".stages").exists()
    assert {path.name for path in sweep.runs.iterdir()} == {cell.name for cell in sweep.cells}
