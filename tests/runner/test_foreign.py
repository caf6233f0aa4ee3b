"""What comes from elsewhere is limited by whatever door it comes, and each says how the user lifts that."""

from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import PIL.Image
import pytest
from typer.testing import CliRunner

from t2iflow.nodes.pictures.metadata import in_png
from t2iflow.runner.cli.main import app

LARGE = """t2iflow: 1
nodes:
  canvas: {use: canvas.pixels, size: [16384, 16384]}
  smooth: {use: losses.total_variation, image: $canvas}
  fit:    {use: optimizers.adam, image: $canvas, loss: $smooth, steps: 1000000000}
  still:  {use: output.image, image: $fit}
"""


def picture() -> str:
    PIL.Image.new("RGB", (4, 4)).save("large.png", pnginfo=in_png(LARGE))
    return "large.png"


def bundle() -> str:
    with ZipFile("large.zip", "w", ZIP_STORED) as file:
        file.writestr("recipe.yaml", LARGE)
    return "large.zip"


def download() -> str:
    Path("downloads").mkdir()
    Path("downloads/large.yaml").write_text(LARGE, encoding="utf-8")
    return "downloads/large.yaml"


@pytest.mark.parametrize(
    ("made", "remedy"),
    [
        (picture, "`t2iflow new PICTURE mine.yaml`"),
        (bundle, "`t2iflow new PICTURE mine.yaml`"),
        (download, "read it, move it into a folder of your own"),
        (lambda: "-", "save it in a file of your own"),
    ],
    ids=["picture", "bundle", "download", "standard input"],
)
def test_what_is_foreign_may_not_occupy_a_machine(
    made: Callable[[], str], remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["check", made()], input=LARGE)
    assert result.exit_code == 3
    assert "needs 268,435,456 pixels; at most 67,108,864 are allowed" in result.stderr
    assert "needs 1,000,000,000 steps; at most 1,000,000 are allowed" in result.stderr
    assert f"or make it your own: {remedy}" in result.stderr
    assert "allow it yourself: `--set canvas.size=...`" in result.stderr


def test_a_copy_of_it_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for made in (picture(), bundle()):
        assert CliRunner().invoke(app, ["new", made, f"{made}.yaml"]).exit_code == 0
        assert CliRunner().invoke(app, ["check", f"{made}.yaml"]).exit_code == 0
