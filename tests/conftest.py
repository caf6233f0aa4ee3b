"""What tests of several folders share."""

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from itertools import count
from pathlib import Path

import pytest

from t2iflow.nodes.core import catalog, offered
from t2iflow.pipelines.text import origin
from t2iflow.runner.timing import figures
from tests.mirror import Mirror
from tests.weights import make

LONG = (
    "test_on_meta.py",
    "test_training.py",
    "test_capture.py",
    "test_cluster.py",
    "test_shipped_recipes.py",
    "test_systems.py",
    "test_interrupted.py",
    "test_traced.py",
    "test_page.py",
    "test_benchmarks.py",
)
"""The files that take minutes, which begin first, lest one process be at them when the others have no more to do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let long files come first."""
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., None]]:
    """Install packages for one test: give the source of a module, and the family that it offers (`mine`)."""

    tmp_path = tmp_path_factory.mktemp("plugin")
    points: dict[str, EntryPoint] = {}

    def install(source: str, family: str = "mine", module: str = "mine_module") -> None:
        (tmp_path / f"{module}.py").write_text(source, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, module, raising=False)
        points[module] = EntryPoint(family, module, catalog.GROUP)
        monkeypatch.setattr(
            offered, "entry_points", lambda group: [one for one in points.values() if one.group == group]
        )
        forget()

    def forget() -> None:
        for cached in (catalog.families, catalog.clashing, catalog._family):
            cached.cache_clear()

    yield install
    monkeypatch.undo()
    forget()


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of weights, and empty caches of all other programs; gives the folder of ours."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("T2IFLOW_WEIGHTS", str(tmp_path / "weights"))
    for name in ("HF_HOME", "HF_HUB_CACHE", "TORCH_HOME", "XDG_CACHE_HOME", "PYTORCH_PRETRAINED_BIGGAN_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("T2IFLOW_OFFLINE", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "weights"


@pytest.fixture
def mirror(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """A server that everything is fetched from, beside an empty cache."""
    server = Mirror()
    monkeypatch.setenv("T2IFLOW_MIRROR", server.url)
    monkeypatch.setenv("T2IFLOW_TIMEOUT", "3")
    yield server
    server.close()


@pytest.fixture(scope="session")
def small_weights(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Where the small weights of a family are, which are made once."""
    places: dict[str, Path] = {}

    def place(family: str) -> Path:
        if family not in places:
            places[family] = make.make(family, tmp_path_factory.mktemp(family))
        return places[family]

    return place


@pytest.fixture(autouse=True, scope="session")
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests neither use nor change what the user's programs keep."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CACHE", "STATE"):
            patch.setenv(f"XDG_{name}_HOME", str(tmp_path_factory.getbasetemp() / name.lower()))
        yield


NUMBERS = count()


@pytest.fixture(autouse=True)
def _own_figures(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of one test teach the `plan` of another nothing."""
    folder = tmp_path_factory.getbasetemp() / "figures" / str(next(NUMBERS))
    monkeypatch.setattr(figures, "folder", lambda: folder)


@pytest.fixture(autouse=True)
def _own_ground(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What tests write is the user's own, wherever temporary files are."""
    grounds, ours = origin.grounds, tmp_path_factory.getbasetemp().resolve()
    monkeypatch.setattr(origin, "grounds", lambda: [*grounds(), ours])
