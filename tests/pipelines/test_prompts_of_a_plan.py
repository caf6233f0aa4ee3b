"""A page says at its head what was asked for, and when, in whatever way the recipe asks."""

from pathlib import Path

import pytest

from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.show.prompts import Prompt, prompts_of
from t2iflow.pipelines.text.recipe import read
from tests.compiled import compiled

FILM = """
t2iflow: 1
title: Film
nodes:
  clip:   {use: clip.model, name: lite}
  words:  {use: clip.text, clip: $clip, prompt: WORDS}
  canvas: {use: canvas.pixels, size: [32, 32]}
  cuts:   {use: cutouts.square, image: $canvas}
  seen:   {use: clip.look, crops: $cuts, clip: $clip}
  score:  {use: losses.spherical, seen: $seen, wanted: $words}
  fit:    {use: optimizers.adam, image: $canvas, loss: $score, rate: 0.05, steps: 10}
  camera: {use: camera.zoom, image: $fit, frames: 61, steps: 2}
  film:   {use: output.video, image: $camera, fps: 10}
"""


def of(words: str, folder: Path, text: str = FILM) -> list[Prompt]:
    return prompts_of(compiled(text.replace("WORDS", words), folder))


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("a fox", [Prompt("a fox")]),
        ("[a fox, a castle]", [Prompt("a fox"), Prompt("a castle")]),
        ("a fox :2 | fog :-1", [Prompt("a fox", 2.0), Prompt("fog", -1.0)]),
        ("{a fox: 1, fog: -0.4}", [Prompt("a fox", 1.0), Prompt("fog", -0.4)]),
        (
            "{0: a fox, 30: a castle, over: frame}",
            [Prompt("a fox", None, "at frame 0"), Prompt("a castle", None, "at frame 30")],
        ),
        ("{0: a fox, 50%: a castle}", [Prompt("a fox", None, "at frame 0"), Prompt("a castle", None, "at 50%")]),
        ("{0s: a fox, 2s: a castle}", [Prompt("a fox", None, "at 0s"), Prompt("a castle", None, "at 2s")]),
    ],
)
def test_prompts_are_shown_with_their_weights_and_times(words: str, wanted: list[Prompt], tmp_path: Path) -> None:
    assert of(words, tmp_path) == wanted


def test_scenes_are_shown_with_the_frame_that_each_begins_at(tmp_path: Path) -> None:
    (tmp_path / "story.txt").write_text("# mine\na fox\na castle :2 | fog :-1\n", encoding="utf-8")
    story = FILM.replace("clip.text, clip: $clip, prompt: WORDS", "clip.story, clip: $clip, WORDS")
    begun = [Prompt("a fox", None, "from frame 0"), Prompt("the sea", None, "from frame 30")]
    assert of("scenes: [a fox, the sea], hold: 20, fade: 10", tmp_path, story) == begun
    told = of("file: story.txt, hold: 40, fade: 0", tmp_path, story)
    assert [one.when for one in told] == ["from frame 0", "from frame 40", "from frame 40"]
    assert [(one.text, one.weight) for one in told] == [("a fox", None), ("a castle", 2.0), ("fog", -1.0)]


def test_each_shipped_recipe_says_what_it_asks_for() -> None:
    for name in ("hello", "morph", "story", "two-prompts-two-regions", "dalle-mini", "big-sleep"):
        found = prompts_of(compile_recipe(read(name)))
        assert found, name
        assert len(found) == len(set(found)), name
