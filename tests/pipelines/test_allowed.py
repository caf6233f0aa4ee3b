"""What a setting does not take is refused in our own words: what it is, what is allowed, and what to do."""

import re
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Interval
from pydantic import ValidationError

from t2iflow.nodes.core import catalog
from t2iflow.nodes.core.node import Setting
from t2iflow.nodes.core.types import Fraction, Hex, Size
from t2iflow.pipelines.graph.allowed import describe, example, refusal
from t2iflow.pipelines.problems import RecipeError
from t2iflow.pipelines.text.located import plain
from t2iflow.pipelines.text.yaml_reader import parse
from tests.compiled import compiled
from tests.runner.conftest import COPY

SETTINGS = {f"{spec.name}.{name}": one for spec in catalog.every_node() for name, one in spec.settings.items()}
NAN, INF = float("nan"), float("inf")
WRONG: tuple[Any, ...] = (
    None, True, -1, 0, 1, 10**39, 0.5, 1e38, NAN, INF, -INF, "", "fox", "#12", "a/b", "12", [], [1], ["x"], [NAN, NAN],
    [2, 1], [1, 2, 3, 4, 5], ["a", None], [[1]], [True, False], {}, {"fox": 1}, {"fox": "x"}, {"fox": None},
)  # fmt: skip
KINDS = {
    "int_type", "int_parsing", "int_from_float", "float_type", "float_parsing", "finite_number", "bool_type",
    "bool_parsing", "string_type", "string_pattern_mismatch", "literal_error", "list_type", "tuple_type",
    "too_short", "too_long", "missing", "greater_than", "greater_than_equal", "less_than", "less_than_equal",
    "value_error", "int_parsing_size",
}  # fmt: skip
"""All kinds of errors that pydantic raises for our settings."""
PYTHON = re.compile(
    r"Input|valid (integer|number|string|tuple|list|boolean|dictionary)|\b(tuple|dict|str|int|float|bool|None|NoneType"
    r"|items after validation|Value error|unable to parse|True|False|nan\.0)\b"
)


def faults(setting: Setting) -> list[ValidationError]:
    """What pydantic says of every wrong value."""
    found = []
    for value in WRONG:
        try:
            setting.adapter.validate_python(value)
        except ValidationError as fault:
            found.append(fault)
    return found


def test_every_kind_of_refusal_is_known() -> None:
    kinds = {error["type"] for one in SETTINGS.values() for fault in faults(one) for error in fault.errors()}
    assert kinds == KINDS


@pytest.mark.parametrize("name", SETTINGS)
def test_a_refused_value_is_told_what_is_allowed_and_what_to_do(name: str) -> None:
    for fault in faults(SETTINGS[name]):
        found = refusal(fault, SETTINGS[name])
        assert not PYTHON.search(found.why)
        assert found.hints
        assert not PYTHON.search(" ".join(found.hints))


@pytest.mark.parametrize("name", SETTINGS)
def test_the_example_of_a_setting_is_one_that_it_takes(name: str) -> None:
    setting = SETTINGS[name]
    assert describe(setting.annotation)
    if not setting.reads and not setting.loads:
        setting.adapter.validate_python(plain(parse(f"[{example(setting)}]", "example"))[0])


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Annotated[int, Interval(ge=1)], "a whole number of at least 1"),
        (Annotated[float, Interval(ge=0, le=1)], "a number from 0 to 1"),
        (Annotated[float, Interval(gt=0, le=1)], "a number above 0 and at most 1"),
        (Annotated[float, Interval(ge=0, lt=1)], "a number of at least 0 and below 1"),
        (Annotated[float, Interval(gt=0, lt=1)], "a number above 0 and below 1"),
        (Annotated[float, Interval(le=1)], "a number of at most 1"),
        (tuple[Fraction, Fraction], "a list of 2 numbers from 0 to 1"),
        (tuple[str, float], "a list of 2: a text, a number"),
        (list[Size], "a list of items, each a width and a height in pixels, from 1 to 16384 each"),
        (list[int | str] | None, "a list of whole numbers or texts, or null"),
        (Literal["fill", "squeeze"], "either fill or squeeze"),
        (Literal["a", "b", "c"] | Hex | None, 'one of a, b or c, or a colour as "#rrggbb", or null'),
    ],
)
def test_what_a_setting_takes_reads_as_english(annotation: Any, words: str) -> None:
    assert describe(annotation) == words


BARE = COPY.replace("size: [24, 24], kind: fractal", "octaves: 3").replace(", rate: 0.05, steps: $steps", "")


def told(recipe: str, *overrides: str) -> str:
    """What a person reads; empty if the recipe is sound."""
    try:
        compiled(recipe, overrides=overrides)
    except RecipeError as fault:
        return str(fault)
    return ""


SIZES = [
    "[64, 48]",
    "64x48",
    "64 x 48",
    '"64 48"',
    '"64, 48"',
    "64×48",
    '"64*48"',
    '"(64, 48)"',
    '"[64, 48]"',
    "64px x 48px",
]
SQUARES = ["[64, 64]", "64", '"64"', "64px", "64x64"]


@pytest.mark.parametrize("size", SIZES + SQUARES)
def test_a_size_is_read_as_people_write_it(size: str) -> None:
    recipe = COPY.replace("canvas.pixels, size: [24, 24]", f"canvas.pixels, size: {size}")
    plain = size.strip('"')
    for found, changes in ((recipe, ()), (COPY, (f"canvas.size={plain}",)), (COPY, (f"canvas.size={size}",))):
        plan = compiled(found, overrides=changes)
        assert plan.graph.nodes["canvas"].settings["size"] == (64, 48 if size in SIZES else 64)


@pytest.mark.parametrize(
    "size", ["16:9", "0x0", "large", "[512]", "[1, 2, 3]", "1.5x2", "99999", "null", "true", "64x", "-64"]
)
def test_what_is_no_size_is_refused_with_an_example(size: str) -> None:
    text = told(COPY.replace("canvas.pixels, size: [24, 24]", f"canvas.pixels, size: {size}"))
    assert "a width and a height in pixels" in text
    assert "[224, 224]" in text


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("fit.steps", "many", "it takes a whole number from 1"),
        ("fit.steps", "null", "leave it out for its default, 300"),
        ("fit.rate", ".nan", "it takes a number from 0 to 1000000"),
        ("fit.rate", "1e38", "it takes a number from 0 to 1000000"),
        ("photo.kind", "fractals", "did you mean `fractal`?"),
        ("still.file", "1984", "put it in quotes: '1984'"),
        ("still.file", "null", "leave it out for its default"),
        ("photo.size", "null", "for example `size: [512, 512]`"),
    ],
)
def test_a_refusal_says_what_to_write(setting: str, value: str, words: str) -> None:
    node, name = setting.split(".")
    lines = (f"{line[:-1]}, {name}: {value}}}" if line.startswith(f"  {node}:") else line for line in BARE.splitlines())
    assert words in told("\n".join(lines))
