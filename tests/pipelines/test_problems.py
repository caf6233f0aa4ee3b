"""How mistakes look to the person who made them."""

import re
from pathlib import Path

import pytest

from t2iflow.nodes.core.spelling import suggest
from t2iflow.pipelines import codes
from t2iflow.pipelines.codes import CODES
from t2iflow.pipelines.excerpt import WIDTH
from t2iflow.pipelines.problems import Place, Problem, render

LINE = "  cuts:  {use: cutouts.square, image: $canvas.image, cutn: 32}"
SOURCES = {"zoom.yaml": "t2iflow: 1\n" * 20 + LINE, "--set fit.rate=x": "--set fit.rate=x"}


def problem(column: int = 54, width: int = 4, line: int = 21, **more: object) -> Problem:
    return Problem("T2I202", "unknown input `cutn`", Place("zoom.yaml", line, column, width), **more)  # type: ignore[arg-type]


def test_a_mistake_is_shown_with_its_line_a_caret_and_hints() -> None:
    fault = problem(hints=("did you mean `count`?", "see `t2iflow nodes cutouts.square`"))
    expected = """\
error T2I202 unknown input `cutn`
  --> zoom.yaml:21:54
   |
21 |   cuts:  {use: cutouts.square, image: $canvas.image, cutn: 32}
   |                                                      ^^^^
   = did you mean `count`?
   = see `t2iflow nodes cutouts.square`"""
    assert render([fault], SOURCES) == expected


def test_a_mistake_in_an_override_is_shown_on_the_command_line() -> None:
    fault = Problem("T2I204", "`rate` can't be 'x'", Place("--set fit.rate=x", 1, 16))
    expected = """\
error T2I204 `rate` can't be 'x'
  --> the command line
   |
 1 | --set fit.rate=x
   |                ^"""
    assert render([fault], SOURCES) == expected


def test_a_place_without_its_source_is_only_named() -> None:
    fault = Problem("T2I107", "can't read it", Place("gone.yaml", 1, 1), hints=("it is gone",))
    assert render([fault], {}) == "error T2I107 can't read it\n  --> gone.yaml\n   = it is gone"


@pytest.mark.parametrize("start", [1, 60, 500, 1990])
def test_a_long_line_is_shown_around_the_caret(start: int) -> None:
    text = "." * (start - 1) + "HERE" + "." * (2000 - start)
    shown = render([Problem("T2I204", "wrong", Place("long", 1, start, 4))], {"long": text}).splitlines()
    column = shown[4].index("^")
    assert shown[3][column : column + 4] == "HERE"
    assert len(shown[3]) <= WIDTH + len(" 1 | ......")


def test_a_value_longer_than_the_window_is_shown_from_its_beginning() -> None:
    shown = render([Problem("T2I204", "wrong", Place("long", 1, 101, 900))], {"long": " " * 100 + "x" * 900})
    assert shown.splitlines()[3].count("x") == shown.splitlines()[4].count("^") >= WIDTH // 2


def test_the_caret_stands_under_wide_letters() -> None:
    text = "prompt: 図書館 cutn"
    shown = render([Problem("T2I202", "unknown", Place("wide", 1, 13, 4))], {"wide": text}).splitlines()
    assert shown[4] == "   | " + " " * (8 + 6 + 1) + "^^^^"


@pytest.mark.parametrize("evil", ["\x1b[2J", "\x07", "\u202e", "\u009b31m"])
def test_nothing_of_a_recipe_steers_the_terminal(evil: str) -> None:
    fault = Problem("T2I201", f"unknown {evil}", Place("f", 1, 1), (f"{evil}",))
    assert evil[0] not in render([fault], {"f": f"a{evil}b"})


def test_a_message_stays_on_its_line() -> None:
    fault = Problem("T2I201", "unknown `a\nerror T2I999 forged`")
    assert render([fault], {}) == "error T2I201 unknown `a error T2I999 forged`"


def test_more_than_the_limit_is_counted() -> None:
    shown = render([problem(column=n + 1) for n in range(30)], SOURCES, limit=20)
    assert shown.count("error T2I202") == 20
    assert shown.endswith("... and 10 more")


def test_the_same_mistake_is_told_once() -> None:
    assert render([problem(), problem()], SOURCES).count("error") == 1


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("cuont", "did you mean `count`?"),
        ("COUNT", "did you mean `count`?"),
        ("square", "did you mean `cutouts.square`?"),
        ("cutout.square", "did you mean `cutouts.square`?"),
        ("zebra", None),
        ("", None),
    ],
)
def test_near_names_are_suggested(name: str, hint: str | None) -> None:
    assert suggest(name, ["count", "power", "cutouts.square"]) == hint


def test_every_code_in_use_is_listed_with_its_meaning() -> None:
    listing = Path(codes.__file__)
    files = [file for file in listing.parent.rglob("*.py") if file != listing]
    used = {code for file in files for code in re.findall(r'"(T2I\d+)"', file.read_text("utf-8"))}
    assert not used - CODES.keys(), f"add {', '.join(sorted(used - CODES.keys()))} to GROUPS in pipelines/codes.py"
    idle = ", ".join(sorted(CODES.keys() - used))
    assert not idle, f"nothing reports {idle}: take it out of GROUPS in pipelines/codes.py"
    assert all(re.fullmatch(r"T2I[1-5]\d\d", code) and "\n" not in meaning for code, meaning in CODES.items())
