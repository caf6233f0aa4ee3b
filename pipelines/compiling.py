"""From a recipe to its plan, with all its mistakes at once: the passes in order.

A graph has every node with its settings and wires; regions say what is repeated, by names; clocks say what keyframes
count, and what formulas come to; rates are what suits each canvas; checks look at the whole; the plan puts regions and
all other nodes in order.
"""

from dataclasses import replace

from t2iflow.pipelines.graph.leftovers import without_unfit
from t2iflow.pipelines.graph.wiring import wire
from t2iflow.pipelines.plan.checks import check
from t2iflow.pipelines.plan.clocks import set_clocks, set_steps
from t2iflow.pipelines.plan.plan import Plan, make_plan
from t2iflow.pipelines.plan.rates import set_rates
from t2iflow.pipelines.plan.reach import find_reach
from t2iflow.pipelines.plan.regions import find_regions
from t2iflow.pipelines.problems import Problems, RecipeError, in_reading_order, joined
from t2iflow.pipelines.text.recipe import Recipe


def compile_recipe(recipe: Recipe, problems: Problems | None = None) -> Plan:
    """Wire, check and place the recipe; RecipeError with these problems, those of reading it first, and all others."""
    problems = Problems() if problems is None else problems
    graph = wire(without_unfit(recipe), problems)
    regions = find_regions(graph)
    graph = set_rates(find_reach(set_clocks(graph, regions, problems), regions, problems), regions)
    problems.extend(joined(check(graph, regions)))
    if problems:
        raise RecipeError(in_reading_order(problems), recipe.sources)
    plan = make_plan(graph, regions)
    return replace(plan, graph=set_steps(graph, plan.regions))
