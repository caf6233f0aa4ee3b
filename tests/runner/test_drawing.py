"""A run of strokes leaves a drawing, which carries its recipe; a film of strokes is made of them, too."""

from pathlib import Path

import pytest

from tests.runner.conftest import STILL, Command

DRAWING = STILL.replace(
    "canvas.pixels, size: [24, 24]", "strokes.canvas, size: [24, 24], count: 6, width: 0.1"
).replace("  still:", "  paths:  {use: output.vector, strokes: $canvas.strokes}\n  still:")


def drawing(folder: Path | None) -> str:
    assert folder
    return (folder / "drawing.svg").read_text("utf-8")


def test_a_run_leaves_the_strokes_of_its_last_step_once(command: Command) -> None:
    told = command("run", DRAWING, "--json")
    assert told.code == 0, told.err
    assert told.out.count("drawing.svg") == 1
    other = command("run", DRAWING, "--set", "steps=5")
    paths = [drawing(one.folder).partition("<g")[2] for one in (told, other)]
    assert paths[0].count("<path") == 6
    assert paths[0] != paths[1]


def test_a_drawing_is_made_again_to_the_byte(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = command("run", DRAWING)
    assert first.folder
    again = command("run", str(first.folder / "drawing.svg"))
    assert again.code == 0, again.err
    assert drawing(again.folder).partition("<rect")[2] == drawing(first.folder).partition("<rect")[2]


def test_a_camera_moves_strokes_and_the_last_frame_is_drawn(command: Command) -> None:
    film = DRAWING.replace(
        "  still:",
        "  zoom: {use: camera.zoom, image: $fit, frames: 3, steps: 1, scale: 1.2}\n"
        "  film: {use: output.video, image: $zoom, file: film.gif}\n  still:",
    )
    told = command("run", film)
    assert told.code == 0, told.err
    assert drawing(told.folder) != drawing(command("run", DRAWING).folder)
