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
from t2iflow.pipelines.show.prompts import Asked, asked
from t2iflow.pipelines.text.recipe import Recipe
from t2iflow.runner.events import Ended, Noted, Started
from t2iflow.runner.folder import lock
from t2iflow.runner.folder.history import resume_command
from t2iflow.runner.report.charts import charts
from t2iflow.runner.report.exhibits import data, exhibits, link
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
class Told:
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


def page(told: Told) -> str:
    """The whole page."""
    parts = (head, state, pictures, losses, snapshots, graph, recipe, facts)
    body = (line for part in parts for line in part(told))
    return framed(told.plan.graph.recipe.title, body, again=isinstance(told.state, Running))


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


def heading(written: Recipe, prompts: Iterable[Asked]) -> Iterator[str]:
    """What a recipe is, and what it asks for."""
    yield f"<h1>{escape(written.title)}</h1>"
    if written.about:
        about = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(written.about))
        yield f'<p class="about">{about}</p>'
    yield from (f'<p class="prompt">{_prompt(one)}</p>' for one in prompts)


def head(told: Told) -> Iterator[str]:
    """What the recipe is, and what it asks for."""
    yield from heading(told.plan.graph.recipe, asked(told.plan))


def _prompt(one: Asked) -> str:
    weight = "" if one.weight is None else f" <b>&times; {one.weight:g}</b>"
    when = f" <small>{escape(one.when)}</small>" if one.when else ""
    return escape(one.text) + weight + when


def state(told: Told) -> Iterator[str]:
    """How the run stands, and what its nodes warn of."""
    if isinstance(told.state, Running):
        yield _live(told.state, told.folder)
    elif told.state.how != "finished":
        message = told.state.message
        # Of an interrupted run it begins with that word, and says after how many steps.
        message = message.removeprefix("interrupted") if told.state.how == "interrupted" else f".\n{message}"
        kind = "warn" if told.state.how == "part" else "bad"
        yield f'<div class="how {kind}"><b>{HOW[told.state.how]}</b>{escape(message)}</div>'
    warnings = dict.fromkeys(f"{note.node}: {note.text}" for note in told.notes if note.level == "warn")
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


def pictures(told: Told) -> Iterator[str]:
    """The films and pictures; while the run goes on or where it stopped, the picture as it is."""
    how = told.state.how if isinstance(told.state, Ended) else "running"
    shown = exhibits(told.plan, told.folder, told.files, how)
    if shown:
        yield f'<div class="pictures">{"".join(shown)}</div>'


def losses(told: Told) -> Iterator[str]:
    """The losses of each optimiser."""
    if told.losses:
        yield "<h2>Loss</h2>"
        yield from charts(told.losses, told.steps)


def snapshots(told: Told) -> Iterator[str]:
    """How the picture came about, and frames of the film."""
    for title, what in (("How it came about", "step"), ("Frames", "frame")):
        shown = [shot for shot in told.snapshots if shot.what == what]
        if shown:
            yield f'<h2>{title}</h2><div class="strip">{"".join(_strip(shown))}</div>'


def _strip(shown: Sequence[Snapshot]) -> Iterator[str]:
    several = len({shot.node for shot in shown}) > 1
    for shot in shown:
        name = escape(f"{shot.node} {shot.number}" if several else str(shot.number))
        source = data("image/png", shot.png)
        yield f'<figure><img src="{source}" alt="{shot.what} {name}"><figcaption>{name}</figcaption></figure>'


def graph(told: Told) -> Iterator[str]:
    """The nodes and wires."""
    about = 'class="scroll graph" tabindex="0" role="region" aria-label="Nodes and wires"'
    yield f"<h2>Nodes and wires</h2><div {about}>{told.graph}</div>"


def recipe(told: Told) -> Iterator[str]:
    """The resolved recipe, to copy."""
    yield from listing(told.recipe)


def listing(recipe: str) -> Iterator[str]:
    """A recipe's text, to copy."""
    yield '<h2>Recipe</h2><div class="recipe"><button hidden data-copies="recipe">copy</button>'
    yield '<div class="scroll" tabindex="0" role="region" aria-label="Recipe">'
    yield f'<pre id="recipe">{escape(recipe)}</pre></div></div>'


def facts(told: Told) -> Iterator[str]:
    """Where and how it ran, what it wrote, and what its nodes say."""
    found: dict[str, Any] = {}
    if told.started:
        found["device"] = f"{told.started.device} ({told.started.why})"
    if isinstance(told.state, Ended):
        again = ", since it was resumed" if told.started and told.started.resumed else ""
        found["time"] = f"{duration(told.state.seconds)}{again}"
    for node, steps in told.steps.items():
        taken = max(told.losses[node][TOTAL]) + 1 if node in told.losses else 0
        found[f"steps of {node}"] = str(steps) if taken == steps else f"{taken} of {steps}"
    found["seed"] = told.plan.graph.recipe.seed
    found |= told.versions
    found["run again here"] = "t2iflow run recipe.yaml"
    said = dict.fromkeys(f"{note.node}: {note.text}" for note in told.notes if note.level == "say")
    rows = [f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in found.items()]
    tables = [path for name in (LOSSES, LOG) if os.path.isfile(path := told.folder / name)]
    links = [(path.name, link(path, told.folder)) for path in (*told.files, *tables)]
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
