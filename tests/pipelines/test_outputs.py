"""Outputs: names that meet, and pictures that their files can't hold, are known before anything runs."""

import pytest

from t2iflow.pipelines.problems import Problem, RecipeError
from t2iflow.pipelines.text.origin import HERE
from tests.compiled import compiled

RECIPE = """t2iflow: 1
nodes:
  noise:  {{use: images.noise, size: {size}}}
  canvas: {{use: canvas.pixels, size: {size}}}
  near:   {{use: losses.reference, image: $canvas, reference: $noise}}
  fit:    {{use: optimizers.adam, image: $canvas, loss: $near, steps: 20}}
  zoom:   {{use: camera.zoom, image: $fit, frames: 900, steps: 1}}
  codes:  {{use: dalle.mini, prompt: a fox, count: 4}}
  one:    {one}
  other:  {other}
"""
STILL, BATCH = "{{use: output.image, image: $fit, file: {}}}", "{{use: output.image, image: $codes, file: {}}}"
STRIP, ROW = "{{use: output.strip, image: $canvas, file: {}}}", "{{use: output.video, image: $zoom, file: {}}}"


def mistakes(one: str, other: str, size: str = "[32, 32]") -> list[Problem]:
    try:
        compiled(RECIPE.format(one=one, other=other, size=size), HERE)
    except RecipeError as fault:
        return list(fault.problems)
    return []


@pytest.mark.parametrize(
    "one", ["{use: images.tile, image: $fit}", "{use: images.cut, image: $fit, part: [0, 0, 0.5, 1]}"]
)
def test_what_size_a_node_makes_of_another_is_not_guessed(one: str) -> None:
    film = "{use: output.video, image: $one, file: film.mp4}"
    assert not [problem for problem in mistakes(one, film, "[31, 31]") if "film.mp4" in problem.message]
    assert mistakes("{use: images.mirror, image: $fit}", film, "[31, 31]")


def test_a_misspelt_setting_is_not_taken_for_its_default() -> None:
    still = "{use: output.image, image: $fit, fiel: a.png}"
    assert [mistake.code for mistake in mistakes("{use: output.image, image: $fit}", still)] == ["T2I202"]


def test_an_output_of_a_node_that_is_not_known_is_not_said_to_be_idle() -> None:
    film = "{use: output.video, image: $one, every: 2}"
    for one, code in (("{use: fourier.canvas}", "T2I201"), ("{use: images.mirror, imag: $canvas}", "T2I202")):
        assert [mistake.code for mistake in mistakes(one, film)] == [code]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (STILL.format("a.png"), STRIP.format("a.png")),
        (STILL.format("A.png"), STRIP.format("a.PNG")),
        (STILL.format("\u00e9.png"), STRIP.format("e\u0301.png")),
        (STILL.format("fox-1.png"), BATCH.format("fox.png")),
        (BATCH.format("fox.png"), STRIP.format("Fox-2.png")),
        (ROW.format("film-%04d.png"), STILL.format("film-0001.png")),
        (ROW.format("film-%04d.png"), ROW.format("film-%03d.png")),
        (ROW.format("fox-%02d.png"), BATCH.format("fox.png")),
    ],
)
def test_outputs_that_would_write_one_file_are_refused(one: str, other: str) -> None:
    (mistake,) = mistakes(one, other)
    assert mistake.code == "T2I409"
    assert mistake.place is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (STILL.format("fox.png"), STRIP.format("fox-1.png")),
        (BATCH.format("fox.png"), STILL.format("fox.png")),
        (ROW.format("film-%04d.png"), STILL.format("film.png")),
        (ROW.format("film-%04d.png"), STRIP.format("film-a.png")),
    ],
)
def test_names_that_never_meet_are_taken(one: str, other: str) -> None:
    assert not mistakes(one, other)


@pytest.mark.parametrize(
    ("one", "size", "words"),
    [
        (
            STILL.format("a.webp"),
            "[16384, 8]",
            "`a.webp` can't be 16384 x 8: such files hold at most 16383 pixels per side",
        ),
        (
            STRIP.format("a.webp"),
            "[4000, 8]",
            "`a.webp` can't be 24000 x 32: such files hold at most 16383 pixels per side",
        ),
        (STRIP.format("a.jpg, columns: 1"), "[8, 4000]", "`a.jpg` can't be 8 x 84000: such files hold at most 65500"),
        ("{use: output.strip, image: $zoom, file: a.png}", "[2000, 2000]", "12000 x 300000, more than 300 megapixels"),
    ],
)
def test_pictures_that_their_files_can_not_hold_are_refused(one: str, size: str, words: str) -> None:
    (mistake,) = mistakes(one, STILL.format("b.png"), size)
    assert mistake.code == "T2I408"
    assert words in mistake.message


@pytest.mark.parametrize(
    ("film", "words"),
    [
        ("fps: 99999999999", "1000"),
        ("fps: 0", "0.01"),
        ("fps: 30000/0", "30000/0"),
        ("fps: 24, interpolate: 100000", "1000"),
        ("fps: 1, interpolate: 240", "at most 60 frames of one: at most 60 where `fps` is 1"),
    ],
)
def test_rates_beyond_sense_are_refused(film: str, words: str) -> None:
    (mistake,) = mistakes(ROW.format("film.mp4, " + film), STILL.format("b.png"))
    assert mistake.code == "T2I204"
    assert words in mistake.message


@pytest.mark.parametrize("fps", ["23.976", "30000/1001", "'24000/1001'", "12.5", "24"])
def test_rates_are_numbers_or_ratios(fps: str) -> None:
    assert not mistakes(ROW.format(f"film.mp4, fps: {fps}"), STILL.format("b.png"))
