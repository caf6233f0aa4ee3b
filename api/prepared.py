"""What must be so before torch is imported."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from t2iflow.runner import environment

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def prepared(act: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """A function that may be the first to import torch, which it does only after the environment is as it must be."""

    @wraps(act)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        environment.prepare()
        return act(*args, **kwargs)

    return call
