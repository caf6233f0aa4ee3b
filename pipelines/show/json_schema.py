"""Recipes as JSON Schema (draft 2020-12), for editors: completion, and mistakes marked while typing.

Made from the signatures of all nodes that are installed. It knows the form of a recipe, not its sense: kinds of wires,
names of nodes and all that hangs on the whole are checked by `t2iflow check`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError

from t2iflow.nodes.core import catalog
from t2iflow.nodes.core.node import Port, Setting, Spec, kind_name
from t2iflow.nodes.core.types import Loss
from t2iflow.pipelines.graph.continued import BEFORE
from t2iflow.pipelines.graph.formula import LIKELY
from t2iflow.pipelines.graph.graph import FILE_NAME, READERS
from t2iflow.pipelines.graph.music import FOLLOWED, MOST_SMOOTH
from t2iflow.pipelines.graph.schedule import Ease, Over
from t2iflow.pipelines.text.dollars import NAME
from t2iflow.pipelines.text.form import FORMAT, SHEET_WORDS
from t2iflow.pipelines.text.seed import DRAWN, END, MOST_SEEDS

Schema = dict[str, Any]

REFERENCE = {"$ref": "#/$defs/reference"}
FORMULA = {"$ref": "#/$defs/formula"}
MOMENT = r"^[0-9]*\.?[0-9]+([eE][0-9]+)?\s*[%s]?$"


def recipe_schema() -> Schema:
    """The schema of a recipe file."""
    specs = list(catalog.every_node())
    texts = {"title": {"type": "string"}, "about": {"type": "string"}}
    seed = {"anyOf": [{"type": "integer", "minimum": 0, "exclusiveMaximum": END}, {"enum": list(DRAWN)}]}
    overlay = {"seed": seed, "params": {"type": "object"}, "nodes": _named("#/$defs/overlay", nullable=True)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "t2iflow recipe",
        "type": "object",
        "properties": {
            "t2iflow": {"const": FORMAT, "description": "The format of the recipe."},
            **texts,
            "extends": {"type": "string", "description": "A recipe file, or the name of a bundled one."},
            **overlay,
            "presets": _named({"type": "object", "properties": {**texts, **overlay}, "additionalProperties": False}),
            "sweep": _sweep(),
            "best": {"type": ["integer", "null"], "minimum": 1, "maximum": MOST_SEEDS},
        },
        "required": ["t2iflow"],
        "additionalProperties": False,
        "if": {"not": {"required": ["extends"]}},
        "then": {"properties": {"nodes": _named("#/$defs/node")}, "required": ["nodes"]},
        "$defs": {
            "reference": {
                "type": "string",
                "pattern": rf"^\$({NAME}(\.{NAME})?|\{{\s*{NAME}(\.{NAME})?\s*\}})$",
                "description": "$name of a param, or a wire from a node.",
            },
            "formula": {"type": "string", "pattern": LIKELY.pattern, "description": "A number that follows time."},
            "node": _node(specs, whole=True),
            "overlay": _node(specs, whole=False),
            **{spec.name: _inputs(spec) for spec in specs},
        },
    }


def _sweep() -> Schema:
    """What varies: of each name a list of values, a range such as `0..7`, or `@` and the name of a file."""
    names = {
        "type": "object",
        "propertyNames": {"pattern": rf"^{NAME}(\.{NAME})?$"},
        "additionalProperties": {"anyOf": [{"type": "array", "minItems": 1}, {"type": ["string", "number", "object"]}]},
    }
    sheet = {word: {"type": "string"} for word in SHEET_WORDS}
    parts: Schema = {
        "each": {**names, "description": "All combinations of these values are run."},
        "together": {
            **names,
            "description": "These vary in step: the first value of each, then the second, and so on.",
        },
        "rank": {"type": ["string", "null"], "description": "The perceptor that ranks the pictures."},
        "sheet": {"type": "object", "properties": sheet, "additionalProperties": False},
    }
    return {"type": "object", "properties": parts, "additionalProperties": False}


def _named(value: str | Schema, nullable: bool = False) -> Schema:
    """A mapping of names to values; a text names a definition."""
    schema = {"$ref": value} if isinstance(value, str) else value
    return {
        "type": "object",
        "patternProperties": {f"^{NAME}$": _any_of([schema, {"type": "null"}]) if nullable else schema},
        "additionalProperties": False,
    }


def _node(specs: Iterable[Spec], whole: bool) -> Schema:
    """A node: `use` decides what else there may be. In an overlay nothing is required, and `use` is known elsewhere."""
    known = {"enum": [spec.name for spec in specs]}
    choices = []
    for spec in specs:
        inputs: list[Port | Setting] = [*spec.ports.values(), *spec.settings.values()]
        required = [part.name for part in inputs if part.required]
        then: Schema = {"$ref": f"#/$defs/{spec.name}", **({"required": required} if whole and required else {})}
        choices.append({"if": {"properties": {"use": {"const": spec.name}}, "required": ["use"]}, "then": then})
    node = {"type": "object", "properties": {"use": _any_of([known, REFERENCE])}, "allOf": choices}
    return {**node, "required": ["use"]} if whole else node


def _inputs(spec: Spec) -> Schema:
    every = {
        "type": "integer",
        "minimum": 1,
        "description": "For an output in a loop: one in `every` steps or frames is shown.",
    }
    return {
        "type": "object",
        "description": spec.doc,
        "properties": {
            "use": {"const": spec.name},
            "every": _any_of([every, REFERENCE]),
            **{name: _port(port) for name, port in spec.ports.items()},
            **{name: _setting(setting) for name, setting in spec.settings.items()},
        },
        "additionalProperties": False,
    }


def _port(port: Port) -> Schema:
    options: list[Schema] = [REFERENCE]
    if port.many:
        options.append({"type": "array", "items": REFERENCE, "minItems": 1})
    elif port.kind is Loss:
        number = _opened({"type": "number"})
        weight = _any_of([number, *_schedules(number)])
        term = {
            "type": "object",
            "properties": {"of": REFERENCE, "weight": weight},
            "required": ["of"],
            "additionalProperties": False,
        }
        options += [term, {"type": "array", "items": _any_of([REFERENCE, term]), "minItems": 1}]
    if port.kind in READERS:
        options.append({"type": "string", "pattern": FILE_NAME, "description": "The name of a picture's file."})
    if not port.required:
        options.append({"type": "null"})
    return {**_any_of(options), "description": f"A wire: {kind_name(port.kind)}."}


def setting_schema(setting: Setting) -> Schema:
    """What a setting takes, as far as JSON Schema can say it."""
    try:
        said = setting.adapter.json_schema()
    except (PydanticInvalidForJsonSchema, PydanticSchemaGenerationError):
        return {}
    # Only a package's own type can have definitions, and what it refers to has no place here.
    return {} if "$defs" in said else said


def _setting(setting: Setting) -> Schema:
    """What the setting's type allows, or a param; over time too, where it may change."""
    value = _opened(setting_schema(setting))
    options = [value] if setting.fixed else [value, *_schedules(value)]
    return _any_of(options) if setting.required else {**_any_of(options), "default": setting.default}


def _schedules(value: Schema) -> Iterator[Schema]:
    """Keyframes and music between such values."""
    yield {
        "type": "object",
        "patternProperties": {MOMENT: value, r"^\$": value},
        "properties": {
            "ease": {"enum": list(get_args(Ease))},
            "over": _any_of([{"enum": list(get_args(Over))}, REFERENCE]),
            BEFORE: {},  # all that the setting may be: a schema can't refer to itself here
        },
        "additionalProperties": False,
    }
    words: dict[str, Schema] = {
        "music": {"type": "string", "description": "A song, or a film with sound."},
        "follow": {"enum": list(FOLLOWED)},
        "smooth": {"type": "number", "minimum": 0, "maximum": MOST_SMOOTH},
        "start": {"type": "number", "minimum": 0},
    }
    yield {
        "type": "object",
        "properties": {"low": value, "high": value, **{word: _any_of([one, REFERENCE]) for word, one in words.items()}},
        "required": ["music"],
        "additionalProperties": False,
    }


def _opened(schema: Mapping[str, Any], formed: bool = True) -> Schema:
    """The schema, with a param in place of the value or of any part of it, and a formula in place of a number."""
    inner = dict(schema)
    formula = [FORMULA] if formed and inner.get("type") in ("number", "integer") else []
    for key in ("prefixItems", "anyOf"):
        if key in inner:
            inner[key] = [_opened(part) for part in inner[key]]
    for key in ("items", "additionalProperties"):
        if isinstance(inner.get(key), dict):
            inner[key] = _opened(inner[key], key == "items")
    return _any_of([inner, REFERENCE, *formula])


def _any_of(options: list[Schema]) -> Schema:
    """One of these, each said once."""
    flat = [part for option in options for part in (option["anyOf"] if set(option) == {"anyOf"} else [option])]
    different = [option for index, option in enumerate(flat) if option not in flat[:index]]
    return different[0] if len(different) == 1 else {"anyOf": different}
