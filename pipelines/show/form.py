"""A recipe as a form: JSON Schema of all that a user changes most, with what it is now as the defaults.

Params come first, the prompt before all others; then the seed, and the common settings that follow from no param. What
a param may be, the settings say at which it stands.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from t2iflow.nodes.core.node import Setting
from t2iflow.nodes.core.types import Meaning
from t2iflow.pipelines.graph.allowed import describe
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.show.json_schema import Schema, setting_schema
from t2iflow.pipelines.text.dollars import mentions, reference
from t2iflow.pipelines.text.located import Located, listed, plain
from t2iflow.pipelines.text.seed import END

COMMON: frozenset[Meaning] = frozenset({"asked", "steps", "frames", "size", "count", "rate", "common"})
"""What a setting means that belongs to a form."""

PLAIN = ("a text", "a number", "a whole number")
"""What needs no description: the type and the limits say it."""


@dataclass(frozen=True)
class _Use:
    """A setting at which a param stands, or a part of it."""

    where: str
    setting: Setting
    schema: Schema


def form(plan: Plan) -> Schema:
    """The schema; each property has where it stands (`x-uses`), and of which part of a form it is (`x-part`)."""
    uses, settings = _uses(plan), Schema()
    for name, text in plan.graph.recipe.nodes.items():
        for key, setting in plan.graph.nodes[name].written_spec.settings.items():
            written = text.written.get(key)
            if name in plan.used and setting.means & COMMON and not (written and list(mentions(written))):
                use = _Use(f"{name}.{key}", setting, setting_schema(setting))
                now = plain(written) if written else plan.graph.nodes[name].left_out(key)
                settings[use.where] = _property([use], now) | {"x-part": "setting", "x-node": name}
    params = {
        name: _property(uses.get(name, []), plain(value)) | {"x-part": "param"}
        for name, value in plan.graph.recipe.params.items()
    }
    asked = {name: one for name, one in params.items() if one.get("x-text") == "long"}
    return {
        "type": "object",
        "title": plan.graph.recipe.title,
        "properties": {**asked, **params, "seed": _seed(plan.graph.recipe.seed), **settings},
    }


def of(plan: Plan, name: str, now: Any) -> Schema:
    """What a param, a `node.setting`, or the weight of a loss as `node.port.term` may be, and is now."""
    node, _, key = name.partition(".")
    settings = plan.graph.nodes[node].written_spec.settings if node in plan.graph.recipe.nodes else {}
    if key in settings:
        return _property([_Use(name, settings[key], setting_schema(settings[key]))], now)
    if "." in key:
        return {"type": "number", "default": now, "x-uses": [], "description": "How much it counts."}
    return _property(_uses(plan).get(name, []), now)


def _uses(plan: Plan) -> dict[str, list[_Use]]:
    """The places at which each param stands."""
    uses: dict[str, list[_Use]] = {}
    for name, text in plan.graph.recipe.nodes.items():
        for key, setting in plan.graph.nodes[name].written_spec.settings.items():
            if key in text.written:
                _collect(text.written[key], _Use(f"{name}.{key}", setting, setting_schema(setting)), uses)
    return uses


def _seed(now: int) -> Schema:
    about = "The same number makes the same picture."
    most = float(END)  # which no reader of JSON rounds
    return {"type": "integer", "minimum": 0, "exclusiveMaximum": most, "default": now, "description": about} | {
        "x-part": "seed",
        "x-uses": [],
    }


def _property(uses: list[_Use], now: Any) -> Schema:
    """A value by what may stand at all of its uses, the strictest of which says it."""
    known = sorted((use for use in uses if use.schema), key=lambda use: -len(use.schema))
    said = dict(known[0].schema) if known else _of_value(now)
    words = describe(known[0].setting.annotation) if known else ""
    if words and (" or " in words or not words.startswith(PLAIN)):
        said["description"] = f"{words[0].upper()}{words[1:]}."
    if any("asked" in use.setting.means for use in uses):
        said["x-text"] = "long"
    return said | {"default": listed(now), "x-uses": [use.where for use in uses]}


def _of_value(now: Any) -> Schema:
    """What is known of a param that stands at no setting as a whole, as within a text: that it stays of its type."""
    types: Mapping[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string"}
    return {"type": types[type(now)]} if type(now) in types else {}


def _collect(written: Located, use: _Use, uses: dict[str, list[_Use]]) -> None:
    """Note each param that stands in a value, with the schema of its place."""
    inner = written.value
    if isinstance(inner, str) and (wire := reference(inner)):
        uses.setdefault(wire.node, []).append(use)
    elif isinstance(inner, list | dict):
        for item, place in _parts(inner, use.schema):
            _collect(item, _Use(use.where, use.setting, place), uses)
    elif isinstance(inner, str):
        for name in mentions(written):
            uses.setdefault(name, []).append(_Use(use.where, use.setting, {"type": "string"}))


def _parts(inner: "list[Located] | dict[Any, Located]", schema: Schema) -> Iterator[tuple[Located, Schema]]:
    if isinstance(inner, dict):
        yield from ((item, schema) for item in inner.values())  # of keyframes, each is such a value
        return
    places = schema.get("prefixItems") or [schema.get("items", {})] * len(inner)
    yield from zip(inner, [*places, *[{}] * len(inner)], strict=False)
