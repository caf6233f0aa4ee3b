"""Runs before they begin."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.show import form
from t2iflow.pipelines.show.prompts import first_prompt
from t2iflow.pipelines.text.overrides import ValueOverride, value_override
from t2iflow.runner import session, steering
from t2iflow.runner.folder.own_recipe import compiler, text_of
from t2iflow.runner.studio.clerk.opened import DEVICE
from t2iflow.runner.studio.clerk.source import request
from t2iflow.runner.sweep import slot


def create(parent: str, source: dict[str, Any]) -> dict[str, Any]:
    """Make the folder of a run of a SOURCE, which waits for its turn; RecipeError where it has mistakes, or lacks what
    it reads."""
    wanted = request(**source)
    plan = wanted.plan(lacking=False)
    folder, _ = session.prepare(plan, Path(parent), session.Options(DEVICE, threads=wanted.threads))
    return _made(folder, plan)


def steerable(folder: str) -> dict[str, Any]:
    """All that may be changed of a run from where it stands on, what it is there, and what it may be; and where it may
    be forked."""
    run = Path(folder)
    plan = compiler(run)(text_of(run), ())
    settings = [
        {"name": one.name, "value": one.now, "schema": form.of(plan, one.name, one.now)}
        for one in steering.steerable(run)
    ]
    lengths = ((region.optimizer, *steering.length(region)) for region in plan.regions)
    return {
        "settings": settings,
        "moments": [{"node": node, "what": what, "many": many} for node, many, what in lengths],
    }


def check(folder: str, changes: dict[str, Any]) -> None:
    """Refuse what can't be changed of a run."""
    steering.check(Path(folder), _overrides(changes))


def steer(folder: str, changes: dict[str, Any]) -> None:
    """Change a run that does not go on now, from where it stands on."""
    steering.steer(Path(folder), _overrides(changes))


def fork(folder: str, changes: dict[str, Any], at: str | None, parent: str) -> dict[str, Any]:
    """Make the folder of a run that shares the past of another up to a step or frame, and waits for its turn."""
    made = steering.fork(Path(folder), _overrides(changes), at, Path(parent))
    made.prepare(session.Options(DEVICE))
    return _made(made.folder, made.plan)


def _overrides(changes: dict[str, Any]) -> list[ValueOverride]:
    return [value_override(name, value) for name, value in changes.items()]


def _made(folder: Path, plan: Plan) -> dict[str, Any]:
    """What is known of a run before it begins."""
    recipe, prompt = plan.graph.recipe, first_prompt(plan)
    return {"folder": str(folder), "recipe": recipe.name, "prompt": prompt, "seed": recipe.seed}


def slots() -> list[dict[str, Any]]:
    """Where runs are made: on each GPU one, on a CPU one at a time, with all of it, as a single run is."""
    places = slot.slots(slot.How(DEVICE))
    return [asdict(place) for place in (places[:1] if places[0].device == "cpu" else places)]
