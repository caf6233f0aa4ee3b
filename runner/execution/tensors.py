"""The tensors in a value: alone, or in the tuples, lists, mappings and dataclasses that nodes hand on."""

import copy
from collections.abc import Callable
from typing import Any

from torch import Tensor


def mapped(value: Any, act: Callable[[Tensor], Any]) -> Any:
    """The value with something else in place of each tensor."""
    if isinstance(value, Tensor):
        return act(value)
    if isinstance(value, list | tuple):
        items = [mapped(item, act) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(value, dict):
        return {name: mapped(item, act) for name, item in value.items()}
    if hasattr(value, "__dataclass_fields__") and hasattr(value, "__dict__"):
        again = copy.copy(value)
        for name, item in vars(value).items():
            object.__setattr__(again, name, mapped(item, act))
        return again
    return value


def tensors(value: Any) -> list[Tensor]:
    """All tensors in a value."""
    found: list[Tensor] = []
    mapped(value, found.append)
    return found
