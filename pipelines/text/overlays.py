"""One recipe on another: what a recipe changes in the one that it extends, or a preset in its recipe.

Overlays merge by name: params, nodes, and the settings of a node. What a param or a setting holds is replaced
as a whole, so keyframes and weighted prompts are never mixed; `null` removes. A node whose overlay has another `use` is
replaced as a whole too: the settings of one node mean nothing to another.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from t2iflow.nodes.core.spelling import suggest
from t2iflow.pipelines.problems import NOWHERE, Place, Problems
from t2iflow.pipelines.text.located import Located, plain

LEVELS = {"params": 1, "nodes": 2}
"""How deep overlays merge by name."""

NOTHING = Located({}, NOWHERE)


@dataclass(frozen=True)
class Change:
    """What presets put in place of what a recipe says: a param's value, a setting's (`cuts.count`), or a node."""

    name: str
    before: Located
    after: Located | None
    """None where it is removed."""


def merge(base: Located, over: Located, problems: Problems, unset: Located = NOTHING) -> Located:
    """One recipe on another. `unset` is the base without its presets, for which the overlay was written."""
    values, keys = {**base.value, **over.value}, {**over.keys, **base.keys}
    for section, levels in LEVELS.items():
        below, above, known = base.value[section], over.value[section], unset.value.get(section, NOTHING)
        values[section] = _merge_names(below, above, known, levels, problems)
    return Located(values, base.place, keys)


def put(document: Located, path: tuple[str, ...], value: Located, at: Place) -> Located:
    """The document with one value in it replaced; `at` is where that was said."""
    if not path:
        return value
    step, *rest = path
    below = document.value.get(step)
    inner = put(below if below is not None else Located({}, at), tuple(rest), value, at)
    last = replace(at, column=at.column + at.width - len(step), width=len(step))
    keys: Mapping[str, Place] = {**document.keys, step: document.keys.get(step, at) if rest else last}
    return Located({**document.value, step: inner}, document.place, keys)


def _merge_names(base: Located, over: Located, unset: Located, levels: int, problems: Problems) -> Located:
    values, keys = dict(base.value), dict(base.keys)
    for key, value in over.value.items():
        known = unset.value.get(key)
        if value.value is None:
            removed = values.pop(key, None) or known
            hint = suggest(key, values) if removed is None else None
            if hint:  # what is spelt like nothing here may have been removed before
                message = f"`null` removes `{key}`, but there is none"
                problems.add("T2I110", message, over.keys[key], hint)
        elif levels > 1 and (below := _meant(value, [values.get(key), known])) is not None:
            values[key] = _merge_names(below, value, known or NOTHING, levels - 1, problems)
            keys.setdefault(key, over.keys[key])
        else:
            values[key], keys[key] = value, over.keys[key]
    return Located(values, base.place, keys)


def _meant(over: Located, nodes: list[Located | None]) -> Located | None:
    """The first of the nodes that the overlay doesn't make another."""
    return next((node for node in nodes if node is not None and not _is_another(node, over)), None)


def _is_another(base: Located, over: Located) -> bool:
    return "use" in base.value and "use" in over.value and use_of(base) != use_of(over)


def use_of(node: Located) -> object:
    """What a node's text says that it is; None if it doesn't."""
    return node.value["use"].value if "use" in node.value else None


def removed(overlays: Iterable[Located]) -> dict[str, Place]:
    """Where `null` stands for a param, a node, or what a node has (`cuts.count`), in the last overlay that says so."""
    found: dict[str, Place] = {}
    for over in overlays:
        params, nodes = (over.value[section].value.items() for section in LEVELS)
        inner = ((f"{name}.{key}", value) for name, node in nodes if node.value for key, value in node.value.items())
        found |= {name: value.place for name, value in (*params, *nodes, *inner) if value.value is None}
    return found


def changes(before: Located, after: Located) -> Iterator[Change]:
    """What is another in the second recipe than in the first; not what it has beside."""
    yield from _differing(before.value["params"], after.value["params"])
    nodes = after.value["nodes"].value
    for name, node in before.value["nodes"].value.items():
        other = nodes.get(name)
        if other is None or use_of(node) != use_of(other):
            yield Change(name, node.value.get("use", node), other and other.value.get("use", other))
        else:
            yield from _differing(node, other, f"{name}.")


def _differing(before: Located, after: Located, prefix: str = "") -> Iterator[Change]:
    for key, value in before.value.items():
        other = after.value.get(key)
        if other is None or plain(value) != plain(other):
            yield Change(f"{prefix}{key}", value, other)


def carried(name: str, before: Located, after: Located) -> dict[str, str]:
    """Settings of a node that were written for another `use` than presets have made it since, each with that."""
    node, other = (document.value["nodes"].value.get(name) for document in (before, after))
    if node is None or other is None or use_of(node) == use_of(other):
        return {}
    return {key: str(use_of(node)) for key, value in other.value.items() if node.value.get(key) is value}
