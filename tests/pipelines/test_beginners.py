"""Mistakes as beginners make them, each told at the line that is wrong and with what to write."""

from pathlib import Path

import pytest

from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.problems import Problems, RecipeError
from t2iflow.pipelines.show import node_pages
from t2iflow.pipelines.text.recipe import read_text

CANVAS, STILL = "  canvas: {use: canvas.pixels, size: [32, 32]}\n", "  still: {use: output.image, image: $canvas}\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("nodes:\n" + CANVAS.replace("}", "") + STILL, 3, "a `}` is missing before line 4"),
        ("nodes:\n" + CANVAS.replace("]}", "") + STILL, 3, "a `]` is missing before line 4"),
        ("nodes:\n" + CANVAS.replace(", size: [32, 32]}", "") + STILL, 3, "a `}` is missing before line 4"),
        ("nodes:\n" + CANVAS + STILL.replace("}", ""), 4, "this bracket is never closed"),
        ("params: {a: 1\nnodes:\n" + CANVAS + STILL, 2, "a `}` is missing before line 3"),
        ("nodes:\n" + (CANVAS + STILL).replace("  c", "  - c").replace("  s", "  - s"), 3, "without `- ` before it"),
        ("nodes:\n  - canvas:\n    use: canvas.pixels\n" + STILL.replace("  s", "  - s"), 3, "without `- ` before it"),
        ("nodes:\n" + CANVAS + STILL.replace("  s", "  - s"), 4, "names stand without `- `"),
        ("nodes:\n  - clip:\n" + CANVAS + STILL, 3, "names stand without `- `"),
        ("params: [a fox]\nnodes:\n" + CANVAS + STILL, 2, "such as `prompt: a fox`"),
        ("params:\n  - prompt: a fox\nnodes:\n" + CANVAS + STILL, 3, "such as `prompt: a fox`, without `- `"),
        ("presets: lite\nnodes:\n" + CANVAS + STILL, 2, "such as `quick: {params: {steps: 50}}`"),
        ("nodes:\n" + CANVAS.replace("use: ", "use:") + STILL, 3, "write `use: canvas.pixels`"),
        ("nodes:\n" + CANVAS.replace("[32, 32]", "32").replace("size: ", "size:") + STILL, 3, "write `size: 32`"),
        ("nodes:\n" + CANVAS + STILL.replace("image: ", "image:"), 4, "write `image: $canvas`"),
        ("nodes:\n" + CANVAS.replace("use: ", "use=") + STILL, 3, "write `use: canvas.pixels`"),
        ("nodes:\n" + CANVAS + STILL.replace("image: ", "image:\xa0"), 4, "write `image: $canvas`"),
        ("nodes:\n" + CANVAS + STILL.replace("image: ", "Image: "), 4, "did you mean `image`?"),
        ("nodes:\n" + CANVAS + STILL.replace("image: ", "images: "), 4, "did you mean `image`?"),
        ("Nodes:\n" + CANVAS + STILL, 2, "did you mean `nodes`?"),
        ("parms: {s: 32}\nnodes:\n" + CANVAS.replace("[32, 32]", "$s") + STILL, 2, "did you mean `params`?"),
        ("nodes:\n" + CANVAS + STILL.replace("output.image", "output.svg"), 4, "there are output.image, output.table"),
        ("nodes:\n" + CANVAS + STILL + CANVAS.replace("canvas:", "c\xe4nvas:"), 5, "from a to z"),
        ("nodes:\n" + CANVAS.replace("s, ", "s,, ") + STILL, 3, "take one `,` away"),
        ("nodes:\n" + CANVAS + STILL.replace("$", ""), 4, "did you mean `$canvas`?"),
        ("nodes:\n" + CANVAS + STILL.replace("$canvas", "canvs"), 4, "did you mean `$canvas`?"),
        ("nodes:\n" + CANVAS.replace("canvas.pixels", "sirenn.canvas") + STILL, 3, "did you mean `siren.canvas`?"),
        ("params: {s: $s}\nnodes:\n" + CANVAS.replace("32, 32", "$s, $s") + STILL, 2, "refer to each other: s -> s"),
        ("params: {s: $s, t: [1, $s]}\nnodes:\n" + CANVAS.replace("[32, 32]", "$t") + STILL, 2, "s -> s"),
        ("params: {s: $s}\nnodes:\n" + CANVAS.replace("32]", "32], noise: $s") + STILL, 2, "s -> s"),
        ("nodes:\n" + CANVAS + STILL.replace("}", ", file: '${s}.png'}"), 4, "there is no param `s`"),
        ("params: {s: $s}\nnodes:\n" + CANVAS.replace("canvas.pixels", "$s") + STILL, 2, "s -> s"),
    ],
)
def test_a_mistake_is_told_where_it_is_and_what_to_write(text: str, line: int, words: str) -> None:
    found = Problems()
    with pytest.raises(RecipeError) as caught:
        compile_recipe(read_text("t2iflow: 1\n" + text, "mine.yaml", Path(), problems=found), found)
    said = [problem for problem in caught.value.problems if words in " ".join((problem.message, *problem.hints))]
    assert [problem.place.line for problem in said if problem.place] == [line]
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("sirenn.canvas", "siren.canvas"), ("cutout.square", "cutouts.square"), ("output.vide", "output.video")],
)
def test_both_parts_of_a_nodes_name_count(wrong: str, right: str) -> None:
    with pytest.raises(LookupError, match=rf"did you mean `{right}`\?"):
        node_pages.about(wrong)
