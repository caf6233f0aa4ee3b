"""The process: questions come in by lines, and answers or refusals go out; see `desk` for who asks."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from t2iflow.runner.child.serving import serve


def main() -> None:
    """Answer questions, one after another."""
    serve(lambda line: (answer(**json.loads(line)), True))


def answer(question: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the desk hands on: an answer, or what a request is refused with."""
    from t2iflow.pipelines.problems import RecipeError
    from t2iflow.runner.refusals import REFUSALS
    from t2iflow.runner.studio.clerk.source import problems_as_json
    from t2iflow.runner.studio.refused import Refused

    try:
        return {"answer": _questions()[question](**given)}
    except Refused as fault:
        return {"status": fault.status} | fault.body
    except RecipeError as fault:
        return {
            "status": 422,
            "error": "the recipe has mistakes",
            "problems": problems_as_json(fault.problems, fault.sources),
        }
    except REFUSALS as fault:
        return {"status": 409, "error": str(fault), "problems": []}
    except Exception as fault:  # nodes of other packages may raise anything
        return {"status": 500, "error": f"{type(fault).__name__}: {fault}", "problems": []}


def _questions() -> Mapping[str, Callable[..., Any]]:
    from t2iflow.runner.studio.clerk import catalog, opened, pages, runs

    return {
        "opened": opened.opened,
        "recipes": catalog.recipes,
        "schema": catalog.schema,
        "nodes": catalog.nodes,
        "node": catalog.node,
        "slots": runs.slots,
        "create": runs.create,
        "steerable": runs.steerable,
        "check": runs.check,
        "steer": runs.steer,
        "fork": runs.fork,
        "report": pages.report,
        "graph": pages.graph,
        "diff": pages.diff,
    }
