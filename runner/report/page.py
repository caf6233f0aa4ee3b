"""The report as a page: one file, nothing fetched from elsewhere, everything from a recipe escaped.

Each part of it is a function: the head, how the run stands, its pictures, its losses, its snapshots, the graph, the
recipe, the facts.
"""

import importlib.resources
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from t2iflow.nodes.core.run_files import LOG, LOSSES
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.show.prompts import Prompt, prompts_of
from t2iflow.pipelines.text.recipe import Recipe
from t2iflow.runner.events import Ended, Noted, Started
from t2iflow.runner.folder import lock
from t2iflow.runner.folder.places import resume_command
from t2iflow.runner.report.charts import charts
from t2iflow.runner.report.exhibits import data_url, exhibits, link
from t2iflow.runner.report.snapshots import Snapshot
from t2iflow.runner.report.table import TOTAL, Curves
from t2iflow.runner.timing.duration import duration

HOW = {"part": "A part of the film", "interrupted": "This run was interrupted", "failed": "This run failed"}


@dataclass(frozen=True)
class Running:
    """A run that goes on: what it is `doing`, which `part` of that is done, from 0 to 1, if known, and when this
    was written, in seconds since the epoch."""

    doing: str
    part: float | None
    written: float


@dataclass(frozen=True)
class ReportData:
    """All that a page shows of a run; `graph` is its drawing, `versions` are what it ran on, `losses` are by optimiser,
    and so are `steps`, how many each was to take."""

    plan: Plan
    recipe: str
    folder: Path
    graph: str
    versions: Mapping[str, str]
    started: Started | None
    state: Ended | Running
    losses: Mapping[str, Curves] = field(default_factory=dict)
    steps: Mapping[str, int] = field(default_factory=dict)
    snapshots: Sequence[Snapshot] = ()
    notes: Sequence[Noted] = ()
    files: Sequence[Path] = ()


def page(data: ReportData) -> str:
    """The whole page."""
    parts = (head, state, pictures, losses, snapshots, graph, recipe, facts)
    body = (line for part in parts for line in part(data))
    return framed(data.plan.graph.recipe.title, body, again=isinstance(data.state, Running))


def framed(title: str, body: Iterable[str], again: bool, style: str = "") -> str:
    """A page in the look of all; one that is written `again` loads itself anew."""
    template = Template(_text("report.html"))
    more = '<noscript><meta http-equiv="refresh" content="5"></noscript>\n' if again else ""
    look, scripts = _text("look.css"), _text("reloading.js") + _text("copies.js")
    return template.substitute(
        title=escape(title), again=more, look=look, style=style, scripts=scripts, body="\n".join(body)
    )


def _text(name: str) -> str:
    return (importlib.resources.files(__package__) / name).read_text("utf-8")


def heading(written: Recipe, prompts: Iterable[Prompt]) -> Iterator[str]:
    """What a recipe is, and what it asks for."""
    yield f"<h1>{escape(written.title)}</h1>"
    if written.about:
        about = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(written.about))
        yield f'<p class="about">{about}</p>'
    yield from (f'<p class="prompt">{_prompt(one)}</p>' for one in prompts)


def head(data: ReportData) -> Iterator[str]:
    """What the recipe is, and what it asks for."""
    yield from heading(data.plan.graph.recipe, prompts_of(data.plan))


def _prompt(one: Prompt) -> str:
    weight = "" if one.weight is None else f" <b>&times; {one.weight:g}</b>"
    when = f" <small>{escape(one.when)}</small>" if one.when else ""
    return escape(one.text) + weight + when


def state(data: ReportData) -> Iterator[str]:
    """How the run stands, and what its nodes warn of."""
    if isinstance(data.state, Running):
        yield _live(data.state, data.folder)
    elif data.state.how != "finished":
        message = data.state.message
        # Of an interrupted run it begins with that word, and says after how many steps.
        message = message.removeprefix("interrupted") if data.state.how == "interrupted" else f".\n{message}"
        kind = "warn" if data.state.how == "part" else "bad"
        yield f'<div class="how {kind}"><b>{HOW[data.state.how]}</b>{escape(message)}</div>'
    warnings = dict.fromkeys(f"{note.node}: {note.text}" for note in data.notes if note.level == "warn")
    yield from (f'<div class="how warn">{escape(warning)}</div>' for warning in warnings)


def _live(now: Running, folder: Path) -> str:
    """A run that goes on, as far as this page knows: it may have been killed since."""
    clock = time.strftime("%H:%M:%S", time.localtime(now.written))
    bar = "" if now.part is None else f'<progress value="{now.part:.4f}" aria-label="Progress"></progress>'
    resume = f"<code>{escape(resume_command(folder))}</code>"
    return (
        f'<div class="how live" data-written="{now.written:.0f}">'
        f"<b>Running, as of {clock}:</b> {escape(now.doing)}{bar}</div>"
        f'<div class="how warn" hidden>Nothing new since {clock}. If the run was stopped, {resume} resumes it.</div>'
    )


def pictures(data: ReportData) -> Iterator[str]:
    """The films and pictures; while the run goes on or where it stopped, the picture as it is."""
    how = data.state.how if isinstance(data.state, Ended) else "running"
    shown = exhibits(data.plan, data.folder, data.files, how)
    if shown:
        yield f'<div class="pictures">{"".join(shown)}</div>'


def losses(data: ReportData) -> Iterator[str]:
    """The losses of each optimiser."""
    if data.losses:
        yield "<h2>Loss</h2>"
        yield from charts(data.losses, data.steps)


def snapshots(data: ReportData) -> Iterator[str]:
    """How the picture came about, and frames of the film."""
    for title, what in (("How it came about", "step"), ("Frames", "frame")):
        shown = [shot for shot in data.snapshots if shot.what == what]
        if shown:
            yield f'<h2>{title}</h2><div class="strip">{"".join(_strip(shown))}</div>'


def _strip(shown: Sequence[Snapshot]) -> Iterator[str]:
    several = len({shot.node for shot in shown}) > 1
    for shot in shown:
        name = escape(f"{shot.node} {shot.number}" if several else str(shot.number))
        source = data_url("image/png", shot.png)
        yield f'<figure><img src="{source}" alt="{shot.what} {name}"><figcaption>{name}</figcaption></figure>'


def graph(data: ReportData) -> Iterator[str]:
    """The nodes and wires."""
    about = 'class="scroll graph" tabindex="0" role="region" aria-label="Nodes and wires"'
    yield f"<h2>Nodes and wires</h2><div {about}>{data.graph}</div>"


def recipe(data: ReportData) -> Iterator[str]:
    """The resolved recipe, to copy."""
    yield from listing(data.recipe)


def listing(recipe: str) -> Iterator[str]:
    """A recipe's text, to copy."""
    yield '<h2>Recipe</h2><div class="recipe"><button hidden data-copies="recipe">copy</button>'
    yield '<div class="scroll" tabindex="0" role="region" aria-label="Recipe">'
    yield f'<pre id="recipe">{escape(recipe)}</pre></div></div>'


def facts(data: ReportData) -> Iterator[str]:
    """Where and how it ran, what it wrote, and what its nodes say."""
    found: dict[str, Any] = {}
    if data.started:
        found["device"] = f"{data.started.device} ({data.started.why})"
    if isinstance(data.state, Ended):
        again = ", since it was resumed" if data.started and data.started.resumed else ""
        found["time"] = f"{duration(data.state.seconds)}{again}"
    for node, steps in data.steps.items():
        taken = max(data.losses[node][TOTAL]) + 1 if node in data.losses else 0
        found[f"steps of {node}"] = str(steps) if taken == steps else f"{taken} of {steps}"
    found["seed"] = data.plan.graph.recipe.seed
    found |= data.versions
    found["run again here"] = "t2iflow run recipe.yaml"
    said = dict.fromkeys(f"{note.node}: {note.text}" for note in data.notes if note.level == "say")
    rows = [f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in found.items()]
    tables = [path for name in (LOSSES, LOG) if os.path.isfile(path := data.folder / name)]
    links = [(path.name, link(path, data.folder)) for path in (*data.files, *tables)]
    rows += [f'<dt>file</dt><dd><a href="{href}">{escape(name)}</a></dd>' for name, href in links]
    rows += [f'<dt>note</dt><dd class="note">{escape(text)}</dd>' for text in said]
    yield f"<h2>Run</h2><dl>{''.join(rows)}</dl>"


def versions(folder: Path) -> dict[str, str]:
    """What a run ran on, as its lock has it."""
    said = lock.read(folder)
    try:
        packages = ", ".join(f"{name} {version}" for name, version in said["packages"].items())
        return {"python": said["python"], "platform": said["platform"], "packages": packages}
    except (KeyError, AttributeError):  # it may have been edited
        return {}
