"""Values as YAML text in its flow style: `[512, 512]`, `{a fox: 1, fog: -0.4}`."""

import json
import re
from typing import Any

from t2iflow.pipelines.text.yaml_errors import LONGEST_KEY

SAFE = re.compile(r"[A-Za-z_][A-Za-z0-9_ ./-]*[A-Za-z0-9_.]|[A-Za-z_]")
"""Texts that YAML reads as texts without quotes, whatever follows them."""
WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "inf", "nan"}

FOLDED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")
"""Signs that YAML refuses or takes for the end of a line unless they are escaped."""


def flow(value: Any) -> str:
    """A value with all that is in it."""
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)}: {flow(item)}" for key, item in value.items()) + "}"
    return scalar(value)


def _key(value: Any) -> str:
    written = flow(value)
    return written if len(written) < LONGEST_KEY else f"? {written} "


def scalar(value: Any) -> str:
    """One value; texts are quoted unless they can't be mistaken."""
    if isinstance(value, str):
        bare = SAFE.fullmatch(value.removeprefix("$")) and value.lower() not in WORDS and ": " not in value
        return (
            value if bare else FOLDED.sub(lambda sign: f"\\u{ord(sign[0]):04x}", json.dumps(value, ensure_ascii=False))
        )
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(repr(value), repr(value))
    return str(value)
