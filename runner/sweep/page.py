"""A sweep on one page, `index.html`: its pictures in a table, the best first, and how far all are."""

import importlib.resources
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from t2iflow.nodes.core.run_files import NOW, RECIPE, REPORT
from t2iflow.nodes.core.texts import counted
from t2iflow.nodes.core.whole import share
from t2iflow.pipelines.show.prompts import Prompt
from t2iflow.pipelines.text.recipe import Recipe
from t2iflow.runner.folder.places import RESULTS, SHEET, resume_command
from t2iflow.runner.report.exhibits import data_url, link
from t2iflow.runner.report.page import framed, heading, listing
from t2iflow.runner.sweep.folder import SweepFolder
from t2iflow.runner.sweep.results import CSV, Result
from t2iflow.runner.sweep.table import Table, label
from t2iflow.runner.timing.duration import duration

PAGE = "index.html"
MOST = 24_000_000
"""Bytes of pictures that are embedded; what exceeds them is linked."""


@dataclass(frozen=True)
class SweepData:
    """All that a page shows of a sweep; `prompts` are those that do not vary. `small` are the cells' pictures; they are
    embedded but while it `goes_on`, when it has `left` some seconds, as far as is known. `judge` is the perceptor that
    ranked."""

    sweep: SweepFolder
    recipe: Recipe
    prompts: Sequence[Prompt]
    table: Table
    results: Sequence[Result]
    small: Mapping[str, Path]
    judge: str
    goes_on: bool
    left: float | None = None


def write_page(data: SweepData) -> Path:
    """Write the page."""
    style = (importlib.resources.files(__package__) / "sweep.css").read_text("utf-8")
    parts = (_head, _state, _best, _cells, _failures, _recipe, _facts)
    body = (line for part in parts for line in part(data))
    text = framed(f"{data.recipe.title}: {counted(len(data.results), 'run')}", body, data.goes_on, style)
    path = data.sweep.at / PAGE
    share(path, text.encode("utf-8", errors="replace"))
    return path


def _head(data: SweepData) -> Iterator[str]:
    yield from heading(data.recipe, data.prompts)
    varied = (f"{len(axis.rows)} of {', '.join(axis.names)}" for axis in data.sweep.axes)
    yield f'<p class="about">{counted(len(data.results), "run")}: {escape(" × ".join(varied))}</p>'


def _state(data: SweepData) -> Iterator[str]:
    """How far all are."""
    counts = {state: sum(one.state == state for one in data.results) for state in ("finished", "failed")}
    total = len(data.results)
    if data.goes_on:
        clock = time.strftime("%H:%M:%S")
        left = "" if data.left is None else f", about {duration(data.left)} left"
        failed = f", {counts['failed']} failed" if counts["failed"] else ""
        words = f"<b>Running, as of {clock}:</b> {counts['finished']} of {total} finished{failed}{left}"
        bar = f'<progress value="{sum(counts.values()) / total:.4f}"></progress>'
        yield f'<div class="how live" data-written="{time.time():.0f}">{words}{bar}</div>'
        yield f'<div class="how warn" hidden>Nothing new since {clock}. {_again(data)}</div>'
    elif counts["finished"] < total:
        failed = f", {counts['failed']} failed" if counts["failed"] else ""
        words = f"<b>{counts['finished']} of {counted(total, 'run')} finished{failed}.</b> {_again(data)}"
        yield f'<div class="how warn">{words}</div>'


def _again(data: SweepData) -> str:
    return f"To resume: <code>{escape(resume_command(data.sweep.place))}</code>"


def _best(data: SweepData) -> Iterator[str]:
    """The picture that fits its prompt best."""
    best = next((one for one in data.results if one.rank == 1 and one.picture), None)
    if best and not data.goes_on and len(data.results) > 1:
        assert best.picture
        words = f"{label(data.sweep, best.cell)}: the best of {len(data.results)}, ranked by {data.judge}"
        shown = f'<img src="{_embedded(data.small[best.cell.name])}" alt="the best">'
        yield f'<div class="best"><a href="{_linked(data.sweep, best.picture)}">{shown}</a><p>{escape(words)}</p></div>'


def _cells(data: SweepData) -> Iterator[str]:
    results = {one.cell.name: one for one in data.results}
    shown = _Figures(data)
    yield "<h2>All</h2>"
    if not data.table.rows:
        yield '<div class="flow">'
        for row in data.table.cells:
            yield from (shown.figure(results[cell.name]) for cell in row)
        yield "</div>"
        return
    yield '<div class="scroll cells" tabindex="0"><table>'
    if any(data.table.columns):
        heads = (f"<th>{escape(data.table.written(head))}</th>" for head in data.table.columns)
        yield f"<thead><tr><th></th>{''.join(heads)}</tr></thead>"
    yield "<tbody>"
    for head, row in zip(data.table.rows, data.table.cells, strict=True):
        figures = "".join(f"<td>{shown.figure(results[cell.name])}</td>" for cell in row)
        yield f"<tr><th>{escape(data.table.written(head))}</th>{figures}</tr>"
    yield "</tbody></table></div>"


class _Figures:
    """Makes figures, and embeds their pictures as long as there is room."""

    def __init__(self, data: SweepData) -> None:
        self._data, self._room = data, 0 if data.goes_on else MOST

    def figure(self, one: Result) -> str:
        """A cell's picture, which leads to its report."""
        name = label(self._data.sweep, one.cell)
        words = self._data.table.written(self._data.table.labels.get(one.cell.name, ""))
        score = "" if one.score is None else f"{one.score:.3f}"
        place = "" if one.rank is None else f"{one.rank}. "
        caption = " ".join(filter(None, [escape(words), f'<span class="score">{place}{score}</span>' if score else ""]))
        report = self._data.sweep.runs / one.cell.name / REPORT
        shown = self._picture(one, name)
        if os.path.exists(report):
            shown = f'<a href="{_linked(self._data.sweep, report)}">{shown}</a>'
        top = ' class="top"' if one.rank == 1 else ""
        return f"<figure{top}>{shown}<figcaption>{caption}</figcaption></figure>"

    def _picture(self, one: Result, name: str) -> str:
        small = self._data.small.get(one.cell.name)
        if small is None:
            return self._unfinished(one)
        size = small.stat().st_size
        self._room -= size
        source = _embedded(small) if self._room >= 0 else _linked(self._data.sweep, small)
        return f'<img src="{source}" alt="{escape(name)}" loading="lazy">'

    def _unfinished(self, one: Result) -> str:
        """The state of a cell without a picture; of one that runs or was stopped its picture as it is, too."""
        now = self._data.sweep.runs / one.cell.name / NOW
        if one.state in ("running", "stopped") and os.path.isfile(now):
            return (
                f'<img class="now" src="{link(now, self._data.sweep.at)}" alt="{one.state}"><small>{one.state}</small>'
            )
        failed = " failed" if one.state == "failed" else ""
        return f'<div class="none{failed}">{one.state}</div>'


def _failures(data: SweepData) -> Iterator[str]:
    failed = [one for one in data.results if one.state == "failed"]
    if failed:
        yield "<h2>Failed</h2><dl>"
        yield from (f"<dt>{escape(one.cell.name)}</dt><dd>{escape(one.message)}</dd>" for one in failed)
        yield "</dl>"


def _recipe(data: SweepData) -> Iterator[str]:
    yield from listing((data.sweep.at / RECIPE).read_text(encoding="utf-8"))


def _facts(data: SweepData) -> Iterator[str]:
    found = {"device": data.sweep.device, "threads of each run": data.sweep.threads, "ranked by": data.judge}
    rows = [f"<dt>{name}</dt><dd>{escape(str(value))}</dd>" for name, value in found.items() if value]
    files = [name for name in (SHEET, CSV, RESULTS) if os.path.exists(data.sweep.at / name)]
    rows += [f'<dt>file</dt><dd><a href="{name}">{name}</a></dd>' for name in files]
    yield f"<h2>Sweep</h2><dl>{''.join(rows)}</dl>"


def _embedded(small: Path) -> str:
    return data_url("image/webp", small.read_bytes())


def _linked(sweep: SweepFolder, path: Path) -> str:
    return quote(path.relative_to(sweep.at).as_posix())
