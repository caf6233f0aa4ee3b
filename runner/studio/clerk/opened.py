"""All that the studio shows of a recipe before it runs; see OPENED in the table of the package."""

from collections.abc import Iterator
from typing import Any

from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.problems import Problems, RecipeError
from t2iflow.pipelines.show import draw
from t2iflow.pipelines.show.form import form
from t2iflow.pipelines.show.prompts import prompts_of
from t2iflow.pipelines.text.located import plain
from t2iflow.pipelines.text.recipe import Recipe
from t2iflow.runner.execution.frames import total
from t2iflow.runner.preview import estimate
from t2iflow.runner.preview.preview import preview
from t2iflow.runner.request import Request
from t2iflow.runner.studio.clerk.source import problems_as_json, request

DEVICE = "auto"
UNKNOWN = ("form", "prompts", "expected", "plan", "graph", "nodes")
"""What is not known of a recipe with mistakes."""


def opened(**source: Any) -> dict[str, Any]:
    """The recipe of a SOURCE; RecipeError where there is no text to be read."""
    wanted = request(**source)
    found = wanted.source
    about = {"text": found.text, "file": found.file, "name": found.name, "foreign": found.origin.fence is not None}
    return about | _read(wanted)


def _read(wanted: Request) -> dict[str, Any]:
    """What the text says, as far as it can be read, and what its mistakes are."""
    problems, nothing = Problems(), {"title": "", "about": "", "presets": [], "notes": []}
    try:
        recipe = wanted.recipe(problems)
    except RecipeError as fault:
        return nothing | dict.fromkeys(UNKNOWN) | {"problems": problems_as_json(fault.problems, fault.sources)}
    said = {
        "title": recipe.title,
        "about": recipe.about,
        "presets": list(presets(recipe)),
        "notes": [*recipe.notes, *_alone(recipe)],
    }
    try:
        plan = compile_recipe(recipe, problems)
        return said | {"problems": []} | _compiled(plan) | {"notes": [*plan.graph.recipe.notes, *_alone(recipe)]}
    except RecipeError as fault:
        return said | dict.fromkeys(UNKNOWN) | {"problems": problems_as_json(fault.problems, fault.sources)}


def _alone(recipe: Recipe) -> Iterator[str]:
    """That a recipe for many runs makes one here."""
    if recipe.sweep.axes or recipe.best > 1:
        command = f"t2iflow sweep {recipe.name}" if recipe.sweep.axes else f"t2iflow run {recipe.name}"
        yield f"this recipe is for several runs; the studio makes one of them, and `{command}` makes all"


def _compiled(plan: Plan) -> dict[str, Any]:
    return {
        "form": form(plan),
        "prompts": prompts(plan),
        "expected": _expected(plan),
        "plan": {title: list(lines) for title, lines in preview(plan, DEVICE).sections.items()},
        "graph": draw.svg(plan),
        "nodes": nodes(plan),
    }


def prompts(plan: Plan) -> list[dict[str, Any]]:
    """What is asked for."""
    return [{"text": one.text, "weight": one.weight, "when": one.when} for one in prompts_of(plan)]


def nodes(plan: Plan) -> dict[str, Any]:
    """Each node of the recipe, with what is written at its ports and settings."""
    return {
        name: {
            "use": plan.graph.nodes[name].written_spec.name,
            "settings": {key: plain(value) for key, value in text.written.items()},
        }
        for name, text in plan.graph.recipe.nodes.items()
    }


def presets(recipe: Recipe) -> Iterator[dict[str, str]]:
    """The recipe's presets, with what they say of themselves."""
    said = {name: body for layer in recipe.text.layers for name, body in layer.value["presets"].value.items()}
    for name in recipe.presets:
        body = plain(said[name]) or {}
        yield {"name": name, "title": str(body.get("title") or ""), "about": str(body.get("about") or "")}


def _expected(plan: Plan) -> dict[str, Any]:
    """How large the picture will be, how many steps it takes, and how many seconds, as far as is known."""
    figures = estimate.known(plan, DEVICE)
    return {
        "size": _size(plan),
        "steps": sum(total(region, plan.graph) for region in plan.regions),
        "frames": next((region.shot.made for region in plan.regions if region.shot), None),
        "seconds": None if figures is None else estimate.seconds(plan, figures),
    }


def _size(plan: Plan) -> list[int] | None:
    """That of the last canvas that is painted on and has any."""
    canvases = [plan.graph.nodes[name] for region in plan.regions for name in region.canvases]
    sizes = [size for node in canvases if isinstance(size := node.value("size"), tuple)]
    return list(sizes[-1]) if sizes else None
