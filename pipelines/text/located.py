"""A value of a recipe with its place, so that whatever is wrong with it can be pointed at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from t2iflow.pipelines.problems import Place


@dataclass(frozen=True)
class Located:
    """A value and its place; for a mapping also the place of each key. Lists and mappings hold more of these."""

    value: Any
    place: Place
    keys: Mapping[Any, Place] = field(default_factory=dict)


def plain(value: Located) -> Any:
    """The value without places; a wire as it is written."""
    inner = value.value
    if isinstance(inner, list):
        return [plain(item) for item in inner]
    if isinstance(inner, dict):
        return {key: plain(item) for key, item in inner.items()}
    return inner if inner is None or isinstance(inner, str | int | float) else str(inner)


def extent(value: Located) -> tuple[int, int]:
    """What a value costs when it is written out, and how deep it is."""
    inner = value.value
    if isinstance(inner, str):
        return 1 + len(inner) // 80, 0
    if not isinstance(inner, list | dict):
        return 1, 0
    parts = [extent(part) for part in (inner.values() if isinstance(inner, dict) else inner)]
    return 1 + sum(cost for cost, _ in parts), 1 + max((depth for _, depth in parts), default=0)
