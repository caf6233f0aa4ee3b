"""What the studio shows of runs: the parts of their reports, their graphs, and what differs between two."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.run_files import LOSSES, RECIPE, REPORT
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.show import draw
from t2iflow.pipelines.show.difference import differences
from t2iflow.runner import entries
from t2iflow.runner.entries import Entry
from t2iflow.runner.events import Ended, Noted, Started
from t2iflow.runner.folder import history, outputs
from t2iflow.runner.folder.own_recipe import plan_of
from t2iflow.runner.report import page
from t2iflow.runner.report.page import ReportData, Running
from t2iflow.runner.report.snapshots import Snapshot, Snapshots, of_page
from t2iflow.runner.report.table import curves_of, rows_of
from t2iflow.runner.studio.clerk.opened import nodes, prompts

PARTS = {
    "head": page.head,
    "state": page.state,
    "losses": page.losses,
    "snapshots": page.snapshots,
    "recipe": page.recipe,
    "facts": page.facts,
}
MOST = 200_000_000
"""Bytes of a page that is read again."""


def report(folder: str) -> dict[str, Any]:
    """A run's report, part by part, as HTML in which all that comes from its recipe is escaped."""
    data = _report_data(Path(folder))
    recipe = data.plan.graph.recipe
    parts = {name: "\n".join(part(data)) for name, part in PARTS.items()}
    if isinstance(data.state, Running):
        parts["state"] = ""  # which the studio knows better
    return {"title": recipe.title, "about": recipe.about, "prompts": prompts(data.plan), "parts": parts}


def graph(folder: str) -> dict[str, Any]:
    """A run's nodes and wires, drawn, and what is written at each node."""
    plan = plan_of(Path(folder))
    return {"svg": draw.svg(plan), "nodes": nodes(plan)}


def diff(one: str, other: str) -> dict[str, Any]:
    """In which settings two runs differ."""
    found = differences(plan_of(Path(one)).graph, plan_of(Path(other)).graph)
    return {"settings": [asdict(row) for row in found]}


def _report_data(folder: Path) -> ReportData:
    """All that a report shows of a run, as its folder has it."""
    plan = plan_of(folder)
    log = history.milestones(folder)
    return ReportData(
        plan=plan,
        recipe=(folder / RECIPE).read_text(encoding="utf-8-sig"),
        folder=folder,
        graph="",
        versions=page.versions(folder),
        started=_started(log),
        state=_state(log),
        losses=curves_of(rows_of(folder / LOSSES)),
        steps={one.node: one.steps for one in log if isinstance(one, entries.Fitting)},
        snapshots=list(_snapshots(folder, plan)),
        notes=[Noted(one.node, one.level, one.text) for one in log if isinstance(one, entries.Noted)],
        files=outputs.wrote(folder),
    )


def _started(log: list[Entry]) -> Started | None:
    """How it began, or was last resumed."""
    for one in reversed(log):
        if isinstance(one, entries.Started):
            return Started(one.recipe, Path(), one.device, one.why, 0, resumed=one.resumed)
    return None


def _state(log: list[Entry]) -> Ended | Running:
    """How it ended; of one that goes on or was killed, that it did not."""
    match log:
        case [*_, entries.Ended() as last]:
            return Ended(last.how, last.seconds or 0.0, last.message)
    return Running("", None, 0.0)


def _snapshots(folder: Path, plan: Plan) -> Iterator[Snapshot]:
    """Those in its folder; of a finished run those in its page."""
    kept = Snapshots(folder, plan)
    kept.remember()
    found = list(kept.all())
    if not found and plan.regions and not paths.no_file(folder / REPORT):
        text = paths.read_start(folder / REPORT, MOST).decode("utf-8", "replace")
        found = list(of_page(text, [region.optimizer for region in plan.regions]))
    yield from found
