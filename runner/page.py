"""The report as a page: one file, nothing fetched from elsewhere, everything from a recipe escaped."""

import base64
import contextlib
import importlib.resources
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from string import Template
from typing import Any, Literal
from urllib.parse import quote

import PIL.Image
import yaml

from t2iflow.nodes.pictures import FORMATS
from t2iflow.pipelines import draw
from t2iflow.pipelines.plan import Plan
from t2iflow.runner.curve import curve
from t2iflow.runner.events import Ended, Noted, Started

PICTURES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}
FILMS = {".mp4": "video/mp4", ".webm": "video/webm", ".gif": "image/gif", ".apng": "image/apng"}
MOST = {**dict.fromkeys(PICTURES, 24_000_000), **dict.fromkeys(FILMS, 8_000_000)}
"""Bytes of a file that is embedded; a larger one is linked, and so is what exceeds them together."""

HOW = {"part": "A part of the film.", "interrupted": "This run was interrupted.", "failed": "This run failed."}


@dataclass(frozen=True)
class Snapshot:
    """A small picture of a step or of a frame of a film, as the bytes of a PNG."""

    node: str
    what: Literal["step", "frame"]
    number: int
    png: bytes


@dataclass(frozen=True)
class Told:
    """All that a page tells of a run; `losses` are by optimiser and step, `steps` how many each was to take."""

    plan: Plan
    recipe: str
    folder: Path
    started: Started | None
    ended: Ended
    losses: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    steps: Mapping[str, int] = field(default_factory=dict)
    snapshots: Sequence[Snapshot] = ()
    notes: Sequence[Noted] = ()
    files: Sequence[Path] = ()


def page(told: Told) -> str:
    """The whole page."""
    template = Template((importlib.resources.files(__package__) / "report.html").read_text("utf-8"))
    return template.substitute(title=escape(told.plan.graph.recipe.title), body="\n".join(_body(told)))


def _body(told: Told) -> Iterator[str]:
    yield from _head(told)
    yield from _pictures(told)
    if any(told.losses.values()):
        yield "<h2>Loss</h2>"
        for node, points in told.losses.items():
            name = f"<h3>{escape(node)}</h3>" if len(told.losses) > 1 else ""
            drawn = curve(points, told.steps.get(node, max(points) + 1), f"Loss of {node}")
            yield f'{name}<div class="scroll">{drawn}</div>'
    for title, what in (("How it came about", "step"), ("Frames", "frame")):
        shown = [shot for shot in told.snapshots if shot.what == what]
        if shown:
            yield f"<h2>{title}</h2>"
            yield from _strip(shown)
    yield f'<h2>Nodes and wires</h2><div class="scroll">{draw.svg(told.plan)}</div>'
    yield '<h2>Recipe</h2><div class="recipe"><button hidden data-copies="recipe">copy</button>'
    yield f'<div class="scroll"><pre id="recipe">{escape(told.recipe)}</pre></div></div>'
    yield f"<h2>Run</h2>{_facts(told)}"


def _head(told: Told) -> Iterator[str]:
    recipe = told.plan.graph.recipe
    yield f"<h1>{escape(recipe.title)}</h1>"
    if recipe.about:
        about = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(recipe.about))
        yield f'<p class="about">{about}</p>'
    yield from (f'<p class="prompt">{prompt}</p>' for prompt in _prompts(told.plan))
    if told.ended.how != "finished":
        message = f"\n{told.ended.message}" if told.ended.message else ""
        how = HOW[told.ended.how]
        yield f'<div class="how {"warn" if told.ended.how == "part" else "bad"}"><b>{how}</b>{escape(message)}</div>'
    warnings = dict.fromkeys(f"{note.node}: {note.text}" for note in told.notes if note.level == "warn")
    yield from (f'<div class="how warn">{escape(warning)}</div>' for warning in warnings)


def _prompts(plan: Plan) -> Iterator[str]:
    """What was asked for, each once, with weights where there are any."""
    asked = [node.settings["prompt"] for node in plan.graph.nodes.values() if node.settings.get("prompt")]
    weighted: dict[tuple[str, float | None], None] = {}
    for prompt in asked:
        if isinstance(prompt, dict):
            weighted |= {(str(text), weight): None for text, weight in prompt.items()}
        else:
            texts = prompt if isinstance(prompt, list) else [prompt]
            weighted |= {(str(text), None): None for text in texts}
    for text, weight in weighted:
        yield escape(text) + ("" if weight is None else f" <b>&times; {weight:g}</b>")


def _pictures(told: Told) -> Iterator[str]:
    shown = [path for path in told.files if path.suffix.lower() in MOST and path.is_file()]
    if not shown:
        return
    left = sum(MOST.values())
    yield '<div class="pictures">'
    for path in sorted(shown, key=lambda path: path.suffix.lower() in FILMS):
        kind, size = path.suffix.lower(), path.stat().st_size
        source, embedded = _link(path, told.folder), size <= min(MOST[kind], left)
        if embedded:
            left -= size
            source = _data({**PICTURES, **FILMS}[kind], path.read_bytes())
        name = escape(path.name)
        shape = f'<img src="{source}" alt="{name}"{_width(path)}>'
        if kind in (".mp4", ".webm"):
            shape = f'<video src="{source}" controls loop muted playsinline preload="metadata"></video>'
        elsewhere = "" if embedded else " (beside this page)"
        yield f"<figure>{shape}<figcaption>{name}{elsewhere}</figcaption></figure>"
    yield "</div>"


def _width(path: Path) -> str:
    """A small picture is enlarged, but not beyond recognition."""
    if path.suffix.lower() == ".gif":
        return ""
    with contextlib.suppress(OSError, ValueError), PIL.Image.open(path, formats=FORMATS) as picture:
        return f' style="max-width:{3 * picture.width}px"'
    return ""


def _strip(snapshots: Sequence[Snapshot]) -> Iterator[str]:
    several = len({shot.node for shot in snapshots}) > 1
    yield '<div class="strip">'
    for shot in snapshots:
        name = escape(f"{shot.node} {shot.number}" if several else str(shot.number))
        source = _data("image/png", shot.png)
        yield f'<figure><img src="{source}" alt="{shot.what} {name}"><figcaption>{name}</figcaption></figure>'
    yield "</div>"


def _facts(told: Told) -> str:
    facts: dict[str, Any] = {}
    if told.started:
        facts["device"] = f"{told.started.device} ({told.started.why})"
        again = ", since it was taken up again" if told.started.resumed else ""
        facts["time"] = f"{_time(told.ended.seconds)}{again}"
    for node, steps in told.steps.items():
        taken = max(told.losses.get(node, {}), default=-1) + 1
        facts[f"steps of {node}"] = str(steps) if taken == steps else f"{taken} of {steps}"
    facts["seed"] = told.plan.graph.recipe.seed
    facts |= _lock(told.folder)
    facts["run again"] = f"t2iflow run {told.folder / 'recipe.yaml'}"
    said = dict.fromkeys(f"{note.node}: {note.text}" for note in told.notes if note.level == "say")
    rows = [f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in facts.items()]
    links = [(path.name, _link(path, told.folder)) for path in told.files]
    rows += [f'<dt>file</dt><dd><a href="{link}">{escape(name)}</a></dd>' for name, link in links]
    rows += [f'<dt>note</dt><dd class="note">{escape(text)}</dd>' for text in said]
    return f"<dl>{''.join(rows)}</dl>"


def _lock(folder: Path) -> dict[str, str]:
    """Versions, as the lock of the run has them."""
    try:
        lock = yaml.safe_load((folder / "lock.yaml").read_text("utf-8"))
        return {"python": lock["python"], "platform": lock["platform"], **lock["packages"]}
    except (OSError, yaml.YAMLError, TypeError, KeyError):  # it may have been edited
        return {}


def _link(path: Path, folder: Path) -> str:
    return quote(path.resolve().relative_to(folder.resolve()).as_posix())


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
