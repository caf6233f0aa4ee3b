"""What tests of several folders share."""

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint

import pytest

from t2iflow.nodes import catalog


@pytest.fixture
def plugin(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], None]]:
    """Install a package that offers the family `mine`, for one test: give the source of its module."""

    tmp_path = tmp_path_factory.mktemp("plugin")

    def install(source: str) -> None:
        (tmp_path / "mine_module.py").write_text(source, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "mine_module", raising=False)
        point = EntryPoint("mine", "mine_module", catalog.GROUP)
        monkeypatch.setattr(catalog, "entry_points", lambda group: [point])
        forget()

    def forget() -> None:
        catalog.families.cache_clear()
        catalog._family.cache_clear()

    yield install
    monkeypatch.undo()
    forget()
