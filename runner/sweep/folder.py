"""The folder of a sweep, which is its queue: every cell written out, the recipe that they change, and their runs.

`sweep.yaml` is written before a cell runs, and never again. How far a cell is, its own run folder says.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.run_files import RECIPE
from t2iflow.nodes.core.whole import sync
from t2iflow.pipelines.problems import NOWHERE
from t2iflow.pipelines.text.located import located, plain
from t2iflow.pipelines.text.origin import INPUTS
from t2iflow.pipelines.text.recipe import Recipe
from t2iflow.pipelines.text.sweep import Sweep
from t2iflow.pipelines.text.wildcards import has_wildcards
from t2iflow.pipelines.text.yaml_writer import flow
from t2iflow.runner.folder import folder as run_folder
from t2iflow.runner.folder import lock
from t2iflow.runner.folder.claim import FolderError
from t2iflow.runner.folder.places import RUNS, SWEEP
from t2iflow.runner.sharing.address import recorded
from t2iflow.runner.sweep.cell import Cell
from t2iflow.runner.sweep.grid import SEED, Grid
from t2iflow.runner.sweep.storage import stored

FORMAT = 1


@dataclass(frozen=True)
class Axis:
    """One dimension of the sweep: what varies in step, and rows of the values, wildcards not drawn."""

    names: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, eq=False)
class SweepFolder:
    """A sweep as its folder has it. The cells are the rows of the axes, the last of which varies quickest; `threads`
    are those of each run, as the bytes depend on them; `packages` are the versions that it was begun with; `address` is
    where its recipe was fetched from, if it was."""

    at: Path
    recipe: str
    device: str
    threads: int
    axes: tuple[Axis, ...]
    cells: tuple[Cell, ...]
    rank: str | None = None
    across: str = ""
    down: str = ""
    packages: Mapping[str, str] | None = None
    address: str = ""

    @property
    def runs(self) -> Path:
        """Where the run of each cell is, by the cell's name."""
        return self.at / RUNS

    @property
    def place(self) -> str:
        """Where people find it: its folder, or the address of the storage that this is a copy of."""
        storage = stored(self.at)
        return storage.address if storage else str(self.at)

    @cached_property
    def drawn(self) -> list[str]:
        """All that has wildcards: of what varies, and of the recipe itself."""
        columns = {
            name: [row[number] for row in axis.rows] for axis in self.axes for number, name in enumerate(axis.names)
        }
        others = {name: {flow(cell.set.get(name)) for cell in self.cells} for name in self.cells[0].set}
        own = [name for name, values in others.items() if len(values) > 1 and name not in (*columns, SEED)]
        texts = [name for name in own if not str(self.cells[0].set[name]).startswith(f"{INPUTS}/")]
        varied = [name for name, values in columns.items() if has_wildcards(located(values, NOWHERE))]
        return [*varied, *texts]

    @cached_property
    def by_name(self) -> dict[str, Cell]:
        """The cells by their names."""
        return {cell.name: cell for cell in self.cells}


def create(path: Path, recipe: Recipe, grid: Grid, sweep: Sweep, device: str, threads: int) -> SweepFolder:
    """Make the folder of a sweep of a recipe, with copies of the files that its cells read: whole or not at all."""
    with run_folder.making(path) as fresh:
        run_folder.copy(grid.files, fresh)
        (fresh / RUNS).mkdir()
        lines = "\n".join(_lines(recipe, grid.cells, sweep, device, threads)) + "\n"
        for file, text in ((RECIPE, grid.recipe), (SWEEP, lines)):
            (fresh / file).write_text(text, encoding="utf-8")
            sync(fresh / file)
    return read(path)


def _lines(recipe: Recipe, cells: Sequence[Cell], sweep: Sweep, device: str, threads: int) -> Iterator[str]:
    yield f"t2iflow-sweep: {FORMAT}"
    yield f"recipe: {flow(recipe.name)}"
    if recipe.address:
        yield f"from: {flow(recipe.address)}"
    yield f"device: {flow(device)}"
    yield f"threads: {threads} # of each run; other numbers give other bytes"
    yield f"rank: {flow(sweep.rank and sweep.rank.value)}"
    yield f"sheet: {flow({word: sweep.along(word) for word in ('across', 'down')})}"
    yield f"packages: {flow(lock.versions())}"
    yield "axes:"
    for axis in sweep.axes:
        rows = [[plain(value) for value in row] for row in axis.rows]
        yield f"- {flow({'names': axis.names, 'rows': rows})}"
    yield "cells:"
    yield from (f"- {flow(_written(cell))}" for cell in cells)


def _written(cell: Cell) -> dict[str, Any]:
    return {"name": cell.name, "set": cell.set, **({"stages": cell.stages} if cell.stages else {})}


@cache
def read(path: Path) -> SweepFolder:
    """Read the folder of a sweep, once in a process; FolderError if there is none."""
    file = path / SWEEP
    if why := paths.nothing(path):
        raise FolderError(f"`{path}` {why}")
    if why := paths.no_file(file):
        raise FolderError(f"`{path}` is not the folder of a sweep: its {SWEEP} {why}")
    try:
        said = yaml.load(file.read_text(encoding="utf-8-sig"), Loader=_Loader)
        if said["t2iflow-sweep"] != FORMAT:
            raise FolderError(f"`{file}` has a format that this version doesn't read")
        return _folder(path, said)
    except FolderError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, yaml.YAMLError) as fault:
        raise FolderError(f"`{file}` is damaged{_where(fault)}: restore it, or start another sweep") from fault


def _where(fault: Exception) -> str:
    """What is known of the damage."""
    mark = fault.problem_mark if isinstance(fault, yaml.MarkedYAMLError) else None
    if mark is not None:
        return f" at line {mark.line + 1}"
    return f": `{fault.args[0]}` is missing" if isinstance(fault, KeyError) else ""


def _folder(path: Path, said: Mapping[str, Any]) -> SweepFolder:
    axes = (Axis(tuple(axis["names"]), tuple(tuple(row) for row in axis["rows"])) for axis in said["axes"])
    cells = tuple(_cell(cell) for cell in said["cells"])
    if not cells:
        raise ValueError("there is no cell")
    sheet = said.get("sheet") or {}
    return SweepFolder(
        at=path,
        recipe=str(said["recipe"]),
        device=str(said["device"]),
        threads=int(said["threads"]),
        axes=tuple(axes),
        cells=cells,
        rank=said.get("rank"),
        across=str(sheet.get("across") or ""),
        down=str(sheet.get("down") or ""),
        packages=said.get("packages"),
        address=recorded(said.get("from")),
    )


def _cell(said: Mapping[str, Any]) -> Cell:
    stages = {optimizer: _file_name(one) for optimizer, one in dict(said.get("stages") or {}).items()}
    return Cell(_file_name(said["name"]), dict(said["set"]), stages)


def _file_name(name: Any) -> str:
    """A name in the sweep's folder, which leads nowhere else."""
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._=-]*", name):
        raise ValueError(f"a cell can't be called {name!r}")
    return name


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads numbers such as 1e-05, which YAML 1.1 takes for texts; in C where that is there, as cells may be many."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+"), list("-+0123456789")
)
