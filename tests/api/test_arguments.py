"""What Python's functions are given wrong, and the words in which they say so."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import t2iflow
from t2iflow.wording import in_python
from tests.runner.conftest import COPY


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("call", "how", "words"),
    [
        (t2iflow.run, {"preset": 3}, "`preset` takes the name of a preset or a list of names, not 3"),
        (t2iflow.run, {"set": "steps=3"}, "`set` takes a mapping of names to values, such as"),
        (t2iflow.run, {"seed": 2.5}, '`seed` takes a whole number or "random", not 2.5'),
        (t2iflow.run, {"out": 5}, "`out` takes a path, not 5"),
        (t2iflow.run, {"device": 0}, '`device` takes a text, such as `"cpu"` or `"cuda:1"`, not 0'),
        (t2iflow.run, {"wait": "no"}, "`wait` takes True or False, not 'no'"),
        (t2iflow.run, {"checkpoint": "soon"}, "`checkpoint` takes a number of seconds, not 'soon'"),
        (t2iflow.run, {"frames": range(0, 8, 2)}, "`frames` takes a number, a range or a text"),
        (t2iflow.plan, {"measure": object()}, "`measure` takes True or False, not a value of type object"),
        (t2iflow.sweep, {"jobs": "x"}, "`jobs` takes a whole number, not 'x'"),
        (t2iflow.sweep, {"jobs": True}, "`jobs` takes a whole number, not True"),
        (t2iflow.sweep, {"each": ["seed"]}, r"`each` takes a mapping of names to lists of values, .* not \['seed'\]"),
        (t2iflow.sweep, {"each": {"seed": "0..3"}}, r"`seed` needs a list of values, such as `range\(4\)`"),
        (t2iflow.sweep, {"together": {"seed": "2..3"}}, r"such as `range\(2, 4\)`"),
        (
            t2iflow.sweep,
            {"each": {"prompt": "@p.txt"}},
            r"such as `pathlib.Path\('p.txt'\).read_text\(\).splitlines\(\)`",
        ),
        (t2iflow.sweep, {"each": {"steps": 3}}, r"such as `\[3\]`"),
        (t2iflow.sweep, {"each": {5: [1]}}, "name what varies with a text, such as `seed` or `fit.rate`, not 5"),
    ],
)
def test_a_value_of_a_wrong_kind_is_refused_in_words(call: Callable[..., Any], how: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words) as caught:
        call(COPY, **how)
    assert caught.value._render_traceback_() == [f"error: {caught.value}"]  # type: ignore[attr-defined]


def test_what_is_no_recipe_no_folder_and_no_name_is_refused_in_words() -> None:
    with pytest.raises(TypeError, match="a recipe is a name, a path, a text or a mapping, not a value of type bytes"):
        t2iflow.run(b"hello")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="and this is an empty text"):
        t2iflow.check("")
    with pytest.raises(TypeError, match="`folder` takes a path or a run, not 5"):
        t2iflow.Run(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="only `recipe` may stand without a name: write `NAME='lite'`"):
        t2iflow.run("hello", "lite")  # type: ignore[misc]
    with pytest.raises(TypeError, match="`steps` can't be of type object"):
        t2iflow.run(COPY, steps=object())


def test_numbers_of_numpy_are_numbers() -> None:
    import numpy as np

    assert t2iflow.check(COPY, seed=np.int64(3), steps=np.float32(5))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("wiat", "did you mean `wait`?"),
        ("best", "`best` is an argument of `t2iflow.sweep`"),
        ("measure", "`measure` is an argument of `t2iflow.plan`"),
    ],
)
def test_an_unknown_param_may_be_an_argument(name: str, hint: str) -> None:
    with pytest.raises(t2iflow.RecipeError, match=f"there is no param `{name}`") as caught:
        t2iflow.run(COPY, **{name: 2})  # type: ignore[arg-type]
    assert caught.value.problems[0].hints[-1] == hint


def test_what_is_raised_can_be_handed_to_another_process() -> None:
    with pytest.raises(TypeError) as caught:
        t2iflow.run(COPY, draft=3)  # type: ignore[arg-type]
    assert str(pickle.loads(pickle.dumps(caught.value))) == "`draft` takes True or False, not 3"


def test_a_folder_without_what_is_looked_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(t2iflow.RunError, match=r"nowhere` doesn't exist; `t2iflow.runs\(\)` lists all runs"):
        t2iflow.Run("nowhere")
    with pytest.raises(t2iflow.RunError, match="is not the folder of a run"):
        t2iflow.Run(tmp_path)
    with pytest.raises(t2iflow.RunError, match="is not a run folder") as caught:
        t2iflow.resume(tmp_path)
    assert caught.value.code == 2
    with pytest.raises(t2iflow.RunError, match="nowhere` doesn't exist"):
        t2iflow.Sweep("nowhere")
    with pytest.raises(t2iflow.RunError, match="is neither a recipe nor the folder of a sweep"):
        t2iflow.sweep(tmp_path, best=2)


@pytest.mark.parametrize(
    ("command", "python"),
    [
        ("`--frames x` is not a range", '`frames="x"` is not a range'),
        ("give another: `--set photo.file=PATH`", 'give another: `set={"photo.file": PATH}`'),
        ("it can't go with `--no-capture`", "it can't go with `capture=False`"),
        ("a part that `--frames` selects", "a part that `frames` selects"),
        ("`t2iflow resume 'her runs'` resumes it", '`t2iflow.resume("her runs")` resumes it'),
        ("`t2iflow sweep a --each seed=0..3`", "`t2iflow sweep a --each seed=0..3`"),
    ],
)
def test_messages_name_arguments_in_place_of_options(command: str, python: str) -> None:
    assert in_python(command) == python
