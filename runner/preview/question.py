"""What a recipe from an address would do, short enough to decide on before it runs."""

from collections.abc import Iterator

from t2iflow.nodes.core.texts import counted, in_line, shortened
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.runner.execution.frames import total
from t2iflow.runner.preview.preview import Preview

SHOWN = ("sizes", "weights", "files read", "missing", "files written")
"""What of a preview matters to whoever decides."""


def question(made: Preview) -> str:
    """The recipe's title, its nodes, steps and sizes, the weights with their sizes and licences, and its files."""
    recipe = made.plan.graph.recipe
    sections = {
        "nodes": [", ".join(dict.fromkeys(node.spec.name for node in made.plan.graph.nodes.values()))],
        "steps": list(_steps(made.plan)),
        **{title: made.sections[title] for title in SHOWN if title in made.sections},
    }
    parts = [f"{title}:\n" + "\n".join(f"  {line}" for line in lines) for title, lines in sections.items() if lines]
    return "\n".join([shortened(in_line(recipe.title)), shortened(in_line(recipe.about), 300), *parts])


def _steps(plan: Plan) -> Iterator[str]:
    for region in plan.regions:
        frames = f", {counted(region.shot.frames, 'frame')}" if region.shot else ""
        yield f"{region.optimizer}: {total(region, plan.graph):,}{frames}"
    if plan.graph.recipe.best > 1:
        yield f"and all of it {plan.graph.recipe.best} times, for the best"
