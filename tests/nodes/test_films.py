"""Films: what another program plays is what was given, with its sound and its recipe."""

import hashlib
import os
import re
import struct
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
import torch
from pydantic import ValidationError

from t2iflow.nodes import output
from t2iflow.nodes.core.ambient import Part
from t2iflow.nodes.core.ffmpeg import ffmpeg
from t2iflow.nodes.core.signature import read_spec
from t2iflow.nodes.core.types import Image
from t2iflow.nodes.film import encoder
from t2iflow.nodes.pictures import metadata
from t2iflow.nodes.pictures.endings import CARRIERS
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.problems import Problems, RecipeError
from t2iflow.pipelines.text.recipe import read_text
from tests.nodes.conftest import Heard, RunFolder

RECIPE = 't2iflow: 1\ntitle: Ein Fuchs = 狐; #1 \\ "x"\n\nnodes:\n  a: {use: x.y}\n'
SPEC = read_spec(output.Video, "output")
DEFAULTS = {name: setting.default for name, setting in SPEC.settings.items()}

FILMS: dict[str, dict[str, Any]] = {
    "h264": {"file": "film.mp4"},
    "h265": {"file": "film.mp4", "codec": "h265"},
    "vp9": {"file": "film.webm"},
    "prores": {"file": "film.mov"},
    "gif": {"file": "film.GIF"},
    "apng": {"file": "film.apng"},
    "png": {"file": "film-%04d.png"},
}
AWAY = {"gif": 5.0, "apng": 0.0, "png": 0.0}
"""Levels of 255 that pixels may be away on average; of all others 3, most of it by how PyAV reads colours."""

every_kind = pytest.mark.parametrize("kind", FILMS)
with_sound = pytest.mark.parametrize("kind", ["h264", "h265", "vp9", "prores"])


@dataclass(frozen=True)
class Played:
    """What PyAV finds in a film; of a sound the left side."""

    pictures: list[npt.NDArray[np.uint8]]
    times: list[float]
    sound: npt.NDArray[np.float32]
    sides: int


def played(path: Path) -> Played:
    pictures, times, sound, sides = [], [], [np.zeros(0, np.float32)], 0
    with av.open(str(path)) as film:
        for packet in film.demux():
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    pictures.append(frame.to_ndarray(format="rgb24"))
                    times.append(float(frame.time))
                elif isinstance(frame, av.AudioFrame):
                    assert frame.format.name == "fltp"
                    sides = len(frame.layout.channels)
                    sound.append(frame.to_ndarray()[0])
    if path.suffix == ".png":
        return Played([*pictures, *(played(rest(path)[0]).pictures if rest(path) else [])], [], sound[0], 0)
    return Played(pictures, times, np.concatenate(sound), sides)


def rest(path: Path) -> list[Path]:
    """The pictures that follow the first of a row."""
    return [one for one in sorted(path.parent.glob("film-*.png")) if path.suffix == ".png" and one > path]


def levels(number: int, width: int = 32, height: int = 32) -> Image:
    """Soft colours, a little brighter with each number."""
    down, across = torch.meshgrid(torch.linspace(0, 0.2, height), torch.linspace(0, 0.2, width), indexing="ij")
    return Image(torch.stack([down, across, 0.3 - down])[None] + 0.2 + 0.04 * number)


def noise(number: int) -> Image:
    """A picture that is hard to code."""
    return Image(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(number)))


def made(
    place: Path, count: int = 12, part: Part | None = None, paint: Callable[[int], Image] = levels, **settings: Any
) -> Path:
    """The film of some pictures, in a folder of its own."""
    place.mkdir()
    folder = RunFolder(place)
    folder.recipe = RECIPE
    video = output.Video(folder, Heard(), *([part] if part else []), **settings)
    for number in range(count):
        video(paint(number))
    video.close()
    (path,) = folder.written
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(b"".join(one.read_bytes() for one in [path, *rest(path)])).hexdigest()


def order(path: Path) -> list[int]:
    """Which of the pictures are shown, one after another."""
    return [round((float(one[..., 0].mean()) / 255 - 0.3) / 0.04) for one in played(path).pictures]


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path)
    folder.recipe = RECIPE
    return folder


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sound in many forms: a second of 440 Hz, then one of 880 Hz."""
    place = tmp_path_factory.mktemp("songs")
    source = ["-f", "lavfi", "-i", "aevalsrc=sin(2*PI*t*440*(1+gte(t\\,1))):d=2:s=44100"]
    for name in ("song.wav", "song.mp3", "song.flac", "song.ogg"):
        subprocess.run([ffmpeg(), "-v", "error", *source, str(place / name)], check=True)
    clip = ["-f", "lavfi", "-i", "color=red:s=32x32:d=2", str(place / "clip.mp4")]
    subprocess.run([ffmpeg(), "-v", "error", *source, *clip], check=True)
    return place


# Pictures and their times


@every_kind
def test_every_kind_of_film_plays_as_it_was_given(kind: str, tmp_path: Path) -> None:
    path = made(tmp_path / "a", fps=12, loss=8, **FILMS[kind])
    film = played(path)
    assert len(film.pictures) == 12
    for number, shown in enumerate(film.pictures):
        given = (levels(number)[0].permute(1, 2, 0) * 255).round().numpy()
        assert np.abs(shown - given).mean() <= AWAY.get(kind, 3.0), number
    if kind != "png":
        assert film.times == pytest.approx([number / 12 for number in range(12)], abs=0.006)


@every_kind
def test_every_kind_of_film_carries_its_recipe(kind: str, tmp_path: Path) -> None:
    path = made(tmp_path / "a", 3, **FILMS[kind])
    for one in [path, *rest(path)]:
        assert metadata.read_recipe(one) == RECIPE
        assert one.suffix.lower() in CARRIERS


@every_kind
def test_a_recipe_may_be_long(kind: str, folder: RunFolder) -> None:
    folder.recipe = "t2iflow: 1\n# " + "long " * 20_000
    video = output.Video(folder, Heard(), **FILMS[kind])
    video(levels(0))
    video.close()
    assert metadata.read_recipe(folder.written[0]) == folder.recipe


@every_kind
@pytest.mark.parametrize("more", [{}, {"interpolate": 20}], ids=["plain", "interpolated"])
def test_the_same_frames_give_the_same_bytes(kind: str, more: dict[str, Any], tmp_path: Path) -> None:
    one, other = (made(tmp_path / name, 5, fps=10, **FILMS[kind], **more) for name in "ab")
    assert digest(one) == digest(other)
    for told in (b"x264 - core", b"x265 (build", b"Lavf6", b"Lavc6"):
        assert told not in one.read_bytes()


@every_kind
@pytest.mark.parametrize("more", [{}, {"interpolate": 50}], ids=["plain", "interpolated"])
def test_strong_colours_are_played_as_they_are(kind: str, more: dict[str, Any], tmp_path: Path) -> None:
    given = [(0.9, 0.1, 0.1), (0.1, 0.8, 0.2), (0.1, 0.2, 0.9), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)]

    def paint(number: int) -> Image:
        return Image(torch.tensor(given[number])[None, :, None, None].expand(1, 3, 32, 32))

    path = made(tmp_path / "a", 5, paint=paint, fps=10, **FILMS[kind], **more)
    for shown, colour in zip(played(path).pictures[:: 5 if more else 1], given, strict=True):
        assert shown.mean((0, 1)) / 255 == pytest.approx(colour, abs=0.02)


@with_sound
def test_a_film_says_what_its_colours_mean(kind: str, tmp_path: Path) -> None:
    with av.open(str(made(tmp_path / "a", 2, **FILMS[kind]))) as film:
        frame = next(film.decode(video=0))
    assert frame.colorspace == av.video.reformatter.Colorspace.ITU709


def test_gif_and_apng_play_again_and_again(tmp_path: Path) -> None:
    gif, apng = (made(tmp_path / kind, 3, **FILMS[kind]).read_bytes() for kind in ("gif", "apng"))
    assert b"NETSCAPE2.0\x03\x01\x00\x00" in gif
    assert struct.unpack(">4sII", apng[apng.index(b"acTL") :][:12]) == (b"acTL", 3, 0)


def test_a_lower_loss_makes_a_larger_film(tmp_path: Path) -> None:
    for kind in ("h264", "h265", "vp9"):
        sizes = []
        for loss in (0, 20, 51):
            path = made(tmp_path / f"{kind}-{loss}", 4, paint=noise, loss=loss, **FILMS[kind])
            sizes.append(path.stat().st_size)
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[0] > 3 * sizes[2]


def test_h264_without_loss_is_still_one_that_players_know(tmp_path: Path) -> None:
    with av.open(str(made(tmp_path / "a", 2, loss=0))) as film:
        assert film.streams.video[0].codec_context.profile == "High"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("film.avi", "must end in .mp4, .webm, .mov, .gif, .apng or .png"),
        ("a/film.mp4", "plain name"),
        ("film.png", "one place for the number"),
        ("film-%04d-%04d.png", "one place for the number"),
        ("film-%s.png", "one place for the number"),
    ],
)
def test_a_name_that_means_no_film_is_refused(name: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        SPEC.settings["file"].adapter.validate_python(name)


# Sizes


@pytest.mark.parametrize(
    ("kind", "more", "size", "near"),
    [
        ("h264", {}, (31, 24), "32 x 24 or 30 x 24"),
        ("h264", {}, (1, 3), "2 x 4 or 2 x 2"),
        ("h264", {}, (32, 16400), "32 x 16384"),
        ("h265", {}, (33, 40), "34 x 40 or 32 x 40"),
        ("h265", {}, (16, 48), "32 x 48"),
        ("vp9", {"interpolate": 60}, (15, 48), "16 x 48"),
        ("h264", {"interpolate": 60}, (8, 21), "16 x 22 or 16 x 20"),
    ],
)
def test_a_size_that_cannot_be_coded_is_refused_with_the_nearest(
    kind: str, more: dict[str, Any], size: tuple[int, int], near: str
) -> None:
    settings = {**DEFAULTS, **FILMS[kind], **more}
    with pytest.raises(ValueError, match=rf"can't be {size[0]} x {size[1]}: .*; take {near}$"):
        SPEC.fits(size, None, settings)
    for one in near.split(" or "):
        SPEC.fits((int(one.split(" x ")[0]), int(one.split(" x ")[1])), None, settings)


@pytest.mark.parametrize("more", [{}, {"interpolate": 50}], ids=["plain", "interpolated"])
@every_kind
def test_each_size_that_is_not_refused_can_be_coded(kind: str, more: dict[str, Any], tmp_path: Path) -> None:
    settings = FILMS[kind] | more
    taken = []
    for number, (width, height) in enumerate([(1, 1), (2, 2), (16, 18), (17, 31), (32, 34), (33, 32)]):
        place = tmp_path / str(number)
        place.mkdir()
        video = output.Video(RunFolder(place), Heard(), **settings)
        try:
            SPEC.fits((width, height), None, DEFAULTS | settings)
        except ValueError as fault:
            with pytest.raises(ValueError, match=re.escape(str(fault))):
                video(levels(0, width, height))
            continue
        for one in range(3):
            video(levels(one, width, height))
        video.close()
        (path,) = video._folder.written  # type: ignore[attr-defined]
        assert played(path).pictures[-1].shape == (height, width, 3)
        taken.append((width, height))
    assert (32, 34) in taken


def test_a_name_that_is_no_film_is_told_once_though_its_size_can_not_be_judged() -> None:
    text = """
t2iflow: 1
title: A film of nothing
nodes:
  noise: {use: images.noise, size: [33, 24]}
  wrong: {use: output.video, image: $noise, file: film.avi}
  large: {use: output.video, image: $noise, file: film.gif, fps: 60}
  uneven: {use: output.video, image: $noise}
"""
    problems = Problems()
    with pytest.raises(RecipeError) as caught:
        compile_recipe(read_text(text, "recipe", Path(), name="recipe", problems=problems), problems)
    assert [problem.code for problem in caught.value.problems] == ["T2I204", "T2I204", "T2I408"]


def test_frames_of_another_size_are_refused(folder: RunFolder) -> None:
    video = output.Video(folder, Heard())
    video(levels(0))
    with pytest.raises(ValueError, match="frame 2 is 64 x 48, but those before it are 32 x 32"):
        video(levels(1, 64, 48))
    again = output.Video(folder, Heard())
    again.load_state_dict(video.state_dict())
    with pytest.raises(ValueError, match="frame 2 is 64 x 48"):
        again(levels(1, 64, 48))


def test_of_a_batch_the_pictures_are_side_by_side(folder: RunFolder) -> None:
    video = output.Video(folder, Heard())
    video(Image(torch.cat([levels(number) for number in range(3)])))
    video.close()
    assert played(folder.written[0]).pictures[0].shape == (64, 64, 3)


# Order, frames in between, and parts


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ("forward", [0, 1, 2, 3, 4]),
        ("reverse", [4, 3, 2, 1, 0]),
        ("boomerang", [0, 1, 2, 3, 4, 3, 2, 1]),
    ],
)
def test_frames_are_shown_in_the_order_that_is_wanted(wanted: str, numbers: list[int], tmp_path: Path) -> None:
    assert order(made(tmp_path / "a", 5, file="film.apng", order=wanted)) == numbers


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_frames_go_forth_and_back_too(count: int, tmp_path: Path) -> None:
    assert order(made(tmp_path / "a", count, order="boomerang")) == [*range(count)]


@pytest.mark.parametrize(("fps", "rate", "count"), [(10, 40, 5), (10, 25, 6), (24, 48, 1), (29, 30, 5)])
@every_kind
def test_frames_in_between_leave_the_others_and_the_length(
    kind: str, fps: int, rate: int, count: int, tmp_path: Path
) -> None:
    path = made(tmp_path / "a", count, fps=fps, interpolate=rate, loss=8, **FILMS[kind])
    film = played(path)
    assert len(film.pictures) == -(-count * rate // fps)
    assert len(film.pictures) / rate == pytest.approx(count / fps, abs=1 / rate)
    kept = {number * rate // fps: number for number in range(count) if number * rate % fps == 0}
    for at, number in {**kept, len(film.pictures) - 1: count - 1}.items():
        given = (levels(number)[0].permute(1, 2, 0) * 255).round().numpy()
        assert np.abs(film.pictures[at] - given).mean() <= AWAY.get(kind, 3.0) + 1, at
    if kind != "png":
        assert film.times == pytest.approx([number / rate for number in range(len(film.times))], abs=0.006)


def test_what_moves_is_half_way_in_a_frame_in_between(folder: RunFolder) -> None:
    chance = torch.Generator().manual_seed(3)
    wall = torch.nn.functional.interpolate(torch.rand(1, 3, 6, 10, generator=chance), (96, 160), mode="bicubic")
    moved = [Image(wall[..., 16:80, start : start + 64].clamp(0, 1)) for start in range(40, 64, 3)]
    video = output.Video(folder, Heard(), file="film-%03d.png", fps=10, interpolate=20)
    for one in moved[::2]:
        video(one)
    video.close()
    shown = played(folder.written[0]).pictures
    for number in (1, 3, 5):
        before, half, after = ((moved[number + at][0].permute(1, 2, 0) * 255).numpy() for at in (-1, 0, 1))
        inside = np.s_[8:-8, 8:-8]
        crossfaded = np.abs((before + after) / 2 - half)[inside].mean()
        assert np.abs(shown[number] - half)[inside].mean() < crossfaded / 2


def test_a_cut_stays_a_cut(folder: RunFolder) -> None:
    video = output.Video(folder, Heard(), file="film-%03d.png", fps=10, interpolate=50)
    for level in (0.1, 0.1, 0.1, 0.9, 0.9, 0.9):
        video(Image(torch.full((1, 3, 32, 32), level)))
    video.close()
    assert {round(float(one.mean()) / 255, 1) for one in played(folder.written[0]).pictures} == {0.1, 0.9}


@pytest.mark.parametrize(
    ("part", "numbers"),
    [(Part(), range(12)), (Part(3, 5), range(3, 6)), (Part(10), range(10, 12)), (Part(9, 40), range(9, 12))],
)
def test_of_a_part_only_its_frames_are_in_the_film(part: Part, numbers: range, tmp_path: Path) -> None:
    assert order(made(tmp_path / "a", part=part)) == [*numbers]


@pytest.mark.parametrize(("rate", "numbers"), [(None, range(3, 6)), (20, range(6, 12)), (25, range(8, 16))])
def test_the_pictures_of_a_part_are_numbered_as_in_the_whole(rate: int | None, numbers: range, tmp_path: Path) -> None:
    path = made(tmp_path / "a", part=Part(3, 5), fps=10, interpolate=rate, **FILMS["png"])
    assert [one.name for one in [path, *rest(path)]] == [f"film-{number:04}.png" for number in numbers]


def test_the_whole_can_be_made_after_a_part(folder: RunFolder, tmp_path: Path) -> None:
    part = output.Video(folder, Heard(), Part(1, 2))
    for number in range(4):
        part(levels(number))
    state = part.state_dict()
    part.close()
    assert order(folder.path("film.mp4")) == [1, 2]
    whole = output.Video(folder, Heard())
    whole.load_state_dict(state)
    whole(levels(4))
    whole.close()
    assert digest(folder.path("film.mp4")) == digest(made(tmp_path / "a", 5))


# Sound


def pitch(sound: npt.NDArray[np.float32]) -> float:
    """The loudest pitch in Hz, of a sound of 48 kHz."""
    return float(np.abs(np.fft.rfft(sound * np.hanning(len(sound)))).argmax() * 48_000 / len(sound))


@with_sound
def test_a_film_is_heard_as_long_as_it_is_seen(kind: str, songs: Path, tmp_path: Path) -> None:
    film = played(made(tmp_path / "a", fps=10, sound=str(songs / "song.wav"), **FILMS[kind]))
    assert len(film.pictures) == 12
    assert len(film.sound) / 48_000 == pytest.approx(1.2, abs=0.03)
    assert film.sides == 2
    assert pitch(film.sound[4800:38400]) == pytest.approx(440, abs=5)
    assert pitch(film.sound[49500:55000]) == pytest.approx(880, abs=10)


@pytest.mark.parametrize("name", ["song.wav", "song.mp3", "song.flac", "song.ogg", "clip.mp4"])
def test_sound_starts_where_it_is_wanted_in_every_form(name: str, songs: Path, tmp_path: Path) -> None:
    film = played(made(tmp_path / "a", fps=20, sound=str(songs / name), sound_start=0.7))
    assert len(film.sound) / 48_000 == pytest.approx(0.6, abs=0.03)
    turn = next(at for at in range(0, 26_000, 240) if pitch(film.sound[at : at + 2400]) > 700) + 1200
    assert turn / 48_000 == pytest.approx(0.3, abs=0.03)


def test_the_sound_of_a_part_is_that_of_its_frames(songs: Path, tmp_path: Path) -> None:
    path = made(tmp_path / "a", part=Part(6), fps=10, sound=str(songs / "song.wav"), sound_start=0.5)
    assert pitch(played(path).sound[2400:24000]) == pytest.approx(880, abs=5)


@with_sound
@pytest.mark.parametrize(("start", "length"), [(1.5, 0.5), (1.95, 0.05)])
def test_a_short_sound_leaves_the_film_its_frames(
    kind: str, start: float, length: float, songs: Path, tmp_path: Path
) -> None:
    film = played(made(tmp_path / "a", fps=10, sound=str(songs / "song.wav"), sound_start=start, **FILMS[kind]))
    assert len(film.pictures) == 12
    assert len(film.sound) / 48_000 == pytest.approx(length, abs=0.03)


@with_sound
def test_a_part_after_the_sound_is_silent(kind: str, songs: Path, tmp_path: Path) -> None:
    path = made(tmp_path / "a", part=Part(6), fps=10, sound=str(songs / "song.wav"), sound_start=1.6, **FILMS[kind])
    assert len(played(path).pictures) == 6
    assert metadata.read_recipe(path) == RECIPE


@with_sound
def test_the_same_sound_gives_the_same_bytes(kind: str, songs: Path, tmp_path: Path) -> None:
    one, other = (made(tmp_path / name, 5, sound=str(songs / "song.mp3"), **FILMS[kind]) for name in "ab")
    assert digest(one) == digest(other)


def test_a_film_of_a_silent_film_is_silent_and_that_is_said(folder: RunFolder, notes: Heard) -> None:
    silent = folder.place / "silent.mp4"
    source = ["-f", "lavfi", "-i", "color=red:s=32x32:d=3", str(silent)]
    subprocess.run([ffmpeg(), "-v", "error", *source], check=True)
    video = output.Video(folder, notes, sound=str(silent), sound_start=2.5)
    assert notes.said == ["`silent.mp4` has no sound, so `film.mp4` has none either"]
    video(levels(0))
    video.close()
    film = played(*folder.written)
    assert (len(film.pictures), len(film.sound)) == (1, 0)


def test_a_start_after_the_sound_is_refused_before_the_first_frame(folder: RunFolder, songs: Path) -> None:
    with pytest.raises(ValueError, match=r"`song.ogg` ends before `sound_start`, 2.5 s"):
        output.Video(folder, Heard(), sound=str(songs / "song.ogg"), sound_start=2.5)


def test_what_is_no_sound_is_refused(folder: RunFolder) -> None:
    (folder.place / "list.mp3").write_text("ffconcat version 1.0\nfile song.mp3\n")
    with pytest.raises(
        ValueError,
        match=r"`list.mp3` is not a sound; WAV, W64, AIFF, CAF, AU, MP3, AAC, FLAC, WavPack or OGG, or a film",
    ):
        output.Video(folder, Heard(), sound=str(folder.place / "list.mp3"))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"file": "film.gif", "sound": "a.wav"}, "a GIF has no sound; take MP4, MOV or WebM"),
        ({"file": "film.apng", "sound": "a.wav"}, "an APNG has no sound"),
        ({"file": "film-%04d.png", "sound": "a.wav"}, "a row of PNG pictures has no sound"),
        ({"file": "film.webm", "codec": "h265"}, "only an MP4 film can be H.265, and `film.webm` is a WebM film"),
        ({"interpolate": 30}, "must be above `fps`, which is 30"),
        ({"file": "film.gif", "fps": 60}, "a GIF shows at most 50 frames a second, not 60"),
        ({"file": "film.gif", "fps": 15, "interpolate": 60}, "a GIF shows at most 50 frames a second, not 60"),
    ],
)
def test_wishes_that_do_not_go_together_are_refused(settings: dict[str, Any], reason: str) -> None:
    SPEC.check(DEFAULTS)
    with pytest.raises(ValueError, match=reason):
        SPEC.check(DEFAULTS | settings)


# Kills


@every_kind
def test_a_kill_while_the_film_is_written_leaves_nothing_half_and_it_can_be_made_again(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = made(tmp_path / "whole", paint=noise, **FILMS[kind])
    if os.name != "posix":
        pytest.skip("a program is killed here by a limit that only POSIX has")
    limited = tmp_path / "ffmpeg"  # killed when it has written its first 512 bytes
    limited.write_text(f'#!/bin/sh\nulimit -f 1\nexec "{ffmpeg()}" "$@"\n')
    limited.chmod(0o755)
    place = tmp_path / "killed"
    place.mkdir()
    folder = RunFolder(place)
    folder.recipe = RECIPE
    first = output.Video(folder, Heard(), **FILMS[kind])
    for number in range(12):
        first(noise(number))
    state = first.state_dict()
    with monkeypatch.context() as patch:
        patch.setenv("IMAGEIO_FFMPEG_EXE", str(limited))
        with pytest.raises(RuntimeError, match="ffmpeg could not make film"):
            first.close()
    assert [one.name for one in place.iterdir()] == [".frames"]
    again = output.Video(folder, Heard(), **FILMS[kind])
    again.load_state_dict(state)
    again.close()
    (path,) = folder.written
    assert digest(path) == digest(whole)
    assert sorted(one.name for one in place.iterdir())[1:] == sorted(one.name for one in [path, *rest(path)])


def test_a_film_that_is_there_stays_when_its_successor_fails(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = output.Video(folder, Heard())
    video(levels(0))
    video.close()
    before = digest(folder.written[0])
    video(levels(1))
    monkeypatch.setattr(encoder, "ffmpeg", lambda: "/bin/false")
    with pytest.raises(RuntimeError, match=r"could not make film.mp4: it ended with 1"):
        video.close()
    assert digest(folder.written[0]) == before


def test_a_new_film_takes_the_place_of_the_old_one_at_once(folder: RunFolder) -> None:
    video = output.Video(folder, Heard())
    video(levels(0))
    video.close()
    before = digest(folder.written[0])
    os.link(folder.written[0], kept := folder.path("kept.mp4"))
    video(levels(1))
    video.close()
    assert digest(folder.written[0]) != before
    assert digest(kept) == before


def test_no_program_is_waited_for_when_a_film_is_broken_off(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = folder.path("ffmpeg")
    slow.write_text("#!/bin/sh\nexec sleep 15\n")
    slow.chmod(0o755)
    video = output.Video(folder, Heard())
    video(levels(0))

    def broken_off(path: Path) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(slow))
    monkeypatch.setattr(Path, "read_bytes", broken_off)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        video.close()
    assert time.monotonic() - began < 10
    assert folder.written == []


def test_an_interrupted_film_plays_as_far_as_it_came(folder: RunFolder, tmp_path: Path) -> None:
    long = output.Video(folder, Heard())
    for number in range(5):
        long(levels(number))
        if number == 1:
            state = long.state_dict()
    short = output.Video(folder, Heard())
    short.load_state_dict(state)
    short.close()
    assert order(folder.path("film.mp4")) == [0, 1]
    assert digest(folder.path("film.mp4")) == digest(made(tmp_path / "a", 2))


def test_a_killed_run_taken_up_again_ends_with_the_same_bytes(folder: RunFolder, tmp_path: Path) -> None:
    first = output.Video(folder, Heard())
    for number in range(3):
        first(levels(number))
    state = first.state_dict()
    first(levels(9))  # after the checkpoint, and not again
    first.close()  # interrupted
    second = output.Video(folder, Heard())
    second.load_state_dict(state)
    for number in range(3, 6):
        second(levels(number))
    second.close()
    assert digest(folder.path("film.mp4")) == digest(made(tmp_path / "a", 6))


@pytest.mark.parametrize("part", [Part(), Part(3, 5)])
def test_a_film_without_frames_is_not_written(part: Part, folder: RunFolder) -> None:
    output.Video(folder, Heard(), part).close()
    assert folder.written == []


@every_kind
def test_a_folder_with_a_percent_sign_is_no_pattern(kind: str, tmp_path: Path) -> None:
    assert made(tmp_path / "50%d", 2, **FILMS[kind]).is_file()
