"""Films go from the recipe through the runner to frames that are where they should be, and to the same bytes."""

import json
import signal
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from PIL import Image as pictures
from torch import Tensor

from t2iflow.nodes.pictures.codec import to_tensor
from t2iflow.nodes.pictures.motion import Affine
from t2iflow.nodes.pictures.resampling import grid
from tests.runner.conftest import COPY, Command, Told, finished_alone, signalled

FILM = """
t2iflow: 1
title: A film of noise
params: {length: 30}
nodes:
  photo:  {use: images.noise, size: [24, 24], kind: fractal}
  canvas: {use: canvas.pixels, size: [24, 24]}
  same:   {use: losses.reference, image: $canvas, reference: $photo}
  fit:    {use: optimizers.adam, image: $canvas, loss: $same, rate: {0: 0.2, 100%: 0.05}, steps: 4}
  zoom:   {use: camera.zoom, image: $fit, frames: $length, steps: 2, scale: {0: 1, 10: 1.05, 100%: 1}, turn: 1}
  film:   {use: output.video, image: $zoom}
  sheet:  {use: output.strip, image: $zoom, columns: 10}
"""
"""A film in a second, with each of its frames in a strip."""

STILL = FILM.replace("turn: 1", "rate: 0").replace("{0: 1, 10: 1.05, 100%: 1}", "SCALE")
"""Nothing is learned after the first frame: what moves it is the camera alone."""


def frames(told: Told | Path, columns: int = 10) -> list[Tensor]:
    """The frames in a run's strip, (3, h, w) each."""
    folder = told if isinstance(told, Path) else told.folder
    assert folder, told
    with pictures.open(folder / "strip.png") as sheet:
        side = sheet.width // columns
        parts = [
            to_tensor(sheet.crop((left, top, left + side, top + side)))
            for top in range(0, sheet.height, side)
            for left in range(0, sheet.width, side)
        ]
    return [part.reshape(3, side, side) for part in parts]


def difference(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().mean())


def test_an_optimiser_that_carries_nothing_starts_afresh_where_nothing_moves(command: Command) -> None:
    still = FILM.replace(", scale: {0: 1, 10: 1.05, 100%: 1}, turn: 1", "").replace("camera.zoom", "camera.still")
    kept = frames(command("run", still, "--set", "length=3"), 3)
    fresh = frames(command("run", still, "--set", "length=3", "--set", "zoom.carry=false"), 3)
    assert torch.equal(kept[0], fresh[0])
    assert not torch.equal(kept[1], fresh[1])


def told_of(folder: Path, what: str) -> list[dict[str, object]]:
    """All events of one kind."""
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text("utf-8").splitlines()]
    return [event for event in events if event["type"] == what]


# Where things are


def test_a_camera_moves_what_the_film_shows_to_within_half_a_pixel_of_where_it_should_be(
    command: Command, tmp_path: Path
) -> None:
    dots = torch.tensor([(-0.3, -0.2), (0.2, 0.35), (0.05, -0.3)], dtype=torch.float64)
    places = grid((96, 96))
    drawn = torch.stack([torch.exp(-(places - dot).square().sum(-1) / (2 * 0.05**2)) for dot in dots])
    pictures.fromarray((drawn.permute(1, 2, 0) * 255).round().byte().numpy()).save(tmp_path / "dots.png")
    recipe = (
        STILL.replace("images.noise, size: [24, 24], kind: fractal", "images.load, file: dots.png")
        .replace("canvas.pixels, size: [24, 24]", "canvas.pixels, size: [96, 96], init: $photo")
        .replace("SCALE", str(2 ** (1 / 29)))
    )
    for number, frame in enumerate(frames(command("run", recipe))):
        expected = dots * 2 ** (number / 29)
        bright = (frame.double() - 0.02).clamp(min=0)
        found = (bright[..., None] * places).sum((1, 2)) / bright.sum((1, 2))[:, None]
        assert float((found - expected).norm(dim=-1).max()) * 48 < 0.5, number


def test_a_camera_that_stands_still_and_learns_nothing_shows_one_picture(command: Command) -> None:
    first, *others = frames(command("run", STILL.replace("SCALE", "1")))
    assert all(torch.equal(first, other) for other in others)


def test_frames_go_on_learning(command: Command) -> None:
    told = command(
        "run", FILM.replace("camera.zoom", "camera.still").replace(", scale: {0: 1, 10: 1.05, 100%: 1}, turn: 1", "")
    )
    photo = command("run", COPY.replace("canvas: {use: canvas.pixels", "canvas: {use: canvas.pixels, init: $photo"))
    assert photo.folder
    with pictures.open(photo.folder / "picture.png") as wanted:
        far = [difference(frame, to_tensor(wanted)[0]) for frame in frames(told)]
    assert far[5] < far[0]
    assert far[-1] < far[5]


def test_the_first_frame_is_the_picture_that_the_optimiser_ends_with(command: Command) -> None:
    told = command("run", FILM)
    alone = command(
        "run",
        FILM.replace("  film: ", "  still:  {use: output.image, image: $fit}\n  film: ").replace(
            "length: 30", "length: 1"
        ),
    )
    assert told.folder
    assert alone.folder
    with pictures.open(alone.folder / "picture.png") as picture:
        assert torch.equal(to_tensor(picture)[0], frames(told)[0])
    assert len(told_of(told.folder, "filmed")) == 30
    assert [event["steps"] for event in told_of(told.folder, "fitting")] == [4 + 29 * 2]


def test_what_is_wired_to_the_optimiser_itself_gets_the_last_frame(command: Command) -> None:
    told = command("run", FILM.replace("  film: ", "  still:  {use: output.image, image: $fit}\n  film: "))
    assert told.folder
    with pictures.open(told.folder / "picture.png") as picture:
        assert torch.equal(to_tensor(picture)[0], frames(told)[-1])


def test_nodes_between_a_camera_and_an_output_run_once_a_frame(command: Command) -> None:
    grey = FILM.replace(
        "  sheet:  {use: output.strip, image: $zoom",
        "  small:  {use: images.resize, image: $zoom, size: [12, 12]}\n  sheet:  {use: output.strip, image: $small",
    )
    assert frames(command("run", grey))[3].shape == (3, 12, 12)


def test_every_of_an_output_counts_frames_and_every_of_a_camera_leaves_frames_out(command: Command) -> None:
    told = command("run", FILM.replace("columns: 10", "columns: 10, every: 3"))
    assert len(frames(told)) == 10
    rest = STILL.replace("SCALE", "1.02")
    all_of_them, fifth = command("run", rest), command("run", rest, "--set", "zoom.every=5")
    for one, other in zip(frames(all_of_them)[::5], frames(fifth, 6), strict=True):
        assert difference(one[:, 2:-2, 2:-2], other[:, 2:-2, 2:-2]) < 0.01


# Stopped, in part, and as a draft


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nothing stopped."""
    return finished_alone(tmp_path_factory.mktemp("unbroken"), FILM)


def check_same(run: Path, unbroken: Path) -> None:
    for name in ("film.mp4", "strip.png", "recipe.yaml"):
        assert (run / name).read_bytes() == (unbroken / name).read_bytes(), name
    assert sorted(path.name for path in run.iterdir()) == sorted(path.name for path in unbroken.iterdir())


def test_a_film_killed_in_frame_17_of_30_ends_with_the_same_bytes(
    unbroken: Path, tmp_path: Path, command: Command
) -> None:
    run = signalled(tmp_path, FILM, signal.SIGKILL, lambda event: event.get("frame") == 16)
    assert not (run / "film.mp4").exists()
    told = command("resume", str(run))
    assert told.code == 0, told.err
    check_same(run, unbroken)
    made = [event["frame"] for event in told_of(run, "filmed")]
    assert made == [*range(30)] or made == [*range(17), *range(16, 30)]  # the one that was being written, again


def test_a_part_of_a_film_is_made_and_then_the_rest(unbroken: Path, command: Command) -> None:
    part = command("run", FILM, "--frames", "3..9")
    assert part.code == 0, part.err
    assert part.folder
    assert len(told_of(part.folder, "filmed")) == 10
    assert (part.folder / "film.mp4").is_file()
    assert "resume" in part.err + part.out
    assert command("resume", str(part.folder)).code == 0
    check_same(part.folder, unbroken)


@pytest.mark.parametrize("where", ["the film", "the camera"])
@pytest.mark.parametrize(("part", "shown"), [("0..9", 4), ("9..20", 4), ("27..", 1), ("3", 1), ("..0", 1)])
def test_a_part_counts_the_frames_that_a_film_leaves_out(part: str, shown: int, where: str, command: Command) -> None:
    place = {"the film": "output.video,", "the camera": "frames: $length,"}[where]
    told = command("run", FILM.replace(place, f"{place} every: 3,"), "--frames", part, "--set", "film.file=f%03d.png")
    assert told.code == 0, told.err
    assert told.folder
    first = int(part.partition("..")[0] or 0)
    names = [f"f{number:03d}.png" for number in range(first // 3, first // 3 + shown)]
    assert sorted(path.name for path in told.folder.glob("f0*.png")) == names
    assert command("run", FILM.replace(place, f"{place} every: 3,"), "--frames", "28..29").code == 2


@pytest.mark.parametrize("wrong", ["9" * 5000, f"0..{'9' * 5000}", "9..3", "a", "-1..4", "30..50", ""])
def test_a_part_that_is_none_is_refused(wrong: str, command: Command) -> None:
    told = command("run", FILM, f"--frames={wrong}")
    assert told.code == 2
    assert "frames" in told.err


def test_a_draft_is_small_and_of_every_fifth_frame(command: Command) -> None:
    big = FILM.replace("[24, 24]", "[256, 192]").replace("strip, image: $zoom", "strip, image: $zoom, quality: 95")
    told = command("run", big, "--draft")
    assert told.code == 0, told.err
    assert told.folder
    assert len(told_of(told.folder, "filmed")) == 6
    with pictures.open(told.folder / "strip.png") as sheet:
        assert sheet.size == (6 * 128, 96)


def test_a_recipe_without_a_camera_has_no_part(command: Command) -> None:
    told = command("run", COPY, "--frames", "3..9")
    assert told.code == 2
    assert "no camera" in told.err


# What cameras can


def test_a_film_that_closes_goes_from_its_last_frame_to_its_first_as_between_any_others(command: Command) -> None:
    recipe = FILM.replace("{0: 1, 10: 1.05, 100%: 1}, turn: 1", "1.03, turn: 2, loop: 8").replace(
        "steps: 4", "steps: 40"
    )
    shown = frames(command("run", recipe))
    assert len(shown) == 30
    neighbours = sorted(difference(one, other) for one, other in pairwise(shown))
    assert difference(shown[-1], shown[0]) <= neighbours[len(neighbours) // 2]
    opened = frames(command("run", recipe.replace(", loop: 8", "")))
    assert difference(opened[-1], opened[0]) > 3 * difference(shown[-1], shown[0])


def test_a_loop_longer_than_half_the_film_is_refused(command: Command) -> None:
    told = command("check", FILM.replace("turn: 1", "loop: 16"))
    assert told.code == 3
    assert "at most half" in told.err


def test_a_film_of_which_one_frame_is_made_needs_no_closing(command: Command) -> None:
    told = command("run", FILM.replace("turn: 1", "turn: 1, loop: 2, every: 5").replace("length: 30", "length: 5"))
    assert told.code == 0, told.err
    assert told.folder
    assert len(told_of(told.folder, "filmed")) == 1


def test_an_infinite_zoom_is_as_sharp_after_seven_doublings_as_in_the_beginning(command: Command) -> None:
    recipe = (
        FILM.replace("length: 30", "length: 120")
        .replace("{0: 0.2, 100%: 0.05}, steps: 4", "0.1, steps: 30")
        .replace("[24, 24]", "[48, 48]")
        .replace("camera.zoom", "camera.infinite")
        .replace("steps: 2, scale: {0: 1, 10: 1.05, 100%: 1}, turn: 1", "steps: 30, scale: 1.04")
        .replace("columns: 10", "columns: 12")
    )
    shown = frames(command("run", recipe), 12)
    assert len(shown) == 120
    sharp = [float(frame.diff(dim=-1).square().mean() + frame.diff(dim=-2).square().mean()) for frame in shown]
    doubling = 18  # frames, about
    assert sum(sharp[-doubling:]) > 0.9 * sum(sharp[:doubling])
    zoomed = [difference(Affine(scale=1.04)(one[None])[0], other) for one, other in pairwise(shown)]
    changed = [difference(one, other) for one, other in pairwise(shown)]
    assert sum(zoomed) < 0.6 * sum(changed)
    assert max(zoomed) < 2 * sum(changed) / len(changed)  # nowhere a jump


def test_holding_on_to_the_moved_last_frame_makes_a_film_steadier(command: Command) -> None:
    loose = FILM.replace("{0: 1, 10: 1.05, 100%: 1}, turn: 1", "1.05, rate: 0.05")
    held = loose.replace("rate: 0.05", "rate: 0.05, hold: 20")

    def flicker(recipe: str) -> float:
        shown = frames(command("run", recipe))
        motion = Affine(scale=1.05)
        return sum(difference(motion(one[None])[0], other) for one, other in pairwise(shown))

    assert flicker(held) < 0.7 * flicker(loose)


def test_edge_steps_change_only_what_has_newly_come_in(command: Command) -> None:
    panned = STILL.replace("SCALE", "1, pan: [0.25, 0], border: '#000000'").replace(
        "rate: 0", "rate: 0.05, edge_steps: 6"
    )
    panned = (
        panned.replace("steps: 2", "steps: 1").replace("length: 30", "length: 2").replace("columns: 10", "columns: 2")
    )
    told = command("run", panned)
    first, second = frames(told, 2)
    assert difference(second[:, :, :18], first[:, :, 6:]) < 0.06
    assert float(second[:, :, 18:].mean()) > 0.2  # from black towards the picture, in 7 steps of at most 0.05
    assert told.folder
    assert [event["steps"] for event in told_of(told.folder, "fitting")] == [4 + 7]


@pytest.mark.parametrize(
    "motion", ["pan: [0.09, 0]", "pan: [0, -0.09]", "scale: 0.9", "scale: {0: 1, 1: 0.8, 2: 1, 3: 1}"]
)
def test_what_has_come_into_view_in_frames_left_out_is_painted_too(motion: str, command: Command) -> None:
    still = (
        STILL.replace("scale: SCALE, ", f"{motion}, every: 3, border: '#000000', move: picture, ")
        .replace("steps: 2", "steps: 1")
        .replace("length: 30", "length: 4")
        .replace("columns: 10", "columns: 2")
    )
    _, moved = frames(command("run", still), 2)
    _, painted = frames(command("run", still.replace("rate: 0}", "rate: 0.1, edge_steps: 6}")), 2)
    new = moved.amax(0) < 0.05
    assert new.any()
    assert (painted[:, new].amax(0) > 0.25).float().mean() > 0.9, "what has come into view was left nearly black"


def test_the_frames_of_a_film_can_be_started_from_another(command: Command, tmp_path: Path) -> None:
    colours = ["red", "lime", "blue", "white", "black"]
    first, *others = (pictures.new("RGB", (24, 24), colour) for colour in colours)
    first.save(tmp_path / "colours.gif", save_all=True, append_images=others, duration=100)
    recipe = (
        STILL.replace("SCALE", "1, start: $input")
        .replace("length: 30", "length: 5")
        .replace("columns: 10", "columns: 5")
    )
    recipe = recipe.replace("  film:", "  input:  {use: video.frames, file: colours.gif, size: [24, 24]}\n  film:")
    shown = frames(command("run", recipe), 5)
    reds = [frame.mean((1, 2)).round().tolist() for frame in shown[1:]]
    assert reds == [[0, 1, 0], [0, 0, 1], [1, 1, 1], [0, 0, 0]]


def test_what_is_painted_sticks_to_what_moves_in_a_film(command: Command, tmp_path: Path) -> None:
    """A film in which all goes two pixels to the left, and what is painted is its first picture turned to negative."""
    rough = torch.rand(1, 3, 12, 24, generator=torch.Generator().manual_seed(4))
    wide = torch.nn.functional.interpolate(rough, (48, 96), mode="bicubic").clamp(0, 1)
    shots = [wide[..., left : left + 48] for left in range(0, 20, 2)]
    first, *others = (pictures.fromarray((shot[0].permute(1, 2, 0) * 255).byte().numpy()) for shot in shots)
    first.save(tmp_path / "pan.png", save_all=True, append_images=others, duration=100)
    (tmp_path / "pan.png").rename(tmp_path / "pan.apng")
    pictures.eval(first, lambda level: 255 - level).save(tmp_path / "negative.png")
    recipe = (
        STILL.replace("camera.zoom", "camera.follow")
        .replace("scale: SCALE", "motion: $input.motion, start: $input, mix: 0.05")
        .replace("images.noise, size: [24, 24], kind: fractal", "images.load, file: negative.png")
        .replace("canvas.pixels, size: [24, 24]", "canvas.pixels, size: [48, 48], init: $photo")
        .replace("length: 30", "length: 10")
        .replace("  film:", "  input:  {use: video.frames, file: pan.apng}\n  film:")
    )
    told = command("run", recipe)
    assert told.code == 0, told.err
    last, wanted = frames(told)[-1], shots[-1][0]
    kept = 0.95**9
    expected = kept * (1 - wanted) + (1 - kept) * wanted
    within = slice(8, 28)  # what has always been in view, and not near an edge
    assert difference(last[:, 8:-8, within], expected[:, 8:-8, within]) < 0.03
    assert difference(last[:, :, -6:], wanted[:, :, -6:]) < 0.5 * difference(last[:, :, -6:], 1 - wanted[:, :, -6:])


def test_a_film_painted_with_codes_goes_on_from_what_the_last_frame_showed(command: Command) -> None:
    """Codes that are moved, and those that an encoder reads, paint something else than the moved picture."""
    recipe = (
        STILL.replace("SCALE", "1.03")
        .replace("canvas.pixels, size: [24, 24]", "vqgan.canvas, weights: small-vqgan, size: [64, 64], init: $photo")
        .replace("size: [24, 24], kind: fractal", "size: [64, 64], kind: fractal")
        .replace("length: 30", "length: 6")
        .replace("columns: 10", "columns: 6")
    )

    def jump(move: str) -> float:
        told = command("run", recipe, "--set", f"zoom.move={move}")
        shown = [frame[None] for frame in frames(told, 6)]
        return sum(difference(Affine(scale=1.03)(one), other) for one, other in pairwise(shown))

    assert jump("auto") < 0.3 * jump("picture")
