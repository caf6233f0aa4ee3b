"""A run as a notebook shows it: its picture, how it stands and its loss, as HTML that needs nothing from outside."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import PIL.Image

from t2iflow.nodes.core.run_files import LOSSES, NOW
from t2iflow.nodes.core.texts import counted
from t2iflow.nodes.pictures.endings import FILMS, MOVING
from t2iflow.nodes.pictures.opening import loaded
from t2iflow.pictures import best, pictures
from t2iflow.runner.folder.summary import summary
from t2iflow.runner.report.curve import curve
from t2iflow.runner.report.exhibits import MOST, data_url
from t2iflow.runner.report.table import TOTAL, Points, curves_of, rows_of
from t2iflow.runner.sweep.page import PAGE
from t2iflow.runner.timing.duration import duration

if TYPE_CHECKING:
    from t2iflow.running import Run
    from t2iflow.sweeping import Sweep

LIVE, STILL, SHEET = 320, 640, 1280
"""Pixels of the longer side of a picture that is replaced soon, of one that stays, and of many side by side."""
SHOWN = 8
"""How many pictures of a batch are shown."""

STYLE = """
.t2iflow { display: flex; flex-wrap: wrap; gap: 12px 24px; align-items: flex-start; margin: 4px 0; max-width: 960px;
  font: 14px/1.5 system-ui, sans-serif; }
.t2iflow .pictures { display: flex; flex-wrap: wrap; gap: 8px; max-width: 100%; }
.t2iflow img, .t2iflow video { display: block; max-width: 100%; min-width: min(224px, 100%);
  border-radius: 8px; margin: 0; }
.t2iflow .batch img { min-width: 0; width: 160px; }
.t2iflow .words { flex: 1 1 260px; min-width: 0; overflow-wrap: anywhere; white-space: pre-wrap; }
.t2iflow progress { display: block; width: 100%; height: 6px; margin: 6px 0; }
.t2iflow .chart { padding: 12px 12px 28px 56px; }
.t2iflow .curve { display: block; width: 100%; height: 110px; overflow: visible; }
.t2iflow .curve svg { overflow: visible; }
.t2iflow .curve text { font: 11px system-ui, sans-serif; fill: currentColor; opacity: .6; }
.t2iflow .curve line { stroke: currentColor; opacity: .15; }
.t2iflow .curve path { stroke: #d97a2b; stroke-width: 2; fill: none; vector-effect: non-scaling-stroke; }
"""


@dataclass(frozen=True)
class Chart:
    """The curve of an optimiser's loss, and how many steps that has in all."""

    optimizer: str
    points: Points
    steps: int


def html(words: Sequence[str], figures: Sequence[str], chart: Chart | None = None, part: float | None = None) -> str:
    """Lines of words, the first of them bold, beside pictures or films, over the curve of a loss; `part` of 1 is
    done."""
    return "".join(_parts(words, figures, chart, part))


def _parts(words: Sequence[str], figures: Sequence[str], chart: Chart | None, part: float | None) -> Iterator[str]:
    yield f'<style>{STYLE}</style><div class="t2iflow">'
    if figures:
        batch = " batch" if len(figures) > 1 else ""
        yield f'<div class="pictures{batch}">{"".join(figures)}</div>'
    head, *rest = words
    lines = "\n".join([f"<b>{escape(head)}</b>", *map(escape, rest)])
    yield f'<div class="words">{lines}'
    if part is not None:
        yield f'<progress value="{part:.3f}"></progress>'
    if chart and len(chart.points) > 1:
        drawn = curve(chart.points, chart.steps, f"Loss of {chart.optimizer}", marks=3)
        yield f'<div class="chart">{drawn}</div>'
    yield "</div></div>"


def card(run: Run) -> str:
    """A run as its folder has it now."""
    return html(list(_words(run)), list(_figures(run)), _chart(run.folder))


def sweep_card(sweep: Sweep) -> str:
    """A sweep as its folder has it now: its pictures side by side, and which is best."""
    sheet, best = sweep.sheet, sweep.best
    states = Counter(cell.state for cell in sweep.cells)
    runs = counted(states.total(), "run")
    words = [
        sweep.folder.name,
        f"{runs}: {', '.join(f'{count} {state}' for state, count in states.items())}",
        *([f"best: {best.folder.name}"] if best else []),
        *filter(None, [sweep.message]),
        f"page: {sweep.folder / PAGE}",
    ]
    return html(words, [picture(sheet, SHEET)] if sheet else [])


def _words(run: Run) -> Iterator[str]:
    """Its recipe and prompt, its state and its folder."""
    found = summary(run.folder)
    yield ": ".join(filter(None, [found.recipe, found.prompt])) or run.folder.name
    yield run.state + (f" in {duration(found.seconds)}" if run.state == "finished" and found.seconds else "")
    yield from filter(None, [run.message, str(run.folder)])


def _figures(run: Run) -> Iterator[str]:
    """The films and the pictures; the picture as it is now where there is neither."""
    files = run.files
    films = [
        file for file in files if file.suffix.lower() in FILMS and file.stat().st_size <= MOST[file.suffix.lower()]
    ]
    yield from map(_film, films)
    first = best(run.folder, files)
    stills = [file for file in pictures(run.folder, files) if first and _belongs(file, first)][:SHOWN]
    if not stills and not films and os.path.isfile(run.folder / NOW):
        stills = [run.folder / NOW]
    yield from (picture(loaded(file), STILL) for file in stills)


def _belongs(file: Path, first: Path) -> bool:
    """Whether a picture is of the same batch as its first, or that itself."""
    stem = first.stem.removesuffix("-1")
    return file == first or (stem != first.stem and file.stem.startswith(f"{stem}-") and file.suffix == first.suffix)


def _film(file: Path) -> str:
    source = data_url(FILMS[file.suffix.lower()], file.read_bytes())
    if file.suffix.lower() in MOVING:
        return f'<img src="{source}" alt="{escape(file.name)}">'
    return f'<video src="{source}" controls autoplay loop muted playsinline></video>'


def picture(shown: PIL.Image.Image, side: int) -> str:
    """A picture as a small JPEG within the page."""
    small = shown.convert("RGB")
    small.thumbnail((side, side))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=85)
    return f'<img src="{data_url("image/jpeg", file.getvalue())}" alt="the picture">'


def _chart(folder: Path) -> Chart | None:
    """The loss of the optimiser that came last."""
    for optimizer, curves in reversed(curves_of(rows_of(folder / LOSSES)).items()):
        return Chart(optimizer, curves[TOTAL], max(curves[TOTAL]) + 1)
    return None
