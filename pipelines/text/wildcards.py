"""Wildcards in prompts: of `{red|blue} fox` one of the alternatives is drawn, by the seed.

The same text and seed draw the same, now and in every later version: the numbers come from SHA-256.
"""

import hashlib
import re
from dataclasses import replace
from typing import Any

from t2iflow.pipelines.text.located import Located

CHOICE = re.compile(r"(?<!\$)\{([^{}]*\|[^{}]*)\}")
"""The innermost alternatives; `${name}` is none."""


def has_wildcards(value: Located) -> bool:
    """Whether there is anything to draw in a value's texts."""
    inner = value.value
    if isinstance(inner, list):
        return any(map(has_wildcards, inner))
    if isinstance(inner, dict):
        return any(_has(key) or has_wildcards(item) for key, item in inner.items())
    return _has(inner)


def drawn(value: Located, seed: int) -> Located:
    """The value with one of the alternatives at each place of its texts, keys of mappings included."""
    inner = value.value
    if isinstance(inner, list):
        return replace(value, value=[drawn(item, seed) for item in inner])
    if isinstance(inner, dict):
        return replace(
            value,
            value={_drawn(key, seed): drawn(item, seed) for key, item in inner.items()},
            keys={_drawn(key, seed): place for key, place in value.keys.items()},
        )
    return replace(value, value=_drawn(inner, seed))


def _has(value: Any) -> bool:
    return isinstance(value, str) and CHOICE.search(value) is not None


def _drawn(value: Any, seed: int) -> Any:
    """A text with its alternatives drawn, the innermost first, from left to right."""
    number = 0
    while isinstance(value, str) and (found := CHOICE.search(value)):
        choices = found[1].split("|")
        value = value[: found.start()] + _choice(choices, f"{seed} {number} {found[1]}").strip() + value[found.end() :]
        number += 1
    return value


def _choice(choices: list[str], what: str) -> str:
    digest = hashlib.sha256(what.encode("utf-8", "surrogatepass")).digest()
    return choices[int.from_bytes(digest[:8], "big") % len(choices)]
