"""Files that settings name: looked at before anything runs, and copied into the run folder."""

import wave
from collections.abc import Callable
from pathlib import Path

import PIL.Image
import pytest

from t2iflow.nodes.film import formats
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.problems import Problems, RecipeError
from t2iflow.pipelines.show.resolved import resolved
from t2iflow.pipelines.text.recipe import read, read_text

FILM = "{{use: video.frames, file: {}, size: [16, 12]}}"
STORY = "{{use: clip.story, clip: $clip, file: {}}}"
RECIPE = """t2iflow: 1
nodes:
  clip:   {{use: clip.model}}
  input:  {input}
  story:  {story}
  canvas: {{use: canvas.pixels, size: [16, 12]}}
  cuts:   {{use: cutouts.whole, image: $canvas, count: 2}}
  seen:   {{use: clip.look, crops: $cuts, clip: $clip}}
  score:  {{use: losses.spherical, seen: $seen, wanted: $story}}
  near:   {{use: losses.reference, image: $canvas, reference: $input}}
  fit:    {{use: optimizers.adam, image: $canvas, loss: [$score, $near]}}
  still:  {{use: output.image, image: $fit}}
"""

Compiled = Callable[..., Plan]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with files of several kinds."""
    picture = PIL.Image.new("RGB", (16, 12))
    picture.save(tmp_path / "film.gif", save_all=True, append_images=[PIL.Image.new("RGB", (16, 12), "red")])
    picture.save(tmp_path / "picture.png")
    with wave.open(str(tmp_path / "song.wav"), "wb") as song:
        song.setparams((1, 2, 8000, 0, "NONE", ""))
        song.writeframes(bytes(1600))
    (tmp_path / "story.txt").write_text("a fox\n\n# later\nan owl | rain:-0.5\n", encoding="utf-8")
    (tmp_path / "wrong.txt").write_text("a fox\nrain | snow:0\n", encoding="utf-8")
    (tmp_path / "long.txt").write_text("a fox\n" * 200_000, encoding="utf-8")
    (tmp_path / "other.txt").write_bytes("ein Käuzchen\n".encode("latin-1"))
    (tmp_path / "empty.gif").touch()
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.fixture
def compiled(files: Path) -> Compiled:
    """The plan of a recipe that reads a film and a story."""

    def compile(film: str = "film.gif", story: str = STORY.format("story.txt")) -> Plan:
        (files / "mine.yaml").write_text(RECIPE.format(input=FILM.format(film), story=story), encoding="utf-8")
        problems = Problems()
        return compile_recipe(read(files / "mine.yaml", problems=problems), problems)

    return compile


@pytest.fixture
def told(compiled: Compiled, files: Path) -> Callable[..., str]:
    """What a person reads of its mistakes."""

    def tell(**changed: str) -> str:
        with pytest.raises(RecipeError) as caught:
            compiled(**changed)
        assert len(caught.value.problems) == 1
        return str(caught.value).replace(str(files.resolve()), "/here")

    return tell


def test_films_and_texts_are_copied_with_a_run(compiled: Compiled, files: Path) -> None:
    graph = compiled().graph
    assert graph.files == {
        str(files.resolve() / "film.gif"): "inputs/film.gif",
        str(files.resolve() / "story.txt"): "inputs/story.txt",
    }


def test_the_resolved_recipe_names_the_copies(compiled: Compiled, files: Path) -> None:
    graph = compiled().graph
    recipe = resolved(graph, graph.files)
    assert "    file: inputs/film.gif\n" in recipe
    assert "    file: inputs/story.txt\n" in recipe
    (files / "inputs").mkdir()
    for source, copy in graph.files.items():
        (files / copy).write_bytes(Path(source).read_bytes())
    again = compile_recipe(read_text(recipe, "again.yaml", files))
    assert list(again.graph.files.values()) == ["inputs/film.gif", "inputs/story.txt"]


def test_weights_are_not_copied(files: Path) -> None:
    (files / "weights.pt").write_bytes(b"PK")
    text = RECIPE.format(input=FILM.format("film.gif"), story=STORY.format("story.txt"))
    (files / "mine.yaml").write_text(text.replace("clip.model", "clip.model, name: ViT-B/32, weights: weights.pt"))
    plan = compile_recipe(read(files / "mine.yaml"))
    assert plan.graph.nodes["clip"].settings["weights"] == str(files.resolve() / "weights.pt")
    assert str(files.resolve() / "weights.pt") not in plan.graph.files


@pytest.mark.parametrize(
    ("film", "what"),
    [
        ("nowhere.mp4", "the file `nowhere.mp4` doesn't exist"),
        ("folder", "the file `folder` is a folder, not a file"),
        (
            "picture.png",
            "`picture.png` is not a film; MP4, MOV, MKV, WebM, OGV, AVI, GIF, APNG, TS, MPEG, FLV or WMV can be read",
        ),
        (
            "song.wav",
            "`song.wav` has no pictures, only sound; a film with pictures is needed:"
            " MP4, MOV, MKV, WebM, OGV, AVI, GIF, APNG, TS, MPEG, FLV or WMV",
        ),
    ],
)
def test_a_file_that_is_no_film_is_told(film: str, what: str, told: Callable[..., str]) -> None:
    assert told(film=film).startswith(f"error T2I502 {what}\n")


@pytest.mark.parametrize(
    ("film", "hint"),
    [
        ("https://example.com/film.mp4", "addresses are not read: download the file"),
        ("file:///home/me/film.mp4", "addresses are not read"),
        ("frames/%04d.png", "`ffmpeg -framerate 24 -i frames/%04d.png film.mp4`"),
        ("FILM.GIF", "did you mean `film.gif`?"),
        ("film.mp4", "did you mean `film.gif`?"),
        ("flim.gif", "did you mean `film.gif`?"),
        ("' film.gif '", "did you mean `film.gif`, without quotes or spaces around it?"),
        ("''", "no file is named"),
        ("nowhere/film.gif", "relative paths start at"),
    ],
)
def test_what_a_name_that_no_file_has_may_mean_is_told(film: str, hint: str, told: Callable[..., str]) -> None:
    text = told(film=film)
    assert hint in text
    assert text.count("did you mean") <= 1


@pytest.mark.parametrize("film", ["empty.gif", "/nowhere/film.gif", "~/nowhere/film.gif"])
def test_no_hint_names_the_file_itself_or_a_folder_that_does_not_count(film: str, told: Callable[..., str]) -> None:
    text = told(film=film)
    assert text.startswith(f"error T2I502 the file `{film}` ")
    assert "did you mean `empty.gif`" not in text
    assert "relative paths" not in text


def test_what_to_do_about_another_film_is_told(told: Callable[..., str]) -> None:
    assert "`ffmpeg -i picture.png picture.mp4`" in told(film="picture.png")
    assert "ffmpeg" not in told(film="song.wav")


def test_a_damaged_film_is_not_said_to_need_converting(files: Path, told: Callable[..., str]) -> None:
    (files / "cut.mp4").write_bytes(b"\0\0\0\x20ftypisom" + bytes(500))
    assert "no conversion fixes it: copy, download or export it again" in told(film="cut.mp4")


def test_a_link_that_leads_nowhere_keeps_no_name_from_being_found(files: Path, told: Callable[..., str]) -> None:
    (files / "round").symlink_to("round")
    assert "did you mean `film.gif`?" in told(film="FILM.GIF")


@pytest.mark.parametrize(
    ("story", "why"),
    [("film.gif", "is no text"), ("other.txt", "is not text in UTF-8"), ("long.txt", "is longer than 1 MB")],
)
def test_a_story_is_a_text_in_utf_8_that_is_not_too_long(story: str, why: str, told: Callable[..., str]) -> None:
    text = told(story=STORY.format(story))
    assert "T2I502" in text
    assert f"`{story}` {why}\n" in text
    assert "save it as plain text in UTF-8" in text


@pytest.mark.parametrize(
    ("story", "what"),
    [
        (STORY.format("wrong.txt"), "line 2: 'snow' has weight 0"),
        (
            STORY.format("story.txt, scenes: [a fox]"),
            "a story has either `scenes`, or a `file` with one scene per line",
        ),
        ("{use: clip.story, clip: $clip}", "a story has either `scenes`, or a `file` with one scene per line"),
        (STORY.format("story.txt, hold: 0"), "with `hold: 0`, `fade` must be above 0"),
    ],
)
def test_a_story_that_can_not_be_told_is_refused_before_it_runs(
    story: str, what: str, told: Callable[..., str]
) -> None:
    text = told(story=story)
    assert "T2I204" in text
    assert f"node `story` (clip.story): these settings conflict: {what}" in text


def test_of_settings_that_do_not_go_together_those_from_elsewhere_are_told(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("t2iflow: 1\nextends: vqgan-clip\nparams:\n  model: lite\n  size: [100, 96]\n", encoding="utf-8")
    with pytest.raises(RecipeError) as told:
        compile_recipe(read(mine, overrides=["weights=small-vqgan"]))
    (problem,) = told.value.problems
    assert "paints 8 x 8 pixels, which don't fill 100 x 96; take 96 x 96" in problem.message
    assert problem.hints == ("`weights` is set by `--set weights=small-vqgan`", f"`size` is set at {mine}:5:9")


SIGNS = {
    "mov": (b"\0\0\0\x20ftypisom", b"\0\0\0\x08wide\0\0\0\0"),
    "matroska": (b"\x1a\x45\xdf\xa3\x9fB\x86\x81",),
    "avi": (b"RIFF\x10\x27\0\0AVI LIST",),
    "gif": (b"GIF89a\x10\0", b"GIF87a\x10\0"),
    "wav": (b"RIFF\x10\x27\0\0WAVEfmt ", b"RF64\xff\xff\xff\xffWAVEds64"),
    "flac": (b"fLaC\0\0\0\x22",),
    "ogg": (b"OggS\0\x02",),
    "mp3": (b"ID3\x04\0\0\0\0\0\x01\0", b"\xff\xfb\x90\x64"),
    "aac": (b"\xff\xf1\x50\x80",),
    "aiff": (b"FORM\0\0\x10\0AIFFCOMM", b"FORM\0\0\x10\0AIFCFVER"),
    "asf": (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"),),
    "flv": (b"FLV\x01\x05",),
    "mpeg": (b"\0\0\x01\xbaD",),
    "mpegts": (b"G@\0\x10".ljust(188, b"\0") + b"G", (bytes(4) + b"G").ljust(196, b"\0") + b"G"),
    "apng": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(17) + b"\0\0\0\x08acTL",),
    None: (
        b"",
        b"\xff",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(60),
        b"RIFF\x10\x27\0\0WEBPVP8 ",
        b"#EXTM3U\n",
        b"ffconcat version 1.0\n",
    ),
}


@pytest.mark.parametrize("format", SIGNS)
def test_films_and_sounds_are_known_by_how_they_begin(format: str | None, tmp_path: Path) -> None:
    for head in SIGNS[format]:
        (tmp_path / "file").write_bytes(head)
        assert formats.sound(tmp_path / "file") == format
        assert formats.film(tmp_path / "file") == (None if format in formats.SOUNDING else format)
