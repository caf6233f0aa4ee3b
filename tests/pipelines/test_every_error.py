"""Every error code: a recipe that makes it, and the whole text that a person reads."""

import re
from pathlib import Path

import pytest

from t2iflow.pipelines.codes import CODES
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.problems import Problems, RecipeError
from t2iflow.pipelines.text.recipe import read
from tests import golden

HEAD = "t2iflow: 1\ntitle: Wrong\nnodes:\n"
CANVAS = "  canvas: {use: canvas.pixels, size: [32, 32]}\n"
LOSS = "  smooth: {use: losses.total_variation, image: $canvas}\n"
FIT = "  fit: {use: optimizers.adam, image: $canvas, loss: $smooth}\n"
STILL = "  still: {use: output.image, image: $fit}\n"
GOOD = HEAD + CANVAS + LOSS + FIT + STILL
CLIP = "  clip: {use: clip.model}\n  words: {use: clip.text, clip: $clip, prompt: a fox}\n"
SEEN = "  cuts: {use: cutouts.whole, image: $canvas, count: 4}\n  seen: {use: clip.look, crops: $cuts, clip: $clip}\n"
SCORE = "  smooth: {use: losses.spherical, seen: $seen, wanted: $words}\n"

WRONG: dict[str, str] = {
    "T2I101": GOOD.replace("[32, 32]}", "[32, 32}"),
    "T2I102": GOOD + CANVAS,
    "T2I103": GOOD.replace("title: Wrong", "title: !!python/name:os.system Wrong"),
    "T2I104": "t2iflow: 1\nnodes: " + "[" * 5000 + "]" * 5000,
    "T2I105": GOOD.replace("title:", "titel:"),
    "T2I106": GOOD.replace("t2iflow: 1", "t2iflow: 7"),
    "T2I108": GOOD + "extends: nowhere\n",
    "T2I111": GOOD.replace("title: Wrong", "title: Wrong\nparams: {a: 'to ${b}'}"),
    "T2I112": GOOD.replace("title: Wrong", "title: Wrong\nparams: {canvas: 3}"),
    "T2I113": HEAD + CANVAS + LOSS + FIT + STILL + CLIP.replace("a fox", "painting of #1 dog"),
    "T2I201": GOOD.replace("canvas.pixels", "canvas.pixel"),
    "T2I202": GOOD.replace("size:", "sise:"),
    "T2I203": GOOD.replace(", loss: $smooth", ""),
    "T2I204": GOOD.replace("loss: $smooth", "loss: $smooth, steps: 0"),
    "T2I205": GOOD.replace("image: $canvas, loss", "image: canvas, loss"),
    "T2I206": GOOD.replace("loss: $smooth", "loss: $smooth, steps: {0: 10, 100%: 20}"),
    "T2I207": GOOD.replace("loss: $smooth", "loss: $smooth, rate: {0: 0.1, 120%: 0.2}"),
    "T2I301": GOOD.replace("image: $fit", "image: $fitt"),
    "T2I302": GOOD.replace("image: $fit", "image: $fit.mask"),
    "T2I303": GOOD.replace("image: $fit", "image: $smooth"),
    "T2I304": GOOD + "  film: {use: output.video, image: $canvas}\n"
    "  more: {use: images.resize, image: $film, size: [8, 8]}\n",
    "T2I305": HEAD
    + CANVAS
    + LOSS
    + FIT
    + CLIP
    + "  best: {use: clip.rank, images: $fit, wanted: $words, clip: $clip}\n"
    "  much: {use: losses.total, terms: [$best]}\n" + STILL,
    "T2I401": GOOD.replace("image: $canvas, loss", "image: $turn, loss")
    + "  turn: {use: images.resize, image: $back, size: [8, 8]}\n"
    "  back: {use: images.resize, image: $turn, size: [8, 8]}\n",
    "T2I402": GOOD.replace("image: $canvas}", "image: $noise}") + "  noise: {use: images.noise, size: [8, 8]}\n",
    "T2I403": HEAD
    + CANVAS
    + CLIP
    + "  other: {use: clip.model, name: ViT-B/32}\n"
    + SEEN.replace("$clip", "$other")
    + SCORE
    + FIT
    + STILL,
    "T2I404": GOOD + FIT.replace("fit:", "again:"),
    "T2I405": HEAD + CANVAS + LOSS + FIT,
    "T2I406": GOOD.replace("image: $fit", "every: 5, image: $fit"),
    "T2I407": HEAD
    + CANVAS
    + CLIP
    + SEEN
    + SCORE
    + FIT.replace("loss: $smooth", "loss: $smooth, accumulate: 8")
    + STILL,
    "T2I408": GOOD.replace("[32, 32]", "[33, 32]") + "  film: {use: output.video, image: $fit}\n",
    "T2I409": GOOD + "  more: {use: output.image, image: $canvas}\n",
    "T2I410": GOOD
    + CANVAS.replace("canvas:", "second:")
    + LOSS.replace("smooth:", "calm:").replace("$canvas", "$second")
    + FIT.replace("fit:", "finish:").replace("$canvas", "$second").replace("$smooth", "$calm")
    + "  mix: {use: images.blend, image: $canvas, over: $second, amount: 0.5}\n"
    "  both: {use: output.image, image: $mix, file: both.png}\n",
    "T2I411": GOOD.replace("canvas.pixels,", "vqgan.canvas, weights: imagenet-f16-16348,"),
    "T2I412": GOOD + "  zoom: {use: camera.zoom, image: $canvas}\n  film: {use: output.video, image: $zoom}\n",
    "T2I502": GOOD
    + "  photo: {use: images.load, file: nowhere.png}\n  copy: {use: output.image, image: $photo, file: copy.png}\n",
}
"""A recipe for each code that a recipe alone can make."""

ELSEWHERE = {
    "T2I107": "test_recipe.py: a file that doesn't exist",
    "T2I109": "test_recipe.py: a preset that doesn't exist",
    "T2I110": "test_recipe.py: an override of nothing",
    "T2I501": "test_plugins.py: a package that can't be used",
    "T2I503": "test_origin.py: a foreign recipe that reads what is not beside it",
}
"""Codes that need more than a recipe's text, and where they are tested."""


def mistakes(text: str, folder: Path) -> str:
    """What a person reads of a recipe's mistakes."""
    path = folder / "wrong.yaml"
    path.write_text(text, encoding="utf-8")
    problems = Problems()
    try:
        compile_recipe(read(path, problems=problems), problems)
    except RecipeError as fault:
        text = str(fault)
    else:
        text = "no mistake"
    return text.replace(str(path), "wrong.yaml").replace(str(folder), "/here") + "\n"


def test_a_recipe_without_mistakes_has_none(tmp_path: Path) -> None:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD, encoding="utf-8")
    compile_recipe(read(path))


@pytest.mark.parametrize("code", sorted(WRONG))
def test_the_text_of_each_error(code: str, tmp_path: Path, own_cache: Path) -> None:
    text = mistakes(WRONG[code], tmp_path)
    assert f"error {code} " in text, "is its check in CHECKS or FOLLOWING of pipelines/plan/checks/__init__.py?"
    golden.check(f"errors/{code}.txt", text)


def test_every_code_has_a_test() -> None:
    tested = WRONG.keys() | ELSEWHERE.keys()
    missing, strange = ", ".join(sorted(CODES.keys() - tested)), ", ".join(sorted(tested - CODES.keys()))
    assert not missing, f"add a recipe for {missing} to WRONG in tests/pipelines/test_every_error.py"
    assert not strange, f"add {strange} to GROUPS in pipelines/codes.py, or take it out here"


EIGHT = """\
t2iflow: 1
title: Eight mistakes of eight kinds
nodes:
  clip:   {use: clip.model, nane: lite}
  words:  {use: clip.txt, clip: $clip, prompt: a fox}
  canvas: {use: canvas.pixels, size: [32, 32], size: [64, 64]}
  cuts:   {use: cutouts.square, image: $canvas, count: 0}
  seen:   {use: clip.look, crops: $canvas, clip: $clip}
  score:  {use: losses.spherical, wanted: $words}
  turn:   {use: images.resize, image: $back, size: [8, 8]}
  back:   {use: images.resize, image: $turn, size: [8, 8]}
  noise:  {use: images.noise, size: [8, 8]}
  rough:  {use: losses.total_variation, image: $noise}
  fit:    {use: optimizers.adam, image: $canvas, loss: $rough}
  still:  {use: output.image, image: $fit}
"""


def test_eight_mistakes_of_eight_kinds_are_told_at_once(tmp_path: Path) -> None:
    text = mistakes(EIGHT, tmp_path)
    codes = re.findall(r"^error (T2I\d+)", text, re.MULTILINE)
    wanted = ["T2I202", "T2I201", "T2I102", "T2I204", "T2I303", "T2I203", "T2I401", "T2I402"]
    assert sorted(codes) == sorted(wanted)
    places = re.findall(r"--> wrong.yaml:(\d+):\d+", text)
    assert len(places) == 8
    golden.check("errors/eight.txt", text)
