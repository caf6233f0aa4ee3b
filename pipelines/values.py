"""Values as messages name them."""

import math

from t2iflow.nodes.core.texts import shortened


def shown(value: object) -> str:
    """A value as messages name it: as YAML has it, with texts in quotes, and long ones cut."""
    return shortened(_written(value))


def _written(value: object) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_written, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_written(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, str):
        return repr(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value).replace("nan", ".nan").replace("inf", ".inf")
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
