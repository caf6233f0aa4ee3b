"""What a setting takes, in words and as an example, from what its signature declares; and why a value is refused."""

import re
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from t2iflow.nodes.core.node import Setting, kind_name
from t2iflow.nodes.core.prompts import UnquotedError
from t2iflow.nodes.core.spelling import suggest
from t2iflow.pipelines.graph.keyframes import AT
from t2iflow.pipelines.text.yaml_errors import KEYFRAMES
from t2iflow.pipelines.values import shown

FILES = {
    "picture": "photo.png",
    "film": "film.mp4",
    "sound": "song.wav",
    "text": "story.txt",
    "embedding": "direction.npy",
}
"""A file's name for each kind that settings read."""
COMMA = re.compile(r"\s*([-+]?\d+),(\d+)\s*")
"""A number with a comma, for decimals in most languages and for thousands in English."""
UNIT = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+))\s*([a-z]{2,}|\N{DEGREE SIGN})\.?\s*", re.IGNORECASE)
"""A number and what it counts, such as `24 fps`."""
WHOLE = re.compile(r"\s*(?:([-+]?\d{1,3}(?:,\d{3})+)|([-+]?\d+)\s*[a-z]{2,}\.?)\s*", re.IGNORECASE)
"""A whole number with commas between thousands, or with what it counts."""
PERCENT = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+))\s*%\s*")

PLURAL = re.compile(r"\ban? (whole number|number|text|prompt|colour)\b")
"""What there can be many of in a list."""


@dataclass(frozen=True)
class Refusal:
    """A value that a setting does not take, the way to it through lists and mappings, why, and what would help."""

    value: Any
    way: tuple[Any, ...]
    why: str
    hints: tuple[str, ...]


def refusal(fault: ValidationError, setting: Setting, written: Callable[[float], str] = shown) -> Refusal:
    """What a person reads of a fault; `written` is how a number stands in the recipe."""
    errors = fault.errors(include_url=False)
    # Of several types that it could be, the one that came furthest.
    first = max(errors, key=lambda error: len(error["loc"]))
    reasons = [error["ctx"]["error"] for error in errors if error["type"] in ("value_error", "assertion_error")]
    value, way = first["input"], first["loc"]
    why = next(map(str, reasons), f"it takes {describe(setting.annotation)}")
    unquoted = [reason.value for reason in reasons if isinstance(reason, UnquotedError)]
    if "string_type" in {error["type"] for error in errors} and isinstance(value, int | float):
        unquoted.append(value)
    quotes = [f"put it in quotes: '{written(one)}'" for one in unquoted[:1]]
    return Refusal(value, way, why, tuple(quotes or _hints(value, {error["type"] for error in errors}, setting)))


def _hints(value: Any, faults: set[str], setting: Setting) -> Iterator[str]:
    near = suggest(value, _choices(_schema(setting.annotation))) if isinstance(value, str) else None
    if near:
        yield near
    elif isinstance(value, dict) and any(isinstance(key, str) and AT.fullmatch(key) for key in value):
        yield KEYFRAMES
    elif isinstance(value, str) and (number := _number_to_write(value, faults)):
        yield number
    elif value is None and not setting.required:
        yield f"leave it out for its default, {shown(setting.default)}"
    else:
        yield f"for example `{setting.name}: {example(setting)}`"


def _number_to_write(text: str, faults: set[str]) -> str | None:
    """What to write for a text that is nearly a number, where only a number was refused."""
    if "float_parsing" not in faults:  # whole numbers have neither decimals nor parts
        whole = WHOLE.fullmatch(text) if "int_parsing" in faults else None
        return f"write the number alone: `{(whole[1] or whole[2]).replace(',', '')}`" if whole else None
    if comma := COMMA.fullmatch(text):
        thousands = f" or `{comma[1]}{comma[2]}`" if len(comma[2]) == 3 else ""
        return f"use a point for decimals, and nothing between thousands: `{comma[1]}.{comma[2]}`{thousands}"
    if unit := UNIT.fullmatch(text):
        return f"write the number alone: `{unit[1]}`"
    if percent := PERCENT.fullmatch(text):
        return f"write a part of 1: `{float(percent[1]) / 100:g}`"
    return None


def describe(annotation: Any) -> str:
    """What a setting takes, in words."""
    return _in_words(_schema(annotation)) or kind_name(annotation)


def example(setting: Setting) -> str:
    """A value that a setting takes, as a recipe would write it."""
    if setting.default is not None:
        return shown(setting.default)
    if setting.reads or setting.loads:
        return FILES.get(setting.reads or "", "weights.safetensors")
    return shown(_example(_schema(setting.annotation)))


def _schema(annotation: Any) -> Mapping[str, Any]:
    try:
        return TypeAdapter(annotation).json_schema()
    except Exception:  # a package's own type may have none
        return {}


def _choices(schema: Mapping[str, Any]) -> list[Any]:
    """The words that may stand there, in any of the forms."""
    inside = [choice for option in schema.get("anyOf", ()) for choice in _choices(option)]
    return [*schema.get("enum", ()), *inside]


def _in_words(schema: Mapping[str, Any]) -> str:
    if "title" in schema:
        return str(schema["title"])
    if "enum" in schema:
        *others, last = map(str, schema["enum"])
        return f"{'one of' if len(others) > 1 else 'either'} {', '.join(others)} or {last}" if others else last
    if "const" in schema:
        return f"{schema['const']!r}"
    if "anyOf" in schema:
        options = list(dict.fromkeys(_in_words(option) for option in schema["anyOf"]))
        return (", or " if any(" or " in option or "," in option for option in options) else " or ").join(options)
    if schema.get("type") == "array":
        return _list_in_words(schema)
    words = {
        "integer": "a whole number",
        "number": "a number",
        "string": "a text",
        "boolean": "true or false",
        "null": "null",
        "object": "a mapping",
    }.get(schema.get("type", ""), str(schema.get("type", "")))
    return " ".join(filter(None, (words, _bounds(schema))))


def _list_in_words(schema: Mapping[str, Any]) -> str:
    inside = schema.get("prefixItems") or [schema.get("items", {})]
    least = schema.get("minItems", 0)
    number = f"{len(inside)} " if "prefixItems" in schema else f"at least {least} " if least > 1 else ""
    kinds = list(dict.fromkeys(_in_words(item) for item in inside))
    if len(kinds) > 1:
        return f"a list of {len(inside)}: {', '.join(kinds)}"
    many, plural = PLURAL.subn(r"\1s", kinds[0])
    return f"a list of {number}{many}" if plural else f"a list of {number}items, each {kinds[0]}"


def _bounds(schema: Mapping[str, Any]) -> str:
    """Between which numbers, and whether the ends belong to them."""
    if "minimum" in schema and "maximum" in schema:
        return f"from {schema['minimum']:.10g} to {schema['maximum']:.10g}"
    if "exclusiveMinimum" in schema:
        least = f"above {schema['exclusiveMinimum']:.10g}"
    else:
        least = f"of at least {schema['minimum']:.10g}" if "minimum" in schema else ""
    if "exclusiveMaximum" in schema:
        most = f"below {schema['exclusiveMaximum']:.10g}"
    else:
        most = f"{'' if least else 'of '}at most {schema['maximum']:.10g}" if "maximum" in schema else ""
    return " and ".join(filter(None, (least, most)))


def _example(schema: Mapping[str, Any]) -> Any:
    if "examples" in schema:
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return _example(schema["anyOf"][0])
    if "prefixItems" in schema:
        return [_example(item) for item in schema["prefixItems"]]
    kind = schema.get("type")
    if kind == "array":
        return [_example(schema.get("items", {}))] * max(1, schema.get("minItems", 1))
    if kind in ("integer", "number"):
        return _number(schema)
    return {"boolean": True, "object": {"a fox": 1.0}, "null": None}.get(str(kind), "a fox")


def _number(schema: Mapping[str, Any]) -> int | float:
    """A number well within its bounds."""
    least = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    most = schema.get("maximum", schema.get("exclusiveMaximum", least + 2))
    middle: float = (least + most) / 2
    return round(middle) if schema["type"] == "integer" else middle


def item_of(annotation: Any) -> Any:
    """The type of a list's items."""
    if typing.get_origin(annotation) is list:
        return typing.get_args(annotation)[0]
    inside = (item_of(option) for option in typing.get_args(annotation))
    return next((item for item in inside if item is not Any), Any)
