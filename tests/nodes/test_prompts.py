"""Prompts: which numbers are weights and which are words, and what asks for nothing."""

import re
from pathlib import Path
from typing import Any

import pytest

from t2iflow.nodes.core.prompts import MOST, Phrase, doubt, read_prompt, reading, single
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.graph.wiring import wire
from t2iflow.pipelines.problems import Problems, RecipeError
from t2iflow.pipelines.text.recipe import read, read_text


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a fox:2 | fog:-1", "a fox x 2, fog x -1"),
        ("a fox:2|fog:-1", "a fox x 2, fog x -1"),
        ("a fox : 2 | fog : -.25", "a fox x 2, fog x -0.25"),
        ("a fox: 2 | fog: \N{MINUS SIGN}0.4", "a fox x 2, fog x -0.4"),
        ("a fox | an owl | a fox", "a fox x 2, an owl x 1"),
        ("a fox, oil painting:1.5:0.3", "'a fox, oil painting' x 1.5 until 0.3"),
        ("a room of 1984 : 2", "a room of 1984 x 2"),
        ("\N{FOX FACE}:2", "\N{FOX FACE} x 2"),
        ("a fox\uff1a2\uff5cfog\uff1a-1", "a fox x 2, fog x -1"),
    ],
)
def test_a_number_after_a_colon_at_the_end_is_a_weight(text: str, read: str) -> None:
    assert reading(text, read_prompt(text)) == f"read as: {read}"


@pytest.mark.parametrize(
    "text",
    [
        "a clock that shows 10:30",
        "it says: 10:30",
        "10:30:45",
        "a 16:9 photo",
        "a photo in 16:9",
        "Star Wars: a new hope",
        "Blade Runner: 2049",
        "James Bond: 007",
        "https://example.com:80",
        "a sign that reads http://example.com/fox:2",
        "a [red] fox (in snow)",
        "[a fox",
        "{a fox: 1",
        "a fox:1,5",
        "fog:nan",
        "(masterpiece:1.2), a fox",
        "a fox::2 fog::-1",
        "|",
        ":",
        "a fox: ",
        "\N{FOX FACE}",
        'say "a fox"',
    ],
)
def test_other_texts_stay_as_they_are_and_say_so_if_in_doubt(text: str) -> None:
    phrases = read_prompt(text)
    assert phrases == [Phrase(text.strip())]
    assert (reading(text, phrases) is not None) == (":" in text or "|" in text or text.startswith(("[", "{")))


def test_a_mapping_takes_texts_as_they_are() -> None:
    assert doubt({"[a fox]": 1}, read_prompt({"[a fox]": 1})) is None
    assert read_prompt({"a fox:2": 1, "fog | rain": -0.5}) == [Phrase("a fox:2"), Phrase("fog | rain", -0.5)]
    assert read_prompt(["a fox:2", {"fog": -1}]) == [Phrase("a fox", 2), Phrase("fog", -1)]


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("(a fox:1.3), snow", "weights in brackets"),
        ("a fox::2 fog::-1", "`::`"),
        ("a fox --ar 16:9", "an option"),
        ("a fox:1.2, an owl:0.8", "between commas"),
        ("a fox:2,5", "a comma in a weight"),
        ("a fox, -fog", "a minus before a word"),
        ("a red-and-white fox - in snow, at -5 degrees", None),
        ("{a fox: 1", "begins with a bracket"),
        ("{a fox: 1, a fox: 2}", "begins with a bracket"),
        ("[a fox] in the snow", None),
        ("a fox (at 10:30) -- in snow, 16:9", None),
    ],
)
def test_the_notation_of_other_tools_is_warned_of(text: str, warning: str | None) -> None:
    found = doubt(text, read_prompt(text))
    assert (warning in found) if found and warning else found is warning


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("", "needs words"),
        (" \t\n", "needs words"),
        ("\x00\x1b\u200d", "needs words"),
        ([], "needs words"),
        ({}, "needs words"),
        (["a fox", " "], "needs words"),
        (":2", "needs words before its weight"),
        ("a fox | | snow", "on both sides"),
        ("a forest || a village", "clip.story"),
        (None, "a prompt is a text, a list of texts"),
        (1984, "a prompt is a text, a list of texts"),
        ([1984], "1984 in a list of prompts is not a text"),
        ([["a fox"]], "a list in a list of prompts is not a text"),
        ("a fox:0", "weight 0"),
        ("a fox | a fox:-1", "weight 0"),
        ({"a fox": 0}, "weight 0"),
        ({"a fox": float("nan")}, "nan, not a number"),
        ({"a fox": float("inf")}, "inf, not a number"),
        ({"a fox": True}, "true, not a number"),
        ({"a fox": "much"}, "'much', not a number"),
        ({"a fox": None}, "write {a fox: 1}"),
        ({"a fox:2": None}, "write {a fox: 2}"),
        ({"a fox": {"0": 1}}, "keyframes hold whole prompts"),
        ("a fox \ud800", "not UTF-8"),
        (" | ".join(map(str, range(MOST + 1))), f"at most {MOST}"),
    ],
)
def test_a_prompt_that_asks_for_nothing_is_refused_with_a_reason(prompt: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)) as caught:
        read_prompt(prompt)
    assert len(str(caught.value)) < 300


def test_control_characters_and_long_texts_reach_no_message() -> None:
    assert read_prompt("a\x1b[31m\x00\nfo\xadx\u200b") == [Phrase("a [31m fox")]
    phrases = read_prompt("a fox " * 10_000 + ":2")
    assert len(phrases[0].text) > 50_000
    assert len(reading(":", phrases) or "") < 100


def test_a_text_for_what_knows_no_weights_has_none() -> None:
    assert single("a clock that shows 10:30") == "a clock that shows 10:30"
    with pytest.raises(ValueError, match="a fox x 2, fog x -1"):
        single("a fox:2 | fog:-1")


def given(*overrides: str) -> Any:
    """The prompt of a recipe's text node, with these `--set`."""
    recipe = read_text(ASKING, "ask.yaml", Path(), overrides=overrides)
    problems = Problems()
    graph = wire(recipe, problems)
    if problems:
        raise RecipeError(problems, recipe.sources)
    return graph.nodes["words"].settings["prompt"]


ASKING = """
t2iflow: 1
params: {prompt: a lighthouse}
nodes:
  clip:  {use: clip.model}
  words: {use: clip.text, clip: $clip, prompt: $prompt}
"""


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("prompt={a fox: 1, fog: -0.4}", ["a fox x 1", "fog x -0.4"]),
        ("words.prompt=[a fox, a castle]", ["a fox x 1", "a castle x 1"]),
        ("words.prompt=[a fox:2, fog: -1]", ["a fox x 2", "fog x -1"]),
        ("prompt=a fox:2 | fog:-1", ["a fox x 2", "fog x -1"]),
        ("prompt=a fox in a [red] box", ["a fox in a [red] box x 1"]),
        ("prompt=[a fox] in the snow", ["[a fox] in the snow x 1"]),
        ("prompt={a fox: 1", ["'{a fox: 1' x 1"]),
        ("prompt=Star Wars: a new hope", ["'Star Wars: a new hope' x 1"]),
        ("prompt=https://example.com/#1", ["'https://example.com/#1' x 1"]),
        ("prompt=100% $money & {more}", ["100% $money & {more} x 1"]),
    ],
)
def test_set_takes_prompts_in_all_their_forms(override: str, read: list[str]) -> None:
    assert [str(phrase) for phrase in read_prompt(given(override))] == read


@pytest.mark.parametrize(
    "written", ["Star Wars: a new hope", "a fox:2 | fog:-1", "a room: 1984: x", "a dog #1 and a cat"]
)
@pytest.mark.parametrize("stands", ["[a fox, a castle]", "{a fox: 1}", "{0: a fox, 100%: an owl}", "a fox"])
def test_a_text_by_set_is_one_whatever_it_replaces(written: str, stands: str) -> None:
    text = ASKING.replace("a lighthouse", stands)
    recipe = read_text(text, "ask.yaml", Path(), overrides=[f"prompt={written}"])
    assert wire(recipe, Problems()).nodes["words"].settings["prompt"] == written


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("prompt=", "needs words"),
        ("prompt=[]", "needs words"),
        ("words.prompt={}", "needs words"),
        ("prompt={a fox, fog}", "write {a fox: 1}"),
        ("prompt={a fox: .nan}", "not a number"),
        ("prompt={a fox: 0}", "weight 0"),
        ("prompt={0: a fox, 100%: ''}", "needs words"),
        ("prompt=[a fox, {0: rain, 100%: ''}]", "needs words"),
    ],
)
def test_a_prompt_that_asks_for_nothing_is_refused_before_anything_runs(override: str, reason: str) -> None:
    with pytest.raises(RecipeError) as caught:
        given(override)
    (problem,) = caught.value.problems
    assert problem.code == "T2I204"
    assert reason in problem.message
    assert problem.place is not None
    assert problem.place.file == f"--set {override}"


def test_a_prompt_that_follows_a_song_that_is_missing_is_refused() -> None:
    recipe = read("hello", overrides=["prompt={music: nowhere.wav, low: a calm sea, high: a storm}"])
    with pytest.raises(RecipeError) as caught:
        compile_recipe(recipe)
    assert [problem.code for problem in caught.value.problems] == ["T2I502"]
