"""What a run made, as a page shows it: films first, then pictures, then strips; embedded, if they are not too large."""

import base64
import contextlib
import os
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from t2iflow.nodes.core.run_files import NOW
from t2iflow.nodes.pictures.endings import CARRIERS, FILMS, PICTURES, VIDEOS
from t2iflow.nodes.pictures.opening import opened
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.runner.folder.outputs import stills

MOST = {**dict.fromkeys(PICTURES, 24_000_000), **dict.fromkeys(FILMS, 8_000_000), ".mov": 0}
"""Bytes of a file that is embedded; a larger one is linked, and so is what exceeds them together. A MOV, which few
browsers play, is never embedded."""


def exhibits(plan: Plan, folder: Path, files: Sequence[Path], how: str) -> list[str]:
    """A figure for each film and picture, and for the picture as it is where none shows it; `how` the run ended.

    Nothing is embedded while it is `running`, for then the page is written often.
    """
    films = [path for path in files if path.suffix.lower() in FILMS]
    pictures = stills(files, plan.strips)
    strips = [path for path in files if path.name in plan.strips]
    now = [] if how == "finished" or (how == "interrupted" and pictures) else [folder / NOW]
    shown = [path for path in (*films, *now, *pictures, *strips) if os.path.isfile(path)]
    return list(_figures(shown, folder, how == "running"))


def _figures(shown: Sequence[Path], folder: Path, running: bool) -> Iterator[str]:
    room = 0 if running else sum(MOST.values())
    for path in shown:
        kind, size = path.suffix.lower(), path.stat().st_size
        embedded = size <= min(MOST[kind], room)
        room -= size if embedded else 0
        source = data_url(CARRIERS[kind], path.read_bytes()) if embedded else link(path, folder)
        name = path.name if path.name != NOW else "as it is now" if running else "as it was when the run stopped"
        yield _figure(path, source, escape(name), beside=not embedded and path.name != NOW)


def _figure(path: Path, source: str, name: str, beside: bool) -> str:
    if path.suffix.lower() in VIDEOS:
        shape = f'<video src="{source}" controls loop playsinline preload="metadata"></video>'
    else:
        shape = f'<img src="{source}" alt="{name}"{_width(path)}>'
    linked = f' (<a href="{source}">beside this page</a>)' if beside else ""
    return f"<figure>{shape}<figcaption>{name}{linked}</figcaption></figure>"


def _width(path: Path) -> str:
    """A small picture is enlarged, but not beyond recognition."""
    if path.suffix.lower() == ".gif":
        return ""
    with contextlib.suppress(OSError, ValueError), opened(path) as picture:
        return f' style="max-width:{3 * picture.width}px"'
    return ""


def link(path: Path, folder: Path) -> str:
    """Where a file is, seen from the page; a browser follows that of the picture as it is anew when it has changed."""
    dated = f"?{path.stat().st_mtime_ns}" if path.name == NOW else ""
    return quote(path.resolve().relative_to(folder.resolve()).as_posix()) + dated


def data_url(kind: str, content: bytes) -> str:
    """A file as an address."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
