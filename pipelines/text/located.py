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


def listed(value: Any) -> Any:
    """A value with lists for tuples, as a recipe has them."""
    return [listed(one) for one in value] if isinstance(value, list | tuple) else value


def located(value: Any, place: Place, literal: bool = False) -> Located:
    """The value with this place for all that is in it; a `literal` one's texts refer to nothing."""
    if isinstance(value, list | tuple):
        return Located([located(item, place, literal) for item in value], place)
    if isinstance(value, dict):
        inner = {_literal(key, literal): located(item, place, literal) for key, item in value.items()}
        return Located(inner, place, dict.fromkeys(inner, place))
    return Located(_literal(value, literal), place)


def _literal(value: Any, literal: bool) -> Any:
    return value.replace("$", "$$") if literal and isinstance(value, str) else value


def extent(value: Located) -> tuple[int, int]:
    """What a value costs when it is written out, and how deep it is."""
    inner = value.value
    if isinstance(inner, str):
        return 1 + len(inner) // 80, 0
    if not isinstance(inner, list | dict):
        return 1, 0
    parts = [extent(part) for part in (inner.values() if isinstance(inner, dict) else inner)]
    return 1 + sum(cost for cost, _ in parts), 1 + max((depth for _, depth in parts), default=0)
