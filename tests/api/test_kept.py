"""Runs that were made, from Python: listed, compared, bundled and made again."""

from pathlib import Path

import pytest

import t2iflow
from tests.api.conftest import command
from tests.runner.conftest import COPY, Command

__all__ = ["command"]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[t2iflow.Run]:
    """Two finished runs, which differ in their seeds."""
    (place := tmp_path_factory.mktemp("two")).joinpath("mine.yaml").write_text(COPY, "utf-8")
    return [t2iflow.run(place / "mine.yaml", seed=seed, out=place / "runs", show=False) for seed in (1, 2)]


@pytest.fixture(autouse=True)
def _here(two: list[t2iflow.Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(two[0].folder.parent.parent)


def test_runs_are_listed_as_the_command_does(two: list[t2iflow.Run]) -> None:
    found = t2iflow.runs()
    assert [run.folder.name for run in found] == [run.folder.name for run in two]
    assert [run.seed for run in found[-1:]] == [2]
    assert (found[0].recipe, found[0].prompt, found[0].state) == ("mine", "", "finished")
    head, *rows = repr(t2iflow.runs(two[0].folder.parent)).splitlines()
    assert head.split() == ["state", "began", "took", "recipe", "seed", "prompt", "folder"]
    assert len(rows) == found._repr_html_().count("<td ") // 7 == 2
    with pytest.raises(t2iflow.RunError, match="there is no folder `nowhere`"):
        t2iflow.runs("nowhere")


def test_two_runs_are_compared(two: list[t2iflow.Run], command: Command) -> None:
    found = t2iflow.diff(*two)
    told = command("diff", str(two[0].folder), str(two[1].folder))
    assert f"{found}\n" == told.out
    assert not found.same
    assert [(one.name, one.one, one.other) for one in found.settings] == [("seed", "1", "2")]
    assert found.image is not None
    assert t2iflow.diff(two[0], two[0]).same
    assert [one.name for one in t2iflow.diff(COPY, COPY.replace("0.05", "0.1")).settings] == ["fit.rate"]


def test_a_run_is_bundled_and_run_from_its_bundle(two: list[t2iflow.Run], tmp_path: Path) -> None:
    file = t2iflow.bundle(two[0], tmp_path / "mine.zip")
    again = t2iflow.run(file, out=tmp_path, show=False)
    assert (again.folder / "picture.png").read_bytes() == (two[0].folder / "picture.png").read_bytes()
    with pytest.raises(t2iflow.RunError, match="exists; name another file"):
        t2iflow.bundle(two[0], file)
    with pytest.raises(t2iflow.RunError, match="a bundle's name ends with"):
        t2iflow.bundle(two[0], tmp_path / "mine.rar")


def test_a_run_and_a_picture_are_made_again(two: list[t2iflow.Run]) -> None:
    assert t2iflow.verify(two[0], show=False).same
    found = t2iflow.verify(two[0].folder / "picture.png", set={"seed": 5}, show=False)
    assert not found.same
    assert str(found).startswith("picture.png: differs, by ")
    with pytest.raises(t2iflow.RunError, match=r"nothing\.png` doesn't exist"):
        t2iflow.verify("nothing.png")
