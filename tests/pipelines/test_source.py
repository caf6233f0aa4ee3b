"""YAML as people mean it, and where everything stands."""

import math
from typing import Any

import pytest

from t2iflow.pipelines.problems import Place, Problem, Problems, RecipeError
from t2iflow.pipelines.text.located import plain
from t2iflow.pipelines.text.yaml_reader import parse


def value_of(text: str) -> Any:
    return plain(parse(text, "f"))


def problems_of(text: str) -> list[Problem]:
    with pytest.raises(RecipeError) as caught:
        parse(text, "f")
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1e-3", 0.001),
        ("1E+2", 100.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-0.1", -0.1),
        ("010", 10),
        ("+7", 7),
        ("0x1F", 31),
        ("0o17", 15),
        ("1_000", "1_000"),
        ("off", "off"),
        ("no", "no"),
        ("yes", "yes"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("16:9", "16:9"),
        ("1:30", "1:30"),
        ("25%", "25%"),
        ("2026-11-23", "2026-11-23"),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("$prompt", "$prompt"),
        ("${prompt}", "${prompt}"),
        ("'1e-3'", "1e-3"),
        ('"true"', "true"),
        ("'painting of #1 dog'", "painting of #1 dog"),
        ("an endless library, ink and wash", "an endless library, ink and wash"),
        ("=", "="),
        (r'"\ud83e\udd8a and \u00e9"', "\U0001f98a and \u00e9"),  # as JSON has them
    ],
)
def test_scalars_mean_what_people_mean(written: str, meant: object) -> None:
    value = value_of(f"a: {written}")["a"]
    assert value == meant
    assert type(value) is type(meant)


def test_not_a_number_is_a_number() -> None:
    assert math.isnan(value_of("a: .nan")["a"])


def test_a_number_of_a_thousand_digits_does_not_hang_or_crash() -> None:
    assert value_of(f"a: {'9' * 5000}")["a"] == math.inf


def test_keys_are_texts_and_numbers() -> None:
    assert list(value_of("{0: a, 1.5: b, 100%: c, true: d, null: e, '2': f}")) == [0, 1.5, "100%", "true", "null", "2"]


def test_anchors_repeat_a_value() -> None:
    assert value_of("a: &size [4, 5]\nb: *size") == {"a": [4, 5], "b": [4, 5]}


def test_values_and_keys_have_places() -> None:
    document = parse("nodes:\n  cuts: {count: 32, size: [4, 5]}\n", "zoom.yaml")
    nodes = document.value["nodes"]
    cuts = nodes.value["cuts"]
    assert document.keys["nodes"] == Place("zoom.yaml", 1, 1, 5)
    assert nodes.keys["cuts"] == Place("zoom.yaml", 2, 3, 4)
    assert cuts.keys["count"] == Place("zoom.yaml", 2, 10, 5)
    assert cuts.value["count"].place == Place("zoom.yaml", 2, 17, 2)
    assert cuts.value["size"].place == Place("zoom.yaml", 2, 27, 6)
    assert cuts.value["size"].value[1].place == Place("zoom.yaml", 2, 31, 1)


def test_all_duplicate_keys_are_told() -> None:
    problems = problems_of("a: 1\nb: {c: 1, c: 2}\na: 2\na: 3\n")
    assert [(p.code, p.place.line) for p in problems if p.place] == [("T2I102", 2), ("T2I102", 3), ("T2I102", 3 + 1)]
    assert problems[1].hints == ("it stands first on line 1",)


def test_equal_numbers_are_duplicate_keys() -> None:
    assert [problem.code for problem in problems_of("{1: a, 1.0: b}")] == ["T2I102"]


def test_all_tags_and_merge_keys_are_told() -> None:
    problems = problems_of("a: !!str 1\nb: !mine [1]\nc: {<<: {d: 1}}\n")
    assert [(p.code, p.place.line) for p in problems if p.place] == [("T2I103", 1), ("T2I103", 2), ("T2I103", 3)]
    assert problems[0].place == Place("f", 1, 4, 5)


def test_what_can_be_read_past_leaves_a_value() -> None:
    problems = Problems()
    assert plain(parse("a: 1\na: 2\nb: !x 3", "f", problems)) == {"a": 1, "b": 3}
    assert [problem.code for problem in problems] == ["T2I102", "T2I103"]


@pytest.mark.parametrize("text", ["a: painting of #1 dog", "{a: painting of #1 dog\n}", "- lite #ViT-B/32"])
def test_a_text_cut_short_by_a_comment_is_told(text: str) -> None:
    assert [problem.code for problem in problems_of(text)] == ["T2I113"]


@pytest.mark.parametrize(
    "text", ["a: 32 #64", "a: lite # small", "a: lite  ## small", "a: b#1", "a: [x] #1", "a: 'x' #1"]
)
def test_comments_are_fine(text: str) -> None:
    parse(text, "f")


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("a:\n\tb: 1", 2, 1, "a tab can't indent"),
        ("a: {\n\tb: 1\n}", 2, 1, "a tab can't indent"),
        ("a:\tb", 1, 3, "a tab can't stand here"),
        ("a:\t\n  b: 1", 1, 3, "a tab can't stand here"),
        ("a: - b", 1, 4, "a list begins on a line of its own"),
        ("a: ? b", 1, 4, "a text can't start with `?` and a space"),
        ("prompt: a cat: asleep", 1, 14, "a `:` where no key can stand"),
        ("a:\n  b: 1\n c: 2", 3, 2, "this line's indentation doesn't match its neighbours'"),
        ("- a\nb: 1", 1, 1, "a list among names"),
        ("a: 'x\nb: 2", 1, 4, "this quote is never closed"),
        ("a: [1, {b: 2,\nc: 3", 1, 8, "this bracket is never closed"),
        ("a: [1,", 1, 4, "this bracket is never closed"),
        ("a: {b: 1, }}", 1, 12, "this bracket closes nothing"),
        ("a: {x: 1\nb: 2}", 2, 2, "a `,` or `}` is missing before this"),
        ("a: [1\nb: 2]\nc: 1", 2, 2, "a `,` or `]` is missing before this"),
        ("a: {x: ${y}}", 1, 9, "`${` needs quotes here"),
        ("a: {{ x }}", 1, 5, "a key must be a text or a number"),
        ("a: @x", 1, 4, "a text can't start with this character"),
        ("a: * b", 1, 4, "a text can't start with `*`"),
        ("a: *b", 1, 4, "there is no anchor `&b` before this"),
        ("a: &b [*b]", 1, 8, "there is no anchor `&b` before this"),
        ('a: "\\q"', 1, 6, "this `\\` means nothing"),
        ('a: "x" y', 1, 8, "something follows a complete value"),
        ("a: 1\n---\nb: 2", 2, 1, "a recipe is one document; this line starts another"),
        ("a: |x\n  b", 1, 5, "after `|` or `>` the text starts on the next line"),
        ("a: 1\n  b: 2", 2, 3, "this line is indented deeper than line 1, where `a` has a value already"),
        ("a:b\nc: 1", 1, 1, "`a` must be followed by `:` and a space"),
        ("x:\n  a:b c\n\n  d: 1", 2, 3, "`a` must be followed by `:` and a space"),
        ("a\nb: 1\nc", 1, 1, "a line without `:`"),
        ("a: 1\nb", 2, 1, "a line without `:`"),
        ("a: 1\nb\nc: 2", 2, 1, "a line without `:`"),
        ("a:\xa01\nb: 2", 1, 3, "this space is U+00A0, which YAML takes for a letter"),
        ("a:\n  b: 1\n \u3000c: 2\n  d: 1", 3, 2, "this space is U+3000, which YAML takes for a letter"),
        ("a: !x!y 1", 1, 4, "tags are not allowed"),
    ],
)
def test_syntax_is_explained_where_it_breaks(text: str, line: int, column: int, words: str) -> None:
    problem = problems_of(text)[0]
    assert problem.code == "T2I101"
    assert problem.message == words
    assert problem.place is not None
    assert (problem.place.line, problem.place.column) == (line, column)


def test_half_a_character_is_refused_at_its_place() -> None:
    problems = Problems()
    parse('title: "x\\ud800"\n', "f", problems)
    assert [(one.code, one.place and one.place.column) for one in problems] == [("T2I101", 8)]
