"""The page about Python: its examples run one after another, in one program, as a reader would type them."""

import re
from pathlib import Path

import pytest

import t2iflow
from tests.api.conftest import write_small_hello

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text("utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_examples_of_the_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_small_hello(tmp_path)
    names: dict[str, object] = {}
    for example in EXAMPLES:
        exec(compile(example, "docs/python.md", "exec"), names)
    assert (tmp_path / "castle.png").is_file()
    assert (tmp_path / "sheet.png").is_file()
    said = capsys.readouterr().out
    assert "did you mean `prompt`?" in said
    assert f"to resume:\n  t2iflow.resume('{tmp_path}/runs/" in said
    assert "2 usage error, or device unavailable" in said


def test_the_page_names_all_that_is_offered() -> None:
    for name in t2iflow.__all__:
        assert re.search(rf"\b{name}\b", PAGE) or name in ("BundledRecipe", "Cell", "Listing", "Node", "Sweep"), name
