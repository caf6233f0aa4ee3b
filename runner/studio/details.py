"""All that is known of one run, or of one sweep; see DETAILS in the table of the package."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from t2iflow.nodes.core import json_file, paths
from t2iflow.nodes.core.run_files import RECIPE
from t2iflow.pipelines.text.yaml_reader import MAX_BYTES
from t2iflow.runner.entries import Noted, Started
from t2iflow.runner.folder.history import milestones
from t2iflow.runner.folder.outputs import wrote
from t2iflow.runner.folder.places import RESULTS, SHEET, resume_command
from t2iflow.runner.folder.watching import LIVE
from t2iflow.runner.studio.files import KINDS, TABLES
from t2iflow.runner.studio.glance import Glance, cells, glance
from t2iflow.runner.studio.home import Home


def details(home: Home, folder: Path, known: Glance) -> dict[str, Any]:
    """Of a run's folder, or of a sweep's; `known` is what is known of it at a glance."""
    parts = _sweep if known.kind == "sweep" else _run
    about = {"text": _text(folder / RECIPE), "folder": str(folder), "command": resume_command(folder)}
    return known.plain() | about | parts(home, folder)


def _run(home: Home, folder: Path) -> dict[str, Any]:
    log = milestones(folder)
    last = next((entry for entry in reversed(log) if isinstance(entry, Started)), Started())
    # Each once, as a resumed run says some again.
    notes = {(entry.node, entry.text): entry for entry in log if isinstance(entry, Noted)}.values()
    return {
        "params": last.params,
        "prompts": last.prompts,
        "device": last.device,
        "optimizers": [{"node": node, "steps": steps} for node, steps in last.totals.items()],
        "notes": [{"node": note.node, "level": note.level, "text": note.text} for note in notes],
        "files": list(_files(home, folder)),
        "live": _dated(home, folder, LIVE),
    }


def _dated(home: Home, folder: Path, file: str) -> str | None:
    """The address of a file, which is another when the file is; None where there is none."""
    with contextlib.suppress(OSError):
        return home.address(folder, file, at=(folder / file).stat().st_mtime_ns)
    return None


def _files(home: Home, folder: Path) -> Iterator[dict[str, Any]]:
    """What the run has written, and its tables."""
    tables = [path for name in TABLES if os.path.isfile(path := folder / name)]
    for path in (*wrote(folder), *tables):
        kind = KINDS.get(PurePath(path).suffix.lower())
        if kind:
            name = path.relative_to(folder).as_posix()
            size = path.stat().st_size
            yield {"file": name, "kind": kind.kind, "bytes": size, "address": _dated(home, folder, name)}


def _sweep(home: Home, folder: Path) -> dict[str, Any]:
    runs = [glance(home, run) for run in cells(folder)]
    return {"runs": [run.plain() for run in runs], "sheet": _dated(home, folder, SHEET), "results": _results(folder)}


def _results(folder: Path) -> Any:
    """What came of each cell, as far as the sweep has ended."""
    return json_file.read(folder / RESULTS).get("cells", [])


def _text(file: Path) -> str:
    with contextlib.suppress(OSError):
        return paths.read_start(file, MAX_BYTES).decode("utf-8", "replace")
    return ""
