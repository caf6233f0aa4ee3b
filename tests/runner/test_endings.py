"""A film of any ending is known as one wherever the files of runs are shown."""

import pytest

import t2iflow
from tests.runner.conftest import COPY, Command

SHOWN = {
    "film.mp4": '<video src="data:video/mp4;base64,',
    "film.WEBM": '<video src="data:video/webm;base64,',
    "film.mov": "",  # which few browsers play, so that the page only leads to it
    "film.gif": '<img src="data:image/gif;base64,',
    "film.apng": '<img src="data:image/apng;base64,',
}
"""How pages show a film."""


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> t2iflow.Sweep:
    """A sweep whose runs make a film each, and no picture."""
    folder = tmp_path_factory.mktemp("films")
    (folder / "mine.yaml").write_text(COPY.replace("  still:  {use: output.image, image: $fit}\n", ""), "utf-8")
    each = {"film.file": list(SHOWN)}
    return t2iflow.sweep(folder / "mine.yaml", each=each, jobs=1, device="cpu", out=folder / "sweep", show=False)


@pytest.mark.parametrize("name", SHOWN)
def test_a_film_of_any_ending_is_in_the_report_and_stands_for_its_run_in_a_sweep(
    films: t2iflow.Sweep, name: str, command: Command
) -> None:
    (cell,) = (cell for cell in films.cells if cell.values["film.file"] == name)
    report = (cell.run.folder / "report.html").read_text("utf-8")
    beside = f'<video src="{name}" controls loop playsinline preload="metadata"></video>'
    assert (SHOWN[name] or beside) in report
    assert (f'(<a href="{name}">beside this page</a>)' in report) == (not SHOWN[name])
    assert SHOWN[name] in cell.run._repr_html_()
    assert (films.folder / ".small" / f"{cell.name}.webp").is_file()
    carried = command("show", str(cell.run.folder / name))
    assert f"file: {name}" in carried.out
