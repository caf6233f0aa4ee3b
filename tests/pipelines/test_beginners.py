"""Mistakes as beginners make them, each told at the line that is wrong and with what to write."""

import pytest

from t2iflow.pipelines.show import node_pages
from tests.compiled import mistakes

CANVAS, STILL = "  canvas: {use: canvas.pixels, size: [32, 32]}\n", "  still: {use: output.image, image: $canvas}\n"

WORDS = "nodes:\n  words: {use: clip.text, clip: $clip, prompt: PROMPT}\n  clip: {use: clip.model, name: lite}\n"


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
        ("nodes:\n" + CANVAS + STILL.replace("$", "*"), 4, "there is no anchor `&canvas` before this"),
        (WORDS.replace("PROMPT", "1e3") + CANVAS + STILL, 3, "put it in quotes: '1e3'"),
        (WORDS.replace("PROMPT", "[a fox, 0x7C0]") + CANVAS + STILL, 3, "put it in quotes: '0x7C0'"),
        (WORDS.replace("PROMPT", "'it's a fox'") + CANVAS + STILL, 3, "goes on after its `'`, write that twice"),
        (WORDS.replace("PROMPT", '"a "red" fox"') + CANVAS + STILL, 3, 'goes on after its `"`, write `\\"`'),
        (WORDS.replace("PROMPT", "['it's a fox', a dog]") + CANVAS + STILL, 3, "put double quotes around all of it"),
        (WORDS.replace("PROMPT", "'a' and 'b'") + CANVAS + STILL, 3, "put double quotes around all of it"),
        ("nodes:\n" + CANVAS + STILL + "```\n", 5, "leave the lines with ``` out"),
        (WORDS.replace("PROMPT", "{1984: 1}") + CANVAS + STILL, 3, "put the number in quotes: `{'1984': 1}`"),
    ],
)
def test_a_mistake_is_told_where_it_is_and_what_to_write(text: str, line: int, words: str) -> None:
    problems = mistakes("t2iflow: 1\n" + text).problems
    said = [problem for problem in problems if words in " ".join((problem.message, *problem.hints))]
    assert [problem.place.line for problem in said if problem.place] == [line]
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("sirenn.canvas", "siren.canvas"), ("cutout.square", "cutouts.square"), ("output.vide", "output.video")],
)
def test_both_parts_of_a_nodes_name_count(wrong: str, right: str) -> None:
    with pytest.raises(LookupError, match=rf"did you mean `{right}`\?"):
        node_pages.about(wrong)


JUDGED = """\
t2iflow: 1
params: {prompt: a fox, model: lite}
nodes:
  clip:   {use: clip.model, name: $model}
  words:  {use: clip.text, clip: $clip, prompt: $prompt}
  canvas: {use: canvas.pixels, size: [32, 32]}
  cuts:   {use: cutouts.square, image: $canvas, count: 2}
  seen:   {use: clip.look, crops: $cuts, clip: $clip}
  score:  {use: losses.spherical, seen: $seen, wanted: $words}
  fit:    {use: optimizers.adam, image: $canvas, steps: 3, loss: $score}
  still:  {use: output.image, image: $fit}
"""


@pytest.mark.parametrize(
    ("right", "wrong", "at", "words"),
    [
        ("lite", "litte", "2:32", "`name` of node `clip`: `litte` is not a perceptor (did you mean `lite`?)"),
        ("$model", "ViT-B-32:openia", "4:35", "for ViT-B-32 (did you mean `openai`?)"),
        ("$score", "[{of: $score, wieght: 2}]", "10:80", "did you mean `weight`?"),
        ("$score", "[{of: $score, 0: 1, 50: 0.5}]", "10:80", "a term in `loss` of node `fit` has no `0`"),
        ("$score", "{weight: 2}", "10:66", "a term in `loss` of node `fit` needs an `of`"),
        ("$score", "[{of: score, weight: 2}]", "10:72", "did you mean `$score`?"),
        ("$score", "[$score, 3]", "10:75", "written `{of: $score, weight: 0.5}`"),
        ("$score", "2 * $score", "10:70", "written `{of: $score, weight: 0.5}`"),
        ("$score", "[{of: $seen, weight: 2}]", "10:72", "but `loss` of node `fit` needs Loss"),
        ("$score", "[{of: $score, weight: two}]", "10:88", "`weight` in `loss` of node `fit` can't be 'two': it takes"),
        ("$score", "[{of: $score, weight: 1/t}]", "10:88", "`weight` in `loss` of node `fit` can't follow `1/t`"),
        ("$score", "[{of: $score, weight: {0: 1, 3s: 2}}]", "10:66", "`weight` in `loss` of node `fit` changes over"),
        ("a fox", "{0: a fox, 3s: a cat}", "2:18", "`prompt` of node `words` changes over steps"),
        ("a fox", "{0: a fox, 2: a cat, over: $ft}", "2:18", "`prompt` of node `words` can't change over `$ft`"),
        ("count: 2", "count: 2, every: 4", "7:66", "`every` on node `cuts` has no effect"),
    ],
)
def test_a_mistake_is_told_in_the_recipes_own_words_at_its_place(right: str, wrong: str, at: str, words: str) -> None:
    (problem,) = mistakes(JUDGED.replace(right, wrong)).problems
    assert problem.place
    assert f"{problem.place.line}:{problem.place.column}" == at
    assert words in " ".join((problem.message, *problem.hints))


def test_a_perceptor_that_several_nodes_name_by_a_param_is_told_once() -> None:
    text = JUDGED.replace("lite", "litte").replace("  words", "  other:  {use: clip.model, name: $model}\n  words")
    assert [problem.hints for problem in mistakes(text).problems] == [("likewise for `name` of node `other`",)]


def test_each_wrong_term_of_a_sum_is_told() -> None:
    found = mistakes(JUDGED.replace("$score", "[{of: $score, wieght: 2}, 3, {of: $scoer}]"))
    assert [problem.code for problem in found.problems] == ["T2I202", "T2I205", "T2I301"]
