"""The files of the studio's page: all are there, none asks anything of another place, and texts are set as texts."""

import re
from pathlib import Path

import pytest

from t2iflow.runner.studio.app import PAGE, SHARED

FOLDER = Path(__file__).parents[2] / "runner" / "studio" / "page"
SCRIPTS = sorted(FOLDER.glob("*.js"))


def test_what_the_page_names_is_there() -> None:
    names = re.findall(r'="/page/([^"]+)"', (FOLDER / "index.html").read_text("utf-8"))
    assert names
    for name in names:
        assert name in SHARED or (FOLDER / name).is_file(), name


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_imports_what_others_export(script: Path) -> None:
    for names, file in re.findall(r'import (?:\* as \w+|\{([^}]+)\}) from "\./([^"]+)"', script.read_text("utf-8")):
        exported = re.findall(r"export (?:async )?(?:function|const|class) (\w+)", (FOLDER / file).read_text("utf-8"))
        wanted = {name.split(" as ")[0].strip() for name in names.split(",") if name.strip()}
        assert wanted <= {*exported}, f"{file} exports no {wanted - {*exported}}"


def test_nothing_is_asked_of_another_place_and_no_text_is_taken_for_markup() -> None:
    for path in FOLDER.iterdir():
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert path.suffix in PAGE
        assert not re.search(r"\w:?//\w", text), path.name
        assert path.name == "element.js" or not re.search("innerHTML|outerHTML|insertAdjacentHTML", text), path.name
