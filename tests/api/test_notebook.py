"""The notebook runs from its first cell to its last; a run shows itself there, and is brought up to date."""

from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import write_small_hello

nbclient = pytest.importorskip("nbclient", reason="nbclient, which runs notebooks, is not installed")
pytest.importorskip("ipykernel", reason="ipykernel, by which notebooks are run, is not installed")
nbformat = pytest.importorskip("nbformat")

NOTEBOOK = Path(__file__).parents[2] / "docs" / "hello.ipynb"
MISTAKEN = 't2iflow.run("hello", promt="a fox")'


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The cells of the notebook, and one with a mistake, with what they put out."""
    folder = tmp_path_factory.mktemp("notebook")
    write_small_hello(folder)
    notebook = nbformat.read(NOTEBOOK, 4)
    mistaken = nbformat.v4.new_code_cell(MISTAKEN, metadata={"tags": ["raises-exception"]})
    notebook.cells.append(mistaken)
    where = {"metadata": {"path": str(folder)}}
    return list(nbclient.NotebookClient(notebook, timeout=120, resources=where).execute().cells)


def shown(cells: list[Any], word: str) -> list[str]:
    """What the cell that holds the word shows as HTML."""
    (outputs,) = (cell.outputs for cell in cells if cell.cell_type == "code" and word in cell.source)
    return [output.data["text/html"] for output in outputs if "text/html" in output.get("data", {})]


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("seed=3)", "finished in"),
        ("wait=False", "stopped"),
        ("fox.resume()", "finished in"),
        ("t2iflow.sweep", "2 runs: 2 finished"),
        ("seeds.best", "finished in"),
        ("t2iflow.run(waves", "finished in"),
    ],
)
def test_each_run_is_shown_once_as_it_has_ended(cells: list[Any], word: str, state: str) -> None:
    (page,) = shown(cells, word)
    assert state in page
    assert 'src="data:image/jpeg;base64,' in page
    assert len(page) < 40_000


def test_a_film_is_shown_too(cells: list[Any]) -> None:
    assert '<video src="data:video/mp4;base64,' in shown(cells, "t2iflow.run(waves")[0]


def test_mistakes_are_shown_without_a_traceback(cells: list[Any]) -> None:
    (output,) = cells[-1].outputs
    assert output.traceback[0].startswith("error T2I110 there is no param `promt`")
