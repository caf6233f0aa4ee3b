"""JSON as every browser reads it, whatever is in it: in ASCII, and without numbers that a browser doesn't have."""

import json
import math
from collections.abc import Mapping
from typing import Any

END = 2**53
"""From here on JavaScript rounds whole numbers."""


def written(content: Any) -> str:
    """The text."""
    return json.dumps(_readable(content))


def _readable(content: Any) -> Any:
    """The same with null for each number that is none, and a text for each that would be rounded."""
    if isinstance(content, Mapping):
        return {name: _readable(one) for name, one in content.items()}
    if isinstance(content, list | tuple):
        return [_readable(one) for one in content]
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    return str(content) if type(content) is int and abs(content) >= END else content
