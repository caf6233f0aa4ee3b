"""JSON as every browser reads it, whatever is in it: in ASCII, and without numbers that are none."""

import json
import math
from collections.abc import Mapping
from typing import Any


def written(content: Any) -> str:
    """The text."""
    try:
        return json.dumps(content, allow_nan=False)
    except ValueError:  # as somebody's edit of a log has it
        return json.dumps(_finite(content))


def _finite(content: Any) -> Any:
    """The same with null for each number that is none."""
    if isinstance(content, Mapping):
        return {name: _finite(one) for name, one in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(one) for one in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
