"""What `t2iflow check` finds in recipes, as text and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from t2iflow.nodes.core.texts import counted
from t2iflow.pipelines.problems import Problem, Problems, RecipeError, in_reading_order, render
from t2iflow.runner.request import Request

if TYPE_CHECKING:
    from t2iflow.pipelines.plan.plan import Plan

SCHEMA = "t2iflow.check/1"


@dataclass(frozen=True, repr=False)
class Checked:
    """A checked recipe: its mistakes and the texts that they are in, or its plan, how many cells its sweep has, and
    what there is to note about its presets."""

    recipe: str
    plan: "Plan | None" = None
    problems: Sequence[Problem] = ()
    sources: dict[str, str] = field(default_factory=dict)
    cells: int = 0
    notes: Sequence[str] = ()

    def __bool__(self) -> bool:
        """Whether there are no mistakes."""
        return not self.problems

    def __str__(self) -> str:
        if self.plan is None:
            return render(self.problems, self.sources)
        recipe = self.plan.graph.recipe
        unneeded = [f"`{name}` is not needed by any output" for name in [*self.plan.idle, *recipe.unused]]
        lost = [
            f"`{one.short}` is missing: give it with {one.option}" for one in self.plan.graph.resources if one.missing
        ]
        notes = [*lost, *(f"note: {note}" for note in (*recipe.notes, *self.notes))]
        cells = f", {counted(self.cells, 'cell')} in its sweep" if self.cells else ""
        nodes = counted(len(recipe.nodes), "node")
        return "\n".join([f"{self.recipe}: no mistakes ({nodes}{cells})", *unneeded, *notes])

    __repr__ = __str__


def check(request: Request) -> Checked:
    """Read and compile a recipe, and every cell of its sweep, to find its mistakes; also with each of its own presets,
    unless it is asked for with presets or other values."""
    found = Problems()
    try:
        recipe = request.recipe(found)
    except RecipeError as fault:
        return Checked(request.where, None, tuple(dict.fromkeys(fault.problems)), dict(fault.sources))
    from t2iflow.pipelines.compiling import compile_recipe  # and torch, once there is something to compile
    from t2iflow.pipelines.presets import Trial
    from t2iflow.runner.sweep.grid import compiled, without_judge

    found.extend([*recipe.sweep.problems, *without_judge(recipe.sweep)])
    plan, cells, sources = None, 0, dict(recipe.sources)
    try:
        plan = compile_recipe(recipe, found)
        cells = len(compiled(recipe, recipe.sweep, Problems()).cells) if recipe.sweep.axes else 0
    except RecipeError as fault:
        found, sources = Problems(fault.problems), dict(fault.sources)
    trial = None if request.is_changed else Trial(recipe, tuple(found))
    if trial:
        found.extend(trial.mistakes)
    if found:
        return Checked(request.where, None, in_reading_order(dict.fromkeys(found)), sources)
    return Checked(request.where, plan, cells=cells, notes=trial.notes if trial else ())


def as_json(found: Sequence[Checked]) -> str:
    """All that was found, as one JSON object."""
    return json.dumps({"schema": SCHEMA, "recipes": [_plain(one) for one in found]}, indent=2, ensure_ascii=False)


def _plain(checked: Checked) -> dict[str, Any]:
    problems = [_problem(problem) for problem in checked.problems]
    if checked.plan is None:
        return {"recipe": checked.recipe, "problems": problems}
    recipe = checked.plan.graph.recipe
    unneeded = [*checked.plan.idle, *recipe.unused]
    return {"recipe": checked.recipe, "problems": problems, "nodes": len(recipe.nodes), "unneeded": unneeded}


def _problem(problem: Problem) -> dict[str, Any]:
    place = asdict(problem.place) if problem.place else dict.fromkeys(("file", "line", "column", "width"))
    words = {"code": problem.code, "message": problem.message, "hints": list(problem.hints)}
    return words | place
