"""What every function here does first: check its arguments, and set the environment for torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from inspect import Signature, signature
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from t2iflow.arguments import check_call, hints
from t2iflow.runner import environment

if TYPE_CHECKING:
    from t2iflow.pipelines.problems import Problem

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def prepared(act: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """A function whose arguments are checked, and that may be the first to import torch, which it does only after the
    environment is as it must be."""
    takes = signature(act)

    @wraps(act)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        check_call(takes, act.__name__, args, kwargs)
        environment.prepare()
        from t2iflow.pipelines.problems import RecipeError

        try:
            return act(*args, **kwargs)
        except RecipeError as fault:
            raise RecipeError([_hinted(one, takes, kwargs) for one in fault.problems], fault.sources) from None

    return call


def _hinted(problem: Problem, takes: Signature, given: Mapping[str, object]) -> Problem:
    """A mistake in the name of a param, with what else may have been meant."""
    for name in given:
        if name not in takes.parameters and problem.code == "T2I110" and f"`{name}`" in problem.message:
            return replace(problem, hints=(*problem.hints, *hints(takes, name)))
    return problem
