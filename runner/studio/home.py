"""The folder of a studio: where its runs and sweeps are, and which of its paths a request may name."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from t2iflow.nodes.core import paths
from t2iflow.runner.folder.places import RUNS, SWEEPS, is_run, is_sweep
from t2iflow.runner.studio.refused import Refused

UNSOUND = re.compile(r"[\x00-\x1f\x7f\\]")
"""Signs that no part of a path has that leads to a run."""


@dataclass(frozen=True)
class Home:
    """Runs are in `root`, or, as where one works, in the folders of it that are called so; new ones are made in
    `new`."""

    root: Path
    within: Sequence[str] = ()

    @property
    def new(self) -> Path:
        """Where runs are made."""
        return self.root / self.within[0] if self.within else self.root

    @property
    def parents(self) -> Iterator[tuple[str, Path]]:
        """The folders in which runs and sweeps are, each with what their names begin with."""
        if not self.within:
            yield "", self.root
        for name in self.within:
            yield f"{name}/", self.root / name

    def name(self, folder: Path) -> str:
        """What a run's folder is called."""
        return folder.relative_to(self.root).as_posix()

    def folder(self, name: str) -> Path:
        """The folder of a run or a sweep; Refused where it is none, or a link leads out of here."""
        parent = next((path for start, path in self.parents if name.startswith(start) and _fits(name, start)), None)
        if parent is None or UNSOUND.search(name) or any(part.startswith(".") for part in name.split("/")):
            raise Refused(404, f"there is no run `{name}`")
        folder = self.root.joinpath(*name.split("/"))
        if not holds_run(folder) or not paths.real(folder).is_relative_to(paths.real(parent)):
            raise Refused(404, f"there is no run `{name}`")
        return folder

    def address(self, folder: Path, file: str, **asked: object) -> str:
        """Where a file of a run is served."""
        query = "&".join(f"{key}={value}" for key, value in asked.items())
        return f"/files/{_quoted(self.name(folder))}/{_quoted(file)}" + (f"?{query}" if query else "")


def _quoted(name: str) -> str:
    """A part of an address, also of a name that is no text."""
    return quote(name.encode("utf-8", "replace"))


def working() -> Home:
    """The folder where the studio is started, whose runs and sweeps are where commands put them."""
    return Home(Path.cwd(), (RUNS, SWEEPS))


def holds_run(folder: Path) -> bool:
    """Whether a run or a sweep has begun in a folder."""
    return is_run(folder) or is_sweep(folder)


def _fits(name: str, start: str) -> bool:
    """Whether a name is that of a run or a sweep in a folder, or that of a sweep's run: `S/runs/000-seed=0`."""
    parts = name[len(start) :].split("/")
    return all(parts) and (len(parts) == 1 or (len(parts) == 3 and parts[1] == RUNS))
