"""Two runs, pictures or recipes compared."""

import shutil
from pathlib import Path

import PIL.Image
import pytest

from tests.runner.conftest import COPY, Command
from tests.runner.test_inputs import PHOTO

RUNS = COPY.replace("steps: 6", "steps: 6, rate: 0.05").replace("rate: 0.05,", "rate: $rate,")


@pytest.fixture
def pair(command: Command) -> tuple[str, str]:
    """The folders of two runs, which differ in a param, a setting and the seed."""
    one = command("run", RUNS).folder
    other = command("run", RUNS, "--rate", "0.1", "--set", "photo.kind=gradient", "--seed", "3").folder
    return str(one), str(other)


def test_settings_that_differ_are_named_once(pair: tuple[str, str], command: Command) -> None:
    told = command("diff", *pair)
    assert told.code == 1
    assert told.out.splitlines()[:3] == [
        "seed        0 -> 3",
        "rate        0.05 -> 0.1",
        "photo.kind  fractal -> gradient",
    ]
    picture, film = told.out.splitlines()[3:]
    assert picture.startswith("picture.png: differs, by ")
    assert film.startswith("film.mp4: differs from picture ")


def test_what_is_the_same_ends_with_0_and_says_nothing_of_settings(pair: tuple[str, str], command: Command) -> None:
    one, _ = pair
    told = command("diff", one, f"{one}/picture.png")
    assert told.out == "picture.png: the same, byte for byte\n"
    assert told.code == 0
    assert command("bundle", one, "one.zip").code == 0
    told = command("diff", "one.zip", one)
    assert told.out == "film.mp4: the same, byte for byte\npicture.png: the same, byte for byte\n"
    assert told.code == 0
    told = command("diff", f"{one}/recipe.yaml", "mine.yaml")
    assert told.out == ""
    assert told.code == 0


def test_presets_and_defaults_are_resolved(command: Command) -> None:
    preset = COPY + "presets:\n  quick: {params: {steps: 2}, nodes: {fit: {rate: 0.2}, film: null}}\n"
    told = command("run", preset, "--preset", "quick")
    assert told.folder
    told = command("diff", "mine.yaml", str(told.folder))
    assert told.out == "steps     6 -> 2\nfit.rate  0.05 -> 0.2\nfilm      output.video -> (none)\n"
    written = COPY.replace("kind: fractal", "kind: fractal, roughness: 0.6").replace("$steps", "7")
    Path("other.yaml").write_text(written)
    assert command("diff", "mine.yaml", "other.yaml").out == "fit.steps  6 -> 7\n"


def test_a_node_that_is_another_is_not_compared_default_by_default(command: Command) -> None:
    Path("other.yaml").write_text(COPY.replace("optimizers.adam", "optimizers.sgd"))
    command("check", COPY)
    told = command("diff", "mine.yaml", "other.yaml")
    assert told.out == "fit.use  optimizers.adam -> optimizers.sgd\n"


def test_wires_that_differ_are_named(command: Command) -> None:
    Path("other.yaml").write_text(COPY.replace("image: $canvas, every: 2", "image: $fit"))
    command("check", COPY)
    assert command("diff", "mine.yaml", "other.yaml").out == "film.every  2 -> (none)\nfilm.image  $canvas -> $fit\n"


def test_versions_and_threads_are_compared_where_they_are_recorded(pair: tuple[str, str], command: Command) -> None:
    one, _ = pair
    shutil.copytree(one, "older")
    lock = Path("older/lock.yaml")
    lock.write_text(lock.read_text("utf-8").replace("  pillow: ", "  pillow: '0.1' # "), "utf-8")
    told = command("diff", "older", one)
    assert told.code == 1
    head, pillow, *_ = told.out.splitlines()
    assert head == "made with"
    assert pillow.startswith("  pillow  0.1 -> ")


def test_inputs_are_compared_by_what_is_in_them(tmp_path: Path, command: Command) -> None:
    (tmp_path / "pictures").mkdir()
    for name, colour in {"photo": "red", "second": "blue"}.items():
        PIL.Image.new("RGB", (8, 8), colour).save(tmp_path / "pictures" / f"{name}.png")
    one = command("run", PHOTO).folder
    PIL.Image.new("RGB", (8, 8), "lime").save(tmp_path / "pictures" / "second.png")
    other = command("run", PHOTO).folder
    told = command("diff", str(one), str(other))
    head, second, picture = told.out.splitlines()
    assert head == "inputs"
    assert second.startswith("  inputs/second.png  ")
    assert picture.startswith("picture.png: differs")
    assert command("diff", str(one), "mine.yaml").out.splitlines()[0] == "inputs"  # of the recipe, as they are now


def test_pictures_are_put_side_by_side(pair: tuple[str, str], command: Command) -> None:
    told = command("diff", *pair, "--out", "both.png")
    assert told.code == 1
    assert told.out.endswith("wrote both.png\n")
    with PIL.Image.open("both.png") as sheet:
        assert sheet.width > 2 * 240
        colours = {sheet.convert("RGB").getpixel((x, 100)) for x in (100, 380)}
    assert len(colours) == 2
    told = command("diff", f"{pair[0]}/film.mp4", f"{pair[1]}/film.mp4", "--out", "films.png")
    assert Path("films.png").is_file()
    told = command("diff", "mine.yaml", pair[0], "--out", "none.png")
    assert told.code == 2
    assert "one of the two has no picture" in told.err
    told = command("diff", *pair, "--out", "both.what")
    assert "can't write `both.what`" in told.err


@pytest.mark.parametrize("line", ["diff ONE OTHER --out FILE", "bundle ONE FILE", "new hello FILE"])
def test_a_file_that_exists_is_replaced_by_no_command(line: str, pair: tuple[str, str], command: Command) -> None:
    Path("kept.zip").write_bytes(b"mine")
    Path("link.zip").symlink_to("nowhere")
    for file in ("kept.zip", "link.zip"):
        words = {"ONE": pair[0], "OTHER": pair[1], "FILE": file}
        told = command(*(words.get(word, word) for word in line.split()))
        assert told.code == 1
        assert f"`{file}` exists" in told.err
    assert Path("kept.zip").read_bytes() == b"mine"
    assert not Path("nowhere").exists()
    assert not list(Path().glob(".*"))


def test_what_can_not_be_read_is_reported_as_elsewhere(pair: tuple[str, str], command: Command) -> None:
    told = command("diff", pair[0], "nothing")
    assert told.code == 3
    assert "there is no recipe file 'nothing'" in told.err
