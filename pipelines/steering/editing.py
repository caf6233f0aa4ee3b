"""A value in the text of a recipe replaced, with all else in the text left as it is, comments too."""

from collections.abc import Sequence
from typing import Any

import yaml

from t2iflow.pipelines.text.yaml_writer import flow

Way = Sequence[str | int]
"""The keys and places in lists that lead to a value."""


class UnwrittenError(LookupError):
    """The text has no value of its own there."""


def edited(text: str, way: Way, value: Any) -> str:
    """The text with another value in a place; UnwrittenError where there is none to replace."""
    start, end = _span(text, way)
    return text[:start] + flow(value) + text[end:]


def _span(text: str, way: Way) -> tuple[int, int]:
    """Where the value begins and ends."""
    node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    if node is None:
        raise UnwrittenError("the recipe is empty")
    for step in way:
        inner = _inner(node, step)
        if not node.start_mark.index <= inner.start_mark.index < node.end_mark.index:
            raise UnwrittenError(f"`{step}` is an alias")
        node = inner
    start = node.start_mark.index
    if text[start : start + 1] == "&" or start == node.end_mark.index:  # an anchor, or nothing at all
        raise UnwrittenError(f"`{way[-1]}` has no value of its own")
    return start, _end(node, text)


def _inner(node: yaml.Node, step: str | int) -> yaml.Node:
    if isinstance(step, int):
        found: yaml.Node = node.value[step]
        return found
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    values: dict[Any, yaml.Node] = {key.value: value for key, value in pairs}
    if step not in values:
        raise UnwrittenError(f"`{step}` is not written there")
    return values[step]


def _end(node: yaml.Node, text: str) -> int:
    """Where a value ends, without what follows a block before the next one begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last, text)
    start = node.start_mark.index
    return start + len(text[start : node.end_mark.index].rstrip())
