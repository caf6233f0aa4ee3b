"""Runs before they begin."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from t2iflow.pipelines.show.prompts import asked
from t2iflow.runner import session
from t2iflow.runner.studio.clerk.opened import DEVICE
from t2iflow.runner.studio.clerk.source import request
from t2iflow.runner.sweep import slot


def create(parent: str, source: dict[str, Any]) -> dict[str, Any]:
    """Make the folder of a run of a SOURCE, which waits for its turn; RecipeError where it has mistakes, or lacks what
    it reads."""
    wanted = request(**source)
    plan = wanted.plan(lacking=False)
    folder, _ = session.prepare(plan, Path(parent), session.Options(DEVICE, threads=wanted.threads))
    prompt = next((one.text for one in asked(plan)), "")
    return {
        "folder": str(folder),
        "recipe": plan.graph.recipe.name,
        "prompt": prompt,
        "seed": plan.graph.recipe.seed,
    }


def slots() -> list[dict[str, Any]]:
    """Where runs are made: on each GPU one, on a CPU one at a time, with all of it, as a single run is."""
    places = slot.slots(DEVICE, None, 1)
    return [asdict(place) for place in (places[:1] if places[0].device == "cpu" else places)]
