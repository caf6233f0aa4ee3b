"""Films that move to music, from the recipe to their frames."""

import math
import wave
from array import array
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image as pictures
from PIL import ImageChops, ImageStat

from tests.runner.conftest import Command

FPS, STRIKES = 10, (0.9, 1.7)
FILM = """
t2iflow: 1
title: A film that turns at each strike
nodes:
  photo:  {use: images.noise, size: [24, 24], kind: fractal}
  canvas: {use: canvas.pixels, size: [24, 24]}
  same:   {use: losses.reference, image: $canvas, reference: $photo}
  fit:    {use: optimizers.adam, image: $canvas, loss: $same, rate: 0.2, steps: 4}
  zoom:
    use: camera.zoom
    image: $fit
    frames: 24
    steps: 1
    rate: 0
    scale: 1
    turn: {music: song.wav, follow: onsets, high: 30, smooth: 0}
  film:   {use: output.video, image: $zoom, fps: 10}
  sheet:  {use: output.strip, image: $zoom, columns: 24}
"""


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """Two clicks in 2.4 seconds."""
    with wave.open(str(tmp_path / "song.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        since = [min((time / 8000 - at for at in STRIKES if at <= time / 8000), default=1.0) for time in range(19200)]
        levels = (round(20000 * math.exp(-one / 0.005) * (-1) ** number) for number, one in enumerate(since))
        file.writeframes(array("h", levels).tobytes())
    return tmp_path / "song.wav"


def moves(folder: Path) -> list[int]:
    """The frames that differ from the one before, counted from 0."""
    with pictures.open(folder / "strip.png") as sheet:
        side = sheet.height
        frames = [sheet.crop((left, 0, left + side, side)) for left in range(0, sheet.width, side)]
    differences = (ImageChops.difference(*pair) for pair in pairwise(frames))
    return [at for at, one in enumerate(differences, 1) if sum(ImageStat.Stat(one).mean) > 6]


def test_the_camera_moves_where_the_music_strikes(song: Path, command: Command) -> None:
    told = command("run", FILM, "--device", "cpu")
    assert told.folder, told
    assert moves(told.folder) == pytest.approx([at * FPS for at in STRIKES], abs=1)


def test_a_run_goes_again_from_its_folder_without_the_song(song: Path, command: Command) -> None:
    first = command("run", FILM, "--device", "cpu")
    song.unlink()
    again = command("run", f"{first.folder}/recipe.yaml", "--device", "cpu")
    assert first.folder
    assert again.folder
    strips = [pictures.open(told.folder / "strip.png").tobytes() for told in (first, again) if told.folder]
    assert strips[0] == strips[1]


@pytest.mark.parametrize("what", ["check", "plan", "run"])
def test_a_song_without_sound_is_refused_before_anything_runs(what: str, song: Path, command: Command) -> None:
    song.write_bytes(song.read_bytes()[:44])
    told = command(what, FILM)
    assert (told.code, told.folder) == (3, None)
    assert "nothing can be heard in `song.wav`: it is empty or damaged" in told.err


@pytest.mark.parametrize(
    ("change", "heard"),
    [
        ({}, "the music that `turn` of node `zoom` follows"),
        (
            {"{music: song.wav, follow: onsets, high: 30, smooth: 0}": "1", "fps: 10": "sound: song.wav"},
            "`sound` of `film`",
        ),
        (
            {"turn: {": "turn: {before: {", "smooth: 0}": "smooth: 0}, 20: 1}"},
            "the music that `turn` of node `zoom` follows",
        ),
        (
            {
                "turn: {music: song.wav, follow: onsets, high: 30, smooth: 0}": "turn: 1",
                "rate: 0.2": "rate: {music: song.wav, low: 0.1, high: 0.2}",
            },
            "the music that `rate` of node `fit` follows",
        ),
    ],
)
def test_a_film_that_closes_takes_no_sound_and_no_music(
    change: dict[str, str], heard: str, song: Path, command: Command
) -> None:
    recipe = FILM
    for old, new in change.items():
        assert old in recipe
        recipe = recipe.replace(old, new)
    assert command("check", recipe).code == 0
    told = command("check", recipe.replace("    steps: 1\n", "    steps: 1\n    loop: 4\n"))
    assert told.code == 3
    assert f"would be out of step with {heard}" in " ".join(told.err.split())


@pytest.mark.parametrize("order", ["reverse", "boomerang"])
def test_a_film_that_follows_a_song_is_not_shown_backwards(order: str, song: Path, command: Command) -> None:
    shown = FILM.replace("fps: 10}", f"fps: 10, order: {order}, sound: song.wav}}")
    told = command("check", shown)
    assert told.code == 3
    assert f"`order: {order}` of `film` shows the film backwards" in told.err
    assert "the music that `turn` of node `zoom` follows" in " ".join(told.err.split())
    alone = shown.replace("{music: song.wav, follow: onsets, high: 30, smooth: 0}", "1")
    assert command("check", alone).code == 0
