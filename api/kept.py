"""Runs that were made: a list of them, two compared, one made again, and one as a file to give away."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from t2iflow.asking import RecipeLike, overrides, request
from t2iflow.faults import RunError, refusing
from t2iflow.prepared import prepared
from t2iflow.running import Run
from t2iflow.task import given

if TYPE_CHECKING:
    from t2iflow.runner.comparison import Comparison
    from t2iflow.runner.folder.summary import Summary
    from t2iflow.runner.signals import Stop
    from t2iflow.runner.verify import Verdict


class Runs(Sequence[Run]):
    """Runs in the order in which they began, the last to begin last; prints what `t2iflow runs` does."""

    def __init__(self, found: Sequence[Summary], home: Path) -> None:
        """`home`: where relative folders start."""
        self._found, self._home = tuple(found), home

    @overload
    def __getitem__(self, which: int) -> Run: ...
    @overload
    def __getitem__(self, which: slice) -> Runs: ...
    def __getitem__(self, which: int | slice) -> Run | Runs:
        if isinstance(which, slice):
            return Runs(self._found[which], self._home)
        return Run.at(self._home / self._found[which].folder)

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        from t2iflow.nodes.core.texts import aligned

        return "\n".join(aligned(self._rows())) if self._found else "no runs"

    def _repr_html_(self) -> str:
        head, *rows = self._rows()
        lines = [_line("th", head), *(_line("td", row) for row in rows)]
        return f"<table>{''.join(lines)}</table>"

    def _rows(self) -> list[Sequence[str]]:
        from t2iflow.runner.listed import HEADS, row

        return [HEADS, *map(row, self._found)]


def _line(kind: str, cells: Sequence[str]) -> str:
    return "<tr>{}</tr>".format("".join(f'<{kind} style="text-align:left">{escape(cell)}</{kind}>' for cell in cells))


@prepared
def runs(folder: str | os.PathLike[str] | None = None) -> Runs:
    """The runs in a folder of runs or sweeps; without one, those in `runs` and `sweeps`.

    RunError if the folder doesn't exist."""
    from t2iflow.runner.listed import listed

    with refusing():
        return Runs(listed(None if folder is None else given(folder)), Path.cwd())


@prepared
def diff(one: RecipeLike, other: RecipeLike) -> Comparison:
    """In which settings, inputs, versions and pictures two runs, pictures, bundles or recipes differ.

    It prints what `t2iflow diff` does, is `same` if nothing differs, and its `image` shows their pictures side by
    side.
    """
    from t2iflow.runner.comparison import compare, side

    with refusing():
        return compare(side(request(one)), side(request(other)))


@prepared
def bundle(run: str | os.PathLike[str], file: str | os.PathLike[str] | None = None) -> Path:
    """Put a finished run into one file to give away: its recipe, inputs, versions and pictures; gives the file.

    By default it has the run's name. `t2iflow.run` takes it. RunError if the run hasn't finished, or the file exists.
    """
    from t2iflow.runner.bundling import bundled

    with refusing():
        return bundled(given(run), None if file is None else given(file)).file


@prepared
def verify(
    made: str | os.PathLike[str],
    *,
    set: Mapping[str, Any] | None = None,
    device: str = "auto",
    show: bool | None = None,
) -> Verdict:
    """Make a picture, a film, a bundle's or a run's outputs again from the recipe, and compare them.

    The verdict prints what `t2iflow verify` does, and is `same` where all bytes or pixels are. RunError where it can't
    be made again.
    """
    from t2iflow.jobs import in_turn
    from t2iflow.runner.console import err
    from t2iflow.runner.progress import Reporter
    from t2iflow.runner.request import again
    from t2iflow.runner.verify import verify

    listeners = [] if show is False else [Reporter(err())]

    def compare(stop: Stop) -> Verdict:
        return verify(target, plan, device, listeners, stop)

    with refusing():
        target, asked = again(given(made), overrides(set or {}))
        plan = asked.plan(lacking=False)
        found = in_turn(compare)
    if not found.compared:
        raise RunError("\n".join(found.lines), found.code)
    return found
