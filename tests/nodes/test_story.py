"""Stories: scenes over the frames of a film."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from t2iflow.nodes import clip
from t2iflow.nodes.core.ambient import Notes, Tick
from t2iflow.nodes.core.signature import read_spec
from t2iflow.nodes.perceptors.interface import Wanted
from tests.nodes.conftest import Glance, Heard

SCENES = ["a forest", "a village", "the sea"]


class Counting(Glance):
    """A perceptor that counts how often it reads, and knows what stands side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    def encode_texts(self, texts: list[str], notes: Notes) -> Tensor:
        self.read += texts
        return super().encode_texts(texts, notes)

    def things(self, text: str) -> list[str]:
        return text.split(" and ")


@pytest.fixture
def asked(glance: Glance, notes: Heard) -> Any:
    """What a prompt alone asks for."""

    def ask(prompt: Any) -> Wanted:
        return clip.text(glance, notes, prompt=prompt)

    return ask


@pytest.fixture
def story(glance: Glance, notes: Heard) -> Any:
    def tell(scenes: Any = None, **settings: Any) -> clip.Story:
        spec = read_spec(clip.Story, "clip")
        given = {name: spec.settings[name].adapter.validate_python(value) for name, value in settings.items()}
        return clip.Story(glance, notes, scenes=scenes, **given)

    return tell


def same(one: Wanted, other: Wanted) -> bool:
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in ("embeddings", "weights", "stops"))


def part(wanted: Wanted, before: Wanted, after: Wanted) -> float:
    """How far something is from one scene to another, by its angles to both."""
    angles = [float((wanted.embeddings[0] @ scene.embeddings[0]).clamp(max=1).acos()) for scene in (before, after)]
    return angles[0] / sum(angles)


def at(frame: int, frames: int) -> Tick:
    return Tick(frame=frame, frames=frames, shown=frame)


def film(frames: int, *which: int) -> list[Tick]:
    return [at(frame, frames) for frame in which or range(frames)]


def test_a_scene_is_held_and_passes_into_the_next(story: Any, asked: Any) -> None:
    tale, scenes = story(SCENES, hold=4, fade=3), [asked(scene) for scene in SCENES]
    for frame, scene in {0: 0, 3: 0, 7: 1, 10: 1, 14: 2, 17: 2}.items():
        assert same(tale(at(frame, 18)), scenes[scene])
    fading = [part(tale(tick), scenes[0], scenes[1]) for tick in film(18, 4, 5, 6)]
    assert 0.05 < fading[0] < 0.25
    assert fading[1] == pytest.approx(0.5, abs=0.01)
    assert fading[0] == pytest.approx(1 - fading[2], abs=0.01)


def test_what_is_between_two_scenes_lies_on_the_sphere(story: Any) -> None:
    wanted = story(SCENES, hold=4, fade=3)(at(5, 18))
    assert wanted.embeddings.norm(dim=-1).tolist() == pytest.approx([1.0])


def test_without_hold_the_scenes_share_the_film(story: Any, asked: Any, notes: Heard) -> None:
    tale, scenes = story(SCENES, fade=10), [asked(scene) for scene in SCENES]
    held = [sum(same(tale(tick), scene) for tick in film(80)) for scene in scenes]
    assert held == [20, 20, 20]
    assert same(tale(at(79, 80)), scenes[2])
    assert not notes.warned


def test_without_either_a_fade_is_half_of_a_hold(story: Any, asked: Any, notes: Heard) -> None:
    tale, scenes = story(SCENES), [asked(scene) for scene in SCENES]
    assert [sum(same(tale(tick), scene) for tick in film(80)) for scene in scenes] == [20, 20, 20]
    assert not notes.warned


def test_a_fade_of_nothing_is_a_cut(story: Any, asked: Any) -> None:
    tale, scenes = story(SCENES, fade=0), [asked(scene) for scene in SCENES]
    assert [[same(tale(tick), scene) for scene in scenes].index(True) for tick in film(9)] == [
        0,
        0,
        0,
        1,
        1,
        1,
        2,
        2,
        2,
    ]


def test_the_last_scene_stays(story: Any, asked: Any) -> None:
    tale = story(SCENES, hold=4, fade=3)
    assert all(same(tale(tick), asked("the sea")) for tick in film(100, 18, 40, 99))


def test_in_a_loop_the_first_scene_comes_again(story: Any, asked: Any, notes: Heard) -> None:
    tale, scenes = story(SCENES, hold=4, fade=3, loop=True), [asked(scene) for scene in SCENES]
    assert same(tale(at(21, 50)), scenes[0])
    assert same(tale(at(28, 50)), scenes[1])
    between = tale(at(19, 50)).embeddings[0]
    assert between @ scenes[0].embeddings[0] == pytest.approx(float(between @ scenes[2].embeddings[0]), abs=1e-3)
    assert not notes.warned


def test_a_loop_without_hold_closes_with_the_film(story: Any, asked: Any) -> None:
    tale, scenes = story(SCENES, fade=5, loop=True), [asked(scene) for scene in SCENES]
    assert [sum(same(tale(tick), scene) for tick in film(60)) for scene in scenes] == [15, 15, 15]
    last = tale(at(59, 60)).embeddings[0]
    assert last @ scenes[0].embeddings[0] > last @ scenes[2].embeddings[0]
    # The frames with which a film closes come after its last.
    assert same(tale(at(60, 60)), scenes[0])


def test_without_a_camera_a_story_goes_over_steps(story: Any, asked: Any) -> None:
    tale = story(SCENES, fade=0)
    assert [same(tale(Tick(step, 9)), asked("a village")) for step in range(9)] == [False] * 3 + [True] * 3 + [
        False
    ] * 3


def test_under_a_camera_the_steps_of_a_frame_change_nothing(story: Any) -> None:
    tale = story(SCENES, hold=1, fade=5)
    first, last = (tale(Tick(step, 8, frame=3, frames=20, shown=3)) for step in (0, 7))
    assert same(first, last)


def test_a_film_of_one_frame_shows_the_first_scene(story: Any, asked: Any) -> None:
    tale = story(SCENES)
    assert all(same(tale(Tick(step, 8, shown=0)), asked(SCENES[0])) for step in (0, 7))


def test_a_scene_may_be_all_that_a_prompt_may_be(story: Any, asked: Any) -> None:
    scenes = [{"a fox": 1.0, "rain": -0.5}, "an owl", ["a fox", "an owl"]]
    tale = story(scenes, hold=2, fade=2)
    assert same(tale(at(0, 10)), asked(scenes[0]))
    assert same(tale(at(8, 10)), asked(scenes[2]))
    assert tale(at(2, 10)).weights.tolist() == pytest.approx([20 / 27, -10 / 27, 7 / 27], abs=1e-4)


def test_scenes_are_read_once_and_composed_as_in_text(notes: Heard) -> None:
    perceptor = Counting()
    tale = clip.Story(perceptor, notes, scenes=["a fox and an owl", "the sea"], hold=2, fade=2)
    for tick in film(6):
        wanted = tale(tick)
    assert perceptor.read == ["a fox", "an owl", "the sea"]
    assert tale(at(0, 6)).spans is not None
    assert wanted.spans is None


def test_a_film_that_is_too_short_is_told_once_what_the_story_needs(story: Any, notes: Heard) -> None:
    tale = story(SCENES, hold=40, fade=20)
    for tick in film(100):
        tale(tick)
    assert notes.warned == ["the story needs 160 frames for its 3 scenes, but there are 100"]


def test_fades_alone_may_be_too_long(story: Any, notes: Heard) -> None:
    story(SCENES, fade=20)(Tick(0, 30))
    assert notes.warned == ["the story needs 40 steps for its 3 scenes, but there are 30"]


def test_a_story_of_a_file_has_a_scene_a_line(story: Any, asked: Any, tmp_path: Path) -> None:
    path = tmp_path / "story.txt"
    lines = "\ufeff# a comment\r\na forest\r\n\r\n  a village: at dusk | rain : -0.5 | rain:-.25|fog\r\nthe sea:2\r\n"
    path.write_bytes(lines.encode())
    tale = story(file=str(path), fade=0)
    told = [tale(tick) for tick in film(3)]
    for wanted, prompt in zip(
        told, ["a forest", {"a village: at dusk": 1.0, "rain": -0.75, "fog": 1.0}, {"the sea": 2.0}], strict=True
    ):
        assert same(wanted, asked(prompt))


def test_a_time_in_a_file_is_no_weight_and_a_stop_is_one(story: Any, asked: Any, tmp_path: Path) -> None:
    (tmp_path / "story.txt").write_text("a clock that shows 10:30\nit says: 10:30\nthe sea:2:0.4\n")
    tale = story(file=str(tmp_path / "story.txt"), fade=0)
    told = [tale(tick) for tick in film(3)]
    for wanted, text in zip(told, ["a clock that shows 10:30", "it says: 10:30"], strict=False):
        assert same(wanted, asked({text: 1.0}))
    assert (told[2].weights.tolist(), told[2].stops.tolist()) == ([2.0], pytest.approx([0.4]))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "`story.txt` has no scenes; write one per line"),
        ("# only a comment\n\n", "`story.txt` has no scenes; write one per line"),
        (
            "a fox\nan owl || the sea\n",
            "line 2: a prompt needs words before its weight and on both sides of ` | `; scenes are",
        ),
        ("a fox | :2", "line 1: a prompt needs words"),
        ("a fox\n\nrain:1 | rain:-1\n", "line 3: 'rain' has weight 0, so it does nothing"),
    ],
)
def test_mistakes_in_a_file_are_told_with_their_line(text: str, fault: str, story: Any, tmp_path: Path) -> None:
    (tmp_path / "story.txt").write_text(text)
    with pytest.raises(ValueError, match=re.escape(fault)):
        story(file=str(tmp_path / "story.txt"))
