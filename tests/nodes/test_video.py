"""Films as input, held against PyAV's decoding of the same files."""

import math
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
import torch
from torch import Tensor

from t2iflow.nodes import images, video
from t2iflow.nodes.core.ambient import Tick
from t2iflow.nodes.core.ffmpeg import ffmpeg
from t2iflow.nodes.film import decoder
from tests.nodes.conftest import Heard

Made = Callable[..., Path]
CODED = {
    "mp4": "-c:v libx264 -bf 3 -g 8 -pix_fmt yuv420p",
    "mov": "-c:v mjpeg -q:v 2",
    "mkv": "-c:v libx264 -bf 3 -g 8 -output_ts_offset 1.5",
    "webm": "-c:v libvpx-vp9 -cpu-used 8",
    "avi": "-c:v mpeg4 -bf 2 -q:v 2",
    "gif": "",
}
BEEP = ["-f", "lavfi", "-i", "sine=440:d=1.5"]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Make a film of a second, each of its 24 pictures another colour."""

    def make(name: str, *options: str, source: str = "s=64x48:r=24:d=1", sound: bool = False) -> Path:
        path = tmp_path / name
        colours = f"nullsrc={source},geq=r='N*10':g='250-N*10':b='X*4'"
        start = [ffmpeg(), "-v", "error", "-f", "lavfi", "-i", colours, *(BEEP if sound else [])]
        subprocess.run([*start, *(options or CODED[path.suffix[1:]].split()), str(path)], check=True)
        return path

    return make


def frames(path: Path, notes: Heard, **settings: Any) -> video.Frames:
    return video.Frames(torch.device("cpu"), notes, file=str(path), **settings)


def known(path: Path) -> tuple[list[Tensor], list[float]]:
    """The pictures that PyAV finds, and when each is due, counted from the film's start."""
    with av.open(str(path)) as film:
        start = (film.start_time or 0) / 1e6
        read = [(torch.from_numpy(one.to_ndarray(format="rgb24")), float(one.time)) for one in film.decode(video=0)]
    return [picture for picture, _ in read], [time - start for _, time in read]


def which(image: Tensor, pictures: list[Tensor]) -> int:
    """The number of the picture that this is."""
    levels = (image[0].permute(1, 2, 0) * 255).round()
    away = [float((levels - picture).abs().mean()) for picture in pictures]
    assert min(away) < 1
    return away.index(min(away))


@pytest.mark.parametrize("suffix", CODED)
def test_each_picture_comes_in_turn(suffix: str, made: Made, notes: Heard) -> None:
    pictures, _ = known(path := made(f"clip.{suffix}"))
    film = frames(path, notes)
    assert len(pictures) == 24
    assert [which(film(Tick(frame=frame, frames=24)).image, pictures) for frame in range(24)] == list(range(24))
    film.close()


@pytest.mark.parametrize("fps", [7, 24, 25, 60])
@pytest.mark.parametrize("start", [0.0, 0.31, 0.5])
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "gif"])
def test_at_another_rate_the_picture_is_the_last_that_is_due(
    suffix: str, start: float, fps: int, made: Made, notes: Heard
) -> None:
    pictures, times = known(path := made(f"clip.{suffix}"))
    film = frames(path, notes, fps=fps, start=start)
    moments = [start + frame / fps for frame in range(math.ceil((1 - start) * fps))]
    due = [max(0, sum(time <= moment + 0.001 for time in times) - 1) for moment in moments]
    assert [which(film(Tick(frame=frame)).image, pictures) for frame in range(len(due))] == due
    film.close()


def test_a_film_of_uneven_times_is_read_by_the_clock(made: Made, notes: Heard) -> None:
    uneven = r"select=lt(n\,12)+not(mod(n\,4))"
    path = made("clip.mkv", "-vf", uneven, "-fps_mode", "vfr", "-c:v", "ffv1")
    pictures, times = known(path)
    assert times[11:] == pytest.approx([11 / 24, 12 / 24, 16 / 24, 20 / 24], abs=0.001)
    film = frames(path, notes, fps=12)
    assert [which(film(Tick(frame=frame)).image, pictures) for frame in range(11)] == [
        0,
        2,
        4,
        6,
        8,
        10,
        12,
        12,
        13,
        13,
        14,
    ]
    film.close()


def test_what_is_before_the_start_is_left_out(made: Made, notes: Heard) -> None:
    pictures, _ = known(path := made("clip.mp4"))
    film = frames(path, notes, start=0.5)
    assert [which(film(Tick(frame=frame)).image, pictures) for frame in range(3)] == [12, 13, 14]
    film.close()


@pytest.mark.parametrize("name", ["clip.ts", "clip.m2ts", "clip.mpg"])
@pytest.mark.parametrize("start", [0.1, 0.5, 0.9])
def test_a_start_is_found_in_films_without_an_index(name: str, start: float, made: Made, notes: Heard) -> None:
    coded = ["-c:v", "mpeg2video", "-q:v", "2", "-g", "12", *(["-mpegts_m2ts_mode", "1"] if "m2ts" in name else [])]
    pictures, times = known(path := made(name, *coded))
    film = frames(path, notes, start=start)
    assert which(film(Tick()).image, pictures) == sum(time < start - 0.001 for time in times)
    film.close()


def test_frames_may_be_skipped_asked_again_and_gone_back_to(made: Made, notes: Heard) -> None:
    pictures, _ = known(path := made("clip.mp4"))
    film = frames(path, notes)
    asked = [0, 0, 5, 10, 10, 3, 23, 0]
    assert [which(film(Tick(frame=frame)).image, pictures) for frame in asked] == asked
    film.close()


def test_a_resumed_run_goes_on_at_the_same_picture(made: Made, notes: Heard) -> None:
    path = made("clip.mp4")
    first, second = frames(path, notes, fps=30), frames(path, notes, fps=30)
    for frame in range(17):
        image = first(Tick(frame=frame)).image
    assert torch.equal(image, second(Tick(frame=16)).image)
    first.close()
    second.close()


def test_after_the_end_the_last_picture_stays_and_that_is_said_once(made: Made, notes: Heard) -> None:
    pictures, _ = known(path := made("clip.mp4"))
    film = frames(path, notes)
    assert [which(film(Tick(frame=frame)).image, pictures) for frame in (23, 24, 30)] == [23, 23, 23]
    assert notes.said == ["`clip.mp4` ends after 24 pictures; the last stays"]
    assert not notes.warned
    film.close()


def test_a_size_is_made_as_resize_makes_it(made: Made, notes: Heard) -> None:
    path = made("clip.mp4")
    own, filled, squeezed = (
        frames(path, notes, **settings)(Tick()).image
        for settings in ({}, {"size": (20, 20)}, {"size": (20, 20), "fit": "squeeze"})
    )
    assert own.shape == (1, 3, 48, 64)
    assert torch.equal(filled, images.resize(own, size=(20, 20)))
    assert torch.equal(squeezed, images.resize(own, size=(20, 20), fit="squeeze"))


def test_a_film_held_upright_is_turned(made: Made, notes: Heard, tmp_path: Path) -> None:
    pictures, _ = known(path := made("clip.mp4"))
    turned = tmp_path / "phone.mp4"
    command = [ffmpeg(), "-v", "error", "-display_rotation", "90", "-i", str(path), "-c", "copy", str(turned)]
    subprocess.run(command, check=True)
    film = frames(turned, notes)
    image = film(Tick(frame=4)).image
    assert image.shape == (1, 3, 64, 48)
    assert which(image.rot90(-1, (2, 3)), pictures) == 4
    assert decoder.about(str(turned)).size == (48, 64)
    film.close()


def test_what_a_film_is_can_be_told(made: Made) -> None:
    silent, loud = made("clip.mp4"), made("loud.webm", *CODED["webm"].split(), sound=True)
    assert str(decoder.about(str(silent))) == "64 x 48, 24 fps, 24 frames, without sound"
    about = decoder.about(str(loud))
    assert str(about) == "64 x 48, 24 fps, 24 frames, with sound"
    assert about.sound == pytest.approx(1.5, abs=0.05)


def test_no_program_is_left_when_a_film_is_closed_or_let_go(made: Made, notes: Heard) -> None:
    path = made("clip.mkv", "-c:v", "ffv1", source="s=640x480:r=24:d=1")  # more than a pipe holds
    children = Path("/proc/thread-self/children")
    if not children.exists():
        pytest.skip("this system does not tell of a program's children")
    others = children.read_text().split()
    closed, dropped = frames(path, notes), frames(path, notes)
    assert len({*children.read_text().split()} - {*others}) == 2
    closed.close()
    del dropped
    assert {*children.read_text().split()} <= {*others}


def test_a_sound_is_refused_when_the_node_is_made(notes: Heard, tmp_path: Path) -> None:
    song = tmp_path / "song.mp4"
    subprocess.run([ffmpeg(), "-v", "error", *BEEP, "-c:a", "aac", str(song)], check=True)
    with pytest.raises(ValueError, match=r"`song.mp4` has no pictures, only sound; .* needed: MP4, MOV"):
        frames(song, notes)


def test_a_start_after_the_end_is_refused(made: Made, notes: Heard) -> None:
    with pytest.raises(ValueError, match="it is damaged, or ends before `start`"):
        frames(made("clip.mp4"), notes, start=5.0)


def test_a_damaged_film_is_refused(made: Made, notes: Heard) -> None:
    path = made("clip.mp4")
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(ValueError, match=r"no picture in `clip.mp4`: it is damaged.*ffmpeg: "):
        frames(path, notes)


def test_of_a_film_cut_short_what_is_there_is_read_and_the_rest_warned_of(made: Made, notes: Heard) -> None:
    pictures, _ = known(path := made("clip.mp4", "-c:v", "libx264", "-movflags", "faststart"))
    path.write_bytes(path.read_bytes()[:-600])
    film = frames(path, notes)
    assert which(film(Tick(frame=3)).image, pictures) == 3
    film(Tick(frame=23))
    assert len(notes.warned) == 1
    assert notes.warned[0].startswith("`clip.mp4` is damaged: only ")
    film.close()


def test_a_list_that_names_other_files_is_no_film(made: Made, notes: Heard, tmp_path: Path) -> None:
    made("clip.mp4")
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile clip.mp4\n")
    with pytest.raises(ValueError, match=r"`list.mp4` is not a film; MP4, MOV"):
        frames(tmp_path / "list.mp4", notes)


def test_a_film_that_is_not_there_is_refused(notes: Heard, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no file"):
        frames(tmp_path / "nowhere.mp4", notes)
