"""Wildcards in prompts: of `{red|blue} fox` one of the alternatives is drawn, by the seed, and of `{@animals.txt}` one
of the lines of that file.

The same text and seed draw the same, now and in every later version: the numbers come from SHA-256.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from t2iflow.nodes.core.prompts import WILDCARD
from t2iflow.pipelines.problems import Place
from t2iflow.pipelines.text.located import Located
from t2iflow.pipelines.values import shown

MOST = 200
"""How often is drawn in one text, whose files' lines may have wildcards themselves."""

Lines: TypeAlias = Callable[[str, Place], Sequence[str]]
"""The lines of the file that is named at a place; none where it can't be read."""


class UndrawnError(ValueError):
    """Why nothing can be drawn, as it follows a name: files draw from each other again and again, or two keys of a
    mapping become one."""


def has_wildcards(value: Located) -> bool:
    """Whether there is anything to draw in a value's texts."""
    inner = value.value
    if isinstance(inner, list):
        return any(map(has_wildcards, inner))
    if isinstance(inner, dict):
        return any(_has(key) or has_wildcards(item) for key, item in inner.items())
    return _has(inner)


def drawn(value: Located, seed: int, lines: Lines) -> Located:
    """The value with one of the alternatives, or of the lines, at each place of its texts, keys of mappings included;
    UndrawnError where that has no end, or gives a mapping one key twice."""
    inner = value.value
    if isinstance(inner, list):
        return replace(value, value=[drawn(item, seed, lines) for item in inner])
    if isinstance(inner, dict):
        names = {key: _drawn(key, seed, lines, value.keys[key]) for key in inner}
        if twice := next((name for name, count in Counter(names.values()).items() if count > 1), None):
            raise UndrawnError(f"draws {shown(twice)} for two of its keys")
        return replace(
            value,
            value={names[key]: drawn(item, seed, lines) for key, item in inner.items()},
            keys={names[key]: place for key, place in value.keys.items()},
        )
    return replace(value, value=_drawn(inner, seed, lines, value.place))


def _has(value: Any) -> bool:
    return isinstance(value, str) and WILDCARD.search(value) is not None


def _drawn(value: Any, seed: int, lines: Lines, at: Place) -> Any:
    """A text with its alternatives drawn, the innermost first, from left to right."""
    number = 0
    while isinstance(value, str) and (found := WILDCARD.search(value)):
        file, written = found[1], found[2]
        choices = lines(file.strip(), at) if file else written.split("|")
        choice = _choice(choices, f"{seed} {number} {file or written}").strip() if choices else ""
        value = value[: found.start()] + choice + value[found.end() :]
        number += 1
        if number > MOST:
            raise UndrawnError("draws from files that name each other without end")
    return value


def _choice(choices: Sequence[str], what: str) -> str:
    digest = hashlib.sha256(what.encode("utf-8", "surrogatepass")).digest()
    return choices[int.from_bytes(digest[:8], "big") % len(choices)]
