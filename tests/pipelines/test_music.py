"""Settings that follow music, from songs made here."""

import math
import random
import wave
from array import array
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from t2iflow.nodes.film import sound
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.graph.music import Music, is_music, read_music
from t2iflow.pipelines.graph.schedule import Schedule
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.problems import Problems, RecipeError
from t2iflow.pipelines.show.resolved import resolved
from t2iflow.pipelines.text.recipe import read, read_text
from t2iflow.pipelines.text.yaml_reader import parse
from t2iflow.runner.preview.schedules import rows

RATE = 16_000
SECONDS = 6
FPS = 30
CLICKS = (0.5, 1.24, 2.1, 2.93, 4.0, 5.37)


def write(path: Path, level: Callable[[float], float]) -> None:
    """A WAV of a level over time."""
    with wave.open(str(path), "wb") as song:
        song.setparams((1, 2, RATE, 0, "NONE", ""))
        levels = (round(max(-1.0, min(1.0, level(one / RATE))) * 32767) for one in range(SECONDS * RATE))
        song.writeframes(array("h", levels).tobytes())


def tone(hertz: float, time: float) -> float:
    return math.sin(2 * math.pi * hertz * time)


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with songs of several kinds, and what is none."""
    folder, chance = tmp_path_factory.mktemp("songs"), random.Random(0)

    def click(time: float) -> float:
        since = min((time - at for at in CLICKS if at <= time), default=1.0)
        return chance.uniform(-1, 1) * math.exp(-since / 0.01) if since < 0.1 else 0.0

    write(folder / "clicks.wav", click)
    write(folder / "hummed.wav", lambda time: 0.3 * click(time) + 0.5 * tone(220, time))
    write(folder / "swell.wav", lambda time: tone(440, time) * time / SECONDS)
    write(folder / "tones.wav", lambda time: 0.5 * tone(80 if time < 2 else 1000 if time < 4 else 6000, time))
    write(folder / "steady.wav", lambda time: 0.5 * tone(440, time))
    write(folder / "silence.wav", lambda time: 0.0)
    (folder / "words.wav").write_text("a fox\n")
    (folder / "broken.wav").write_bytes((folder / "swell.wav").read_bytes()[:44])
    return folder


def heard(song: Path, fps: float = FPS, **said: Any) -> list[float]:
    """The value at each frame while the song lasts."""
    music = Music(str(song), **{"low": 0.0, "high": 1.0, **said})
    return [music.at(frame, 10**4, fps) for frame in range(int(SECONDS * fps))]


@pytest.mark.parametrize("song", ["clicks.wav", "hummed.wav"])
@pytest.mark.parametrize("fps", [12, 24, 30, 60])
def test_strikes_are_seen_in_the_frame_that_they_are_heard_in(song: str, fps: int, songs: Path) -> None:
    values = heard(songs / song, fps, follow="onsets", smooth=0.05)
    strikes = [at for at, value in enumerate(values) if value > 0.5 and value > 2 * values[at - 1]]
    assert strikes == pytest.approx([int(at * fps) for at in CLICKS], abs=1)


def test_strikes_decay(songs: Path) -> None:
    values = heard(songs / "clicks.wav", follow="onsets", smooth=0.2)
    strike = int(4.0 * FPS)
    assert values[strike + 6] == pytest.approx(values[strike] / math.e, rel=0.15)
    assert values[strike - 3] < 0.1


def test_loudness_follows_a_swell(songs: Path) -> None:
    values = heard(songs / "swell.wav")
    assert values[0] < 0.05
    assert values[-1] > 0.95
    assert all(later > earlier - 0.01 for earlier, later in pairwise(values))


def test_ranges_tell_low_and_high_tones_apart(songs: Path) -> None:
    ranges: list[Any] = ["bass", "middle", "treble"]
    for number, follow in enumerate(ranges):
        values = heard(songs / "tones.wav", follow=follow)
        parts = [values[(2 * part + 1) * FPS] for part in range(3)]
        assert parts[number] > 0.7
        assert all(value < 0.3 for part, value in enumerate(parts) if part != number)


@pytest.mark.parametrize("song", ["steady.wav", "silence.wav"])
@pytest.mark.parametrize("follow", ["loudness", "onsets", "bass", "treble"])
def test_what_does_not_change_stays_low(song: str, follow: Any, songs: Path) -> None:
    assert max(heard(songs / song, follow=follow)) < 0.1


@pytest.mark.parametrize(
    ("song", "follow"), [("swell.wav", "loudness"), ("hummed.wav", "onsets"), ("tones.wav", "middle")]
)
def test_values_lie_between_low_and_high_and_reach_both(song: str, follow: Any, songs: Path) -> None:
    values = heard(songs / song, follow=follow, low=1.01, high=1.06)
    assert min(values) == pytest.approx(1.01, abs=0.005)
    assert max(values) == pytest.approx(1.06, abs=0.005)
    assert all(1.01 <= value <= 1.06 for value in values)


def test_low_may_be_above_high(songs: Path) -> None:
    values = heard(songs / "swell.wav", low=2.0, high=-1.0)
    assert values[0] == pytest.approx(2, abs=0.1)
    assert values[-1] == pytest.approx(-1, abs=0.1)


def test_whole_numbers_stay_whole_and_pairs_change_part_by_part(songs: Path) -> None:
    assert set(heard(songs / "swell.wav", low=4, high=8)) == {4, 5, 6, 7, 8}
    pair = Music(str(songs / "swell.wav"), low=(0.0, 1.0), high=(10.0, 1.0)).at(SECONDS * FPS - 2, 200, FPS)
    assert pair == pytest.approx((10, 1), abs=0.5)


def test_after_the_song_it_stays_low(songs: Path) -> None:
    music = Music(str(songs / "swell.wav"), low=1.0, high=2.0)
    assert music.at(SECONDS * FPS - 1, 1000, FPS) > 1.9
    assert [music.at(frame, 1000, FPS) for frame in (SECONDS * FPS + 1, 999)] == [1, 1]


def test_a_film_may_begin_in_the_midst_of_the_song(songs: Path) -> None:
    whole, later = heard(songs / "swell.wav"), heard(songs / "swell.wav", start=2.0)
    assert later[: 3 * FPS] == pytest.approx(whole[2 * FPS : 5 * FPS])


def test_more_smoothing_changes_more_slowly(songs: Path) -> None:
    def steepest(smooth: float) -> float:
        values = heard(songs / "tones.wav", follow="treble", smooth=smooth)
        return max(abs(a - b) for a, b in pairwise(values))

    assert steepest(0.0) > 0.4 > steepest(0.2) > steepest(1.0) > 0


def test_frames_in_any_order_have_the_same_values(songs: Path) -> None:
    values = heard(songs / "hummed.wav", follow="onsets")
    music = Music(str(songs / "hummed.wav"), follow="onsets", low=0.0, high=1.0)
    order = random.Random(1).sample(range(len(values)), len(values))
    assert [music.at(frame, 50, FPS) for frame in order] == [values[frame] for frame in order]


@pytest.mark.parametrize(
    ("song", "start", "words"),
    [
        ("broken.wav", 0.0, "there is no sound in `broken.wav`: it is damaged, or a silent film"),
        ("swell.wav", 60.0, "`swell.wav` ends before `start: 60`: it is 6.0 seconds long"),
        (
            "words.wav",
            0.0,
            "`words.wav` is not a sound; WAV, W64, AIFF, CAF, AU, MP3, AAC, FLAC, WavPack or OGG, or a film can be",
        ),
    ],
)
def test_a_song_that_can_not_be_heard_is_told(song: str, start: float, words: str, songs: Path) -> None:
    with pytest.raises(ValueError, match="`") as caught:
        Music(str(songs / song), start=start).listen()
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("{music: song.wav}", True),
        ("{music: song.wav, low: 1, high: 2}", True),
        ("{music: }", True),
        ("{music: 1, noise: -0.5}", False),
        ("{0: 1, 5: 2}", False),
        ("{follow: bass}", False),
        ("music", False),
    ],
)
def test_music_is_told_from_keyframes_and_weighted_prompts(text: str, answer: bool) -> None:
    assert is_music(parse(text, "f")) is answer


@pytest.mark.parametrize(
    ("text", "column", "words", "hint"),
    [
        ("{music: 's.wav', folow: bass}", 18, "`folow` isn't part of music", "did you mean `follow`?"),
        ("{music: 's.wav', over: step}", 18, "`over` isn't part of music", "besides `music` it can have follow, low"),
        ("{music: 's.wav', follow: base}", 26, "`follow` can't be 'base'", "did you mean `bass`?"),
        ("{music: 's.wav', follow: [bass]}", 26, "`follow` can't be a text", "it is one of loudness, onsets, bass"),
        ("{music: 's.wav', smooth: -1}", 26, "`smooth` can't be -1", "it is a number of seconds from 0 to 10"),
        ("{music: 's.wav', smooth: .inf}", 26, "`smooth` can't be .inf", "it is a number of seconds from 0 to 10"),
        ("{music: 's.wav', start: 30s}", 25, "`start` can't be '30s'", "it is a number of seconds from 0 to 3600"),
        ("{music: }", 8, "`music` can't be nothing", "it names a file, such as song.wav"),
        ("{music: [a, b]}", 9, "`music` can't be a text", "it names a file, such as song.wav"),
        (
            "{music: 's.wav', low: [0, 1]}",
            23,
            "`low` and `high` need the same form: these are 2 numbers and a number",
            "",
        ),
        (
            "{music: 's.wav', low: 1, high: much}",
            32,
            "`low` and `high` need the same form: these are a number and a text",
            "",
        ),
    ],
)
def test_each_mistake_is_told_at_its_own_place(text: str, column: int, words: str, hint: str) -> None:
    problems = Problems()
    read_music(parse(text, "f"), problems)
    (problem,) = problems
    assert (problem.code, problem.message) == ("T2I207", words)
    assert hint in " ".join(problem.hints)
    assert problem.place is not None
    assert problem.place.column == column


def test_several_mistakes_are_told_at_once() -> None:
    problems = Problems()
    read_music(parse("{music: s.wav, follow: base, smooth: x, start: -1, ease: in, low: a, high: 2}", "f"), problems)
    assert len(problems) == 5


FILM = """t2iflow: 1
params: {song: swell.wav, beat: {music: clicks.wav, follow: onsets, high: 0.5}}
nodes:
  clip:   {use: clip.model}
  words:  {use: clip.text, clip: $clip, prompt: PROMPT}
  canvas: {use: canvas.pixels, size: [24, 24]}
  cuts:   {use: cutouts.whole, image: $canvas, count: 2}
  seen:   {use: clip.look, crops: $cuts, clip: $clip}
  score:  {use: losses.spherical, seen: $seen, wanted: $words}
  smooth: {use: losses.total_variation, image: $canvas}
  fit:    {use: optimizers.adam, image: $canvas, loss: [$score, {of: $smooth, weight: WEIGHT}], steps: 2}
  zoom:   {use: camera.zoom, image: $fit, frames: 60, steps: 1, SCALE}
  film:   {use: output.video, image: $zoom, fps: 10}
"""

Compiled = Callable[..., Plan]


@pytest.fixture
def compiled(songs: Path, tmp_path: Path) -> Compiled:
    """The plan of a film, in a folder with songs."""
    for song in songs.iterdir():
        (tmp_path / song.name).write_bytes(song.read_bytes())

    def compile(scale: str = "turn: 0", prompt: str = "a fox", weight: str = "1", **changed: str) -> Plan:
        text = FILM.replace("SCALE", scale).replace("PROMPT", prompt).replace("WEIGHT", weight)
        for old, new in changed.items():
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "film.yaml").write_text(text, encoding="utf-8")
        problems = Problems()
        return compile_recipe(read(tmp_path / "film.yaml", problems=problems), problems)

    return compile


def message(compiled: Compiled, **changed: str) -> str:
    with pytest.raises(RecipeError) as caught:
        compiled(**changed)
    assert len(caught.value.problems) == 1
    return str(caught.value)


def test_a_camera_moves_to_music(compiled: Compiled, tmp_path: Path) -> None:
    plan = compiled("scale: {music: $song, low: 1, high: 1.1}")
    scale = plan.graph.nodes["zoom"].settings["scale"]
    assert scale == Music(str((tmp_path / "swell.wav").resolve()), low=1.0, high=1.1)
    assert scale.over == "frame"
    assert scale.at(1, 60, 10) < 1.02 < 1.09 < scale.at(58, 60, 10)


def test_prompts_fade_to_music(compiled: Compiled) -> None:
    plan = compiled(prompt="{music: swell.wav, low: a calm sea, high: [a storm, waves]}")
    nodes = plan.graph.nodes
    assert [nodes[f"words.{one}"].settings["prompt"] for one in (0, 1)] == ["a calm sea", ["a storm", "waves"]]
    position = nodes["words"].settings["position"]
    assert isinstance(position, Music)
    assert 0 <= position.at(1, 60, 10) < 0.1
    assert 0.9 < position.at(58, 60, 10) <= 1


@pytest.mark.parametrize("files", ["{music: swell.wav, low: a.txt, high: b.txt}", "{0: a.txt, 100%: b.txt}"])
def test_stories_fade_to_music_as_over_time(files: str, compiled: Compiled, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(f"{name} fox\n", encoding="utf-8")
    nodes = compiled(**{"clip.text": "clip.story", "prompt: a fox": f"file: {files}"}).graph.nodes
    told = [Path(nodes[f"words.{one}"].settings["file"]).name for one in (0, 1)]
    assert told == ["a.txt", "b.txt"]


def test_weights_of_losses_follow_music(compiled: Compiled) -> None:
    weights = compiled(weight="$beat").graph.nodes["fit.loss"].settings["weights"]
    assert weights[0] == 1
    assert isinstance(weights[1], Schedule)
    assert max(weights[1].at(frame, 60, 10) for frame in range(60)) == pytest.approx(0.5)


def test_songs_are_copied_with_a_run_and_found_again(compiled: Compiled, tmp_path: Path) -> None:
    said = ["scale: {music: $song, low: 1, high: 1.1}", "{music: swell.wav, low: a sea, high: $5 a fox}", "$beat"]
    graph = compiled(*said).graph
    recipe = resolved(graph, graph.files)
    copies = {Path(source).name: copy for source, copy in graph.files.items()}
    assert sorted(copies) == ["clicks.wav", "swell.wav"]
    assert f"  song: {copies['swell.wav']}\n" in recipe
    assert "    scale: {music: $song, low: 1, high: 1.1}\n" in recipe
    assert f"    prompt: {{music: {copies['swell.wav']}, low: a sea, high: " in recipe
    assert f"  beat: {{music: {copies['clicks.wav']}, follow: onsets, high: 0.5}}\n" in recipe
    shared = tmp_path / "shared"
    (shared / "inputs").mkdir(parents=True)
    for source, copy in graph.files.items():
        Path(source).rename(shared / copy)
    again = compile_recipe(read_text(recipe, "again.yaml", shared)).graph
    assert {Path(source).parent for source in again.files} == {(shared / "inputs").resolve()}
    for name, setting in (("zoom", "scale"), ("words", "position")):
        before, after = graph.nodes[name].settings[setting], again.nodes[name].settings[setting]
        assert after == Music(str((shared / copies["swell.wav"]).resolve()), low=before.low, high=before.high)
    assert again.nodes["words.1"].settings == graph.nodes["words.1"].settings


def test_music_is_drawn_before_it_runs(compiled: Compiled) -> None:
    drawn = dict(rows(compiled("scale: {music: swell.wav, low: 1, high: 1.1}", weight="$beat"), 20))
    bars, _, told = drawn["zoom.scale"].partition("  ")
    assert (bars[0], bars[-1], bars) == ("▁", "█", "".join(sorted(bars)))
    assert told.startswith("1 to 1.")
    assert told.endswith(", loudness of swell.wav")
    (beat,) = (drawn[label] for label in drawn if label.startswith("fit: weight of "))
    assert beat.endswith("0 to 0.5, onsets of clicks.wav")
    assert sum(one in "▅▆▇█" for one in beat.partition("  ")[0]) >= len(CLICKS)


CAMERA = "  zoom:   {use: camera.zoom, image: $fit, frames: 60, steps: 1, turn: 0}\n"
TWICE = {"fps: 10}": "fps: 10}\n  more: {use: output.video, image: $zoom, fps: 20, file: more.mp4}"}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"scale": "scale: {music: swell.wav}"}, "T2I204 `scale` of node `zoom` can't be 0"),
        ({"scale": "scale: {music: nowhere.wav, low: 1}"}, "T2I502 the file `nowhere.wav` doesn't exist"),
        ({"scale": "scale: {music: words.wav, low: 1}"}, "T2I502 `words.wav` is not a sound"),
        ({"scale": "scale: {music: broken.wav, low: 1}"}, "T2I502 nothing can be heard in `broken.wav`: it is empty"),
        ({"scale": "scale: {music: swell.wav, low: 1, start: 60}"}, "T2I502 `swell.wav` ends before `start: 60`"),
        ({"scale": "scale: {music: $canvas, low: 1}"}, "T2I205 `scale` of node `zoom` is a setting, not a port"),
        ({"scale": "border: {music: swell.wav}"}, "T2I206 `border` of node `zoom` is read once"),
        (
            {"scale": "scale: {music: a.wav, low: a, high: b}"},
            "T2I206 `scale` of node `zoom` can't follow music, which",
        ),
        (
            {"weight": "$beat", CAMERA: "", "$zoom": "$fit"},
            "`weight` in `loss` of node `fit` can't follow music: no camera",
        ),
        (
            {"weight": "$beat", **TWICE},
            "T2I207 the music of `weight` in `loss` of node `fit` needs a film with a single `fps`",
        ),
    ],
)
def test_mistakes_are_told_before_it_runs(changed: dict[str, str], words: str, compiled: Compiled) -> None:
    assert words in message(compiled, **changed)


@pytest.mark.parametrize("fps", [12, 24, 25, 29.97, 30, 50, 60])
@pytest.mark.parametrize("start", [0.0, 0.3, 30.0])
def test_a_song_of_any_length_ends_with_its_last_frame(
    fps: float, start: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = int(start * sound.RATE / sound.HOP) + 1
    for length in range(first, first + 700):
        monkeypatch.setattr(sound, "_followed", lambda *asked, length=length: np.zeros(length))
        heard = sound.frames.__wrapped__("song.wav", "bass", 0.1, start, fps)
        seconds = length * sound.HOP / sound.RATE - start
        assert seconds * fps - 1e-6 <= len(heard) <= seconds * fps + 1
