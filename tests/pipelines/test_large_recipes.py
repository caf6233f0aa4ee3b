"""Recipes of a thousand nodes, and texts that are made to take long, are read, planned and drawn in seconds."""

from pathlib import Path

import pytest

from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.problems import Problems, RecipeError
from t2iflow.pipelines.show import draw
from t2iflow.pipelines.show.resolved import resolved
from t2iflow.pipelines.text.recipe import read_text

HEAD = "t2iflow: 1\nnodes:\n  n0: {use: canvas.pixels, size: [8, 8]}\n"
CLIP = "  clip: {use: clip.model}\n  w0: {use: clip.text, clip: $clip, prompt: a fox}\n"


def _chain(count: int) -> str:
    """Each picture blended with the one before and with the first, as far as an output that asks for the size."""
    blends = (f"  n{i}: {{use: images.blend, image: $n{i - 1}, over: $n0}}\n" for i in range(1, count))
    return HEAD + "".join(blends) + f"  film: {{use: output.video, image: $n{count - 1}}}\n"


def _words(count: int) -> str:
    blends = (f"  w{i}: {{use: clip.blend, prompts: [$w{i - 1}], position: 0}}\n" for i in range(1, count))
    return HEAD + CLIP + "".join(blends) + "  still: {use: output.image, image: $n0}\n"


def _optimizers(count: int) -> str:
    return HEAD + "".join(
        f"  c{i}: {{use: canvas.pixels, size: [8, 8]}}\n  l{i}: {{use: losses.total_variation, image: $c{i}}}\n"
        f"  f{i}: {{use: optimizers.adam, image: $c{i}, loss: $l{i}}}\n"
        f"  o{i}: {{use: output.image, image: $f{i}, file: {i}.png}}\n"
        for i in range(count)
    )


def _plan(text: str) -> Plan:
    return compile_recipe(read_text(text, "large.yaml", Path()))


@pytest.mark.parametrize("text", [_chain(1100), _words(1100), _optimizers(100)], ids=["chain", "words", "optimizers"])
def test_a_large_recipe_is_planned_and_drawn(text: str) -> None:
    plan = _plan(text)
    assert str(plan)
    assert _plan(resolved(plan.graph)).items == plan.items
    for form in draw.FORMATS.values():
        assert form(plan)


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"  b{i}: text #{i} x\n" for i in range(8000)),
        "".join(f"  b{i}: !tag x\n" for i in range(2000)),
        "".join(f"  b{i}: {{use: canvas.pixel}}\n" for i in range(1200)),
        "".join(f"  b{i}: {{use: images.resize, image: $c{i}, size: 8}}\n" for i in range(1200)),
    ],
    ids=["comments", "tags", "names", "wires"],
)
def test_thousands_of_mistakes_are_told_at_once(text: str) -> None:
    problems = Problems()
    with pytest.raises(RecipeError) as caught:
        compile_recipe(read_text(HEAD + text, "large.yaml", Path(), problems=problems), problems)
    assert len(caught.value.problems) > 1000
    assert "more" in str(caught.value)
