"""What a recipe from elsewhere may read, and how much it may ask for."""

import os
from collections.abc import Callable
from pathlib import Path

import PIL.Image
import pytest

from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.problems import Problems, RecipeError
from t2iflow.pipelines.text import origin
from t2iflow.pipelines.text.recipe import read

RECIPE = """t2iflow: 1
params: {{size: {size}, steps: {steps}, photo: {photo}, story: {story}, model: {model}}}
nodes:
  clip:   {{use: clip.model, name: $model, weights: {clip}}}
  photo-in: {{use: images.load, file: $photo, size: [16, 12]}}
  story-in: {{use: clip.story, clip: $clip, file: $story}}
  canvas: {{use: {canvas}, size: $size, init: $photo-in}}
  cuts:   {{use: cutouts.whole, image: $canvas, count: {count}}}
  seen:   {{use: clip.look, crops: $cuts, clip: $clip}}
  score:  {{use: losses.spherical, seen: $seen, wanted: $story-in}}
  fit:    {{use: optimizers.adam, image: $canvas, loss: $score, steps: $steps}}
  still:  {{use: output.image, image: $fit}}
"""
USUAL = {"photo": "photo.png", "story": "texts/story.txt", "model": "lite", "clip": "null", "count": "2"}
USUAL |= {"canvas": "canvas.pixels", "size": "[16, 12]", "steps": "3"}

Compiled = Callable[..., Plan]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's home with secrets and downloads; they work elsewhere."""
    home, work = tmp_path / "anna", tmp_path / "work"
    for folder in (home / "Downloads" / "texts", home / ".ssh", work):
        folder.mkdir(parents=True)
    (home / "secret.txt").write_text("the key is under the mat\n", encoding="utf-8")
    (home / ".ssh" / "id.txt").write_text("a key\n", encoding="utf-8")
    PIL.Image.new("RGB", (16, 12)).save(home / "secret.png")
    PIL.Image.new("RGB", (16, 12)).save(home / "Downloads" / "photo.png")
    (home / "Downloads" / "texts" / "story.txt").write_text("a fox\nan owl\n", encoding="utf-8")
    (home / "Downloads" / ".hidden.txt").write_text("a key\n", encoding="utf-8")
    (home / "Downloads" / "link.txt").symlink_to(home / "secret.txt")
    (home / "Downloads" / "away").symlink_to(home, target_is_directory=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_DOWNLOAD_DIR", raising=False)
    monkeypatch.chdir(work)
    monkeypatch.setattr(origin, "grounds", lambda: [home, Path.cwd()])
    return home


@pytest.fixture
def compiled(home: Path) -> Compiled:
    """The plan of a recipe among the downloads, or elsewhere."""

    def compile(*overrides: str, at: str = "anna/Downloads", **changed: str) -> Plan:
        path = home.parent / at / "theirs.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(RECIPE.format(**{**USUAL, **changed}), encoding="utf-8")
        problems = Problems()
        return compile_recipe(read(path, overrides=overrides, problems=problems), problems)

    return compile


@pytest.fixture
def refused(compiled: Compiled) -> Callable[..., str]:
    """What a person reads of a foreign recipe that wants too much."""

    def refuse(*overrides: str, **changed: str) -> str:
        with pytest.raises(RecipeError) as caught:
            compiled(*overrides, **changed)
        assert {problem.code for problem in caught.value.problems} == {"T2I503"}
        return str(caught.value)

    return refuse


def test_a_foreign_recipe_reads_what_lies_beside_it(compiled: Compiled) -> None:
    assert list(compiled().graph.files.values()) == ["inputs/photo.png", "inputs/story.txt"]
    compiled(story="away/Downloads/texts/../texts/story.txt")


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("story", "/etc/passwd"),
        ("story", "../secret.txt"),
        ("story", "~/secret.txt"),
        ("story", "link.txt"),
        ("story", "away/secret.txt"),
        ("story", ".hidden.txt"),
        ("story", "../nowhere.txt"),
        ("photo", "texts/../../secret.png"),
        ("model", "photo.pt"),
        ("model", "/etc/model.safetensors"),
        ("model", "ViT-B-32:../model.pt"),
        ("clip", "photo.png"),
        ("canvas", "vqgan.canvas, weights: texts"),
        ("canvas", "vqgan.canvas, weights: /etc"),
    ],
)
def test_a_foreign_recipe_reads_nothing_else_and_no_weights(key: str, name: str, refused: Callable[..., str]) -> None:
    text = refused(**{key: name})
    assert "this recipe is foreign" in text
    assert f"`{name.rpartition(' ')[2]}`" in text
    said = {"story": "story", "photo": "photo", "model": "model", "clip": "clip.weights", "canvas": "canvas.weights"}
    assert f"`--set {said[key]}=PATH`" in text
    assert "move it into a folder of your own" in text
    assert "mat" not in text


def test_whatever_the_person_says_may_be_anywhere(compiled: Compiled, home: Path) -> None:
    graph = compiled(f"story={home / 'secret.txt'}", "photo=../anna/secret.png", story="/etc/passwd", photo="x").graph
    assert sorted(graph.files) == sorted(str((home / name).resolve()) for name in ("secret.txt", "secret.png"))


def test_a_foreign_song_is_refused_too(home: Path, tmp_path: Path) -> None:
    text = RECIPE.format(**USUAL) + (
        "  zoom: {use: camera.zoom, image: $fit, scale: {music: ../secret.wav, low: 1, high: 1.1}}\n"
        "  film: {use: output.video, image: $zoom, sound: ../secret.wav}\n"
    )
    (home / "Downloads" / "theirs.yaml").write_text(text, encoding="utf-8")
    problems = Problems()
    with pytest.raises(RecipeError) as caught:
        compile_recipe(read(home / "Downloads" / "theirs.yaml", problems=problems), problems)
    assert [problem.code for problem in caught.value.problems] == ["T2I503"] * 2


@pytest.mark.parametrize(
    ("at", "foreign"),
    [("anna", False), ("anna/art/foxes", False), ("work/deep", False), ("anna/downloads/x", True), ("srv/share", True)],
)
def test_place_decides_whose_a_recipe_is(at: str, foreign: bool, compiled: Compiled, home: Path) -> None:
    say = {"photo": str(home / "secret.png"), "story": str(home / "secret.txt")}
    if foreign:
        with pytest.raises(RecipeError, match="foreign"):
            compiled(at=at, **say)
    else:
        compiled(at=at, **say)


def test_where_one_works_is_ones_own_but_not_all_there_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("HOME", "/")
    monkeypatch.chdir("/")
    (tmp_path / "a.yaml").write_text("", encoding="utf-8")
    assert list(origin.grounds()) == []
    assert origin.of_file(tmp_path / "a.yaml").fence == tmp_path.resolve()
    monkeypatch.chdir(tmp_path)
    assert origin.of_file(tmp_path / "a.yaml").fence is None
    assert origin.of_file(Path("a.yaml")).fence is None


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_what_belongs_to_another_user_is_foreign(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home / "theirs.yaml"
    path.write_text("", encoding="utf-8")
    assert origin.of_file(path).fence is None
    os.chown(path, 4321, -1)
    assert origin.of_file(path).fence is None  # as seen by root
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    assert origin.of_file(path).fence == home.resolve()
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    assert origin.of_file(path).fence is None


def test_where_no_folder_is_for_downloads_the_home_is_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origin, "user_downloads_path", lambda: home)
    (home / "mine.yaml").write_text("", encoding="utf-8")
    assert origin.of_file(home / "mine.yaml").fence is None
    monkeypatch.setattr(origin, "user_downloads_path", lambda: home / "Herunterladen")
    (home / "Herunterladen").mkdir()
    (home / "Herunterladen" / "theirs.yaml").write_text("", encoding="utf-8")
    assert origin.of_file(home / "Herunterladen" / "theirs.yaml").fence == home / "Herunterladen"


def test_a_run_is_resumed_wherever_runs_are_kept(home: Path) -> None:
    for at, own in (("srv/runs/one", True), ("anna/Downloads/one", False)):
        path = home.parent / at / "recipe.yaml"
        path.parent.mkdir(parents=True)
        path.write_text("", encoding="utf-8")
        assert origin.of_file(path).fence == path.parent
        assert (origin.of_run(path).fence is None) == own


@pytest.mark.parametrize("base", ["../../../etc/hostname", "/etc/hostname", "../secret.txt", "link.txt", ".hidden.txt"])
def test_a_foreign_recipe_extends_only_what_lies_beside_it_or_ships(base: str, home: Path) -> None:
    path = home / "Downloads" / "theirs.yaml"
    path.write_text(f"t2iflow: 1\nextends: {base}\n", encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        read(path)
    assert [problem.code for problem in caught.value.problems] == ["T2I503"]
    assert list(caught.value.sources) == [str(path)]
    path.write_text("t2iflow: 1\nextends: hello\n", encoding="utf-8")
    assert read(path).nodes


def test_what_a_foreign_recipe_extends_is_foreign_too(home: Path) -> None:
    downloads = home / "Downloads"
    (downloads / "base.yaml").write_text(RECIPE.format(**{**USUAL, "story": "../secret.txt"}), encoding="utf-8")
    (downloads / "theirs.yaml").write_text("t2iflow: 1\nextends: base.yaml\n", encoding="utf-8")
    (home / "mine.yaml").write_text(
        "t2iflow: 1\nextends: Downloads/base.yaml\nparams: {photo: secret.png}\n", encoding="utf-8"
    )
    for path in (downloads / "theirs.yaml", home / "mine.yaml"):
        problems = Problems()
        with pytest.raises(RecipeError) as caught:
            compile_recipe(read(path, problems=problems), problems)
        assert [problem.code for problem in caught.value.problems] == ["T2I503"]
        assert "secret.txt" in caught.value.problems[0].message


def test_a_foreign_recipe_asks_for_a_bearable_amount(refused: Callable[..., str], compiled: Compiled) -> None:
    text = refused(size="[16384, 16384]", steps="1000000000")
    assert "needs 268,536,000 pixels; at most 67,108,864 are allowed" in text
    assert "`--set canvas.size=...`" in text
    assert "needs 1,000,000,000 steps; at most 1,000,000 are allowed" in text
    assert "`--set cuts.size=...` or `--set cuts.count=...`" in refused(count="{0: 1, 100%: 1000000}")
    compiled("size=[16384, 16384]", "steps=1000000000", size="[9, 9]", count="1000")
    give = {"photo": "Downloads/photo.png", "story": "Downloads/texts/story.txt"}
    compiled(at="anna", count="1000000", size="[16384, 16384]", **give)


FILM = """t2iflow: 1
best: {best}
nodes:
  canvas: {{use: canvas.pixels, size: [16, 12]}}
  smooth: {{use: losses.total_variation, image: $canvas}}
  fit:    {{use: optimizers.adam, image: $canvas, loss: $smooth, steps: {steps}}}
  move:   {{use: camera.zoom, image: $fit, frames: {frames}, steps: 2, edge_steps: {extra}}}
  film:   {{use: output.video, image: $move}}
"""


@pytest.mark.parametrize(
    ("best", "steps", "frames", "extra", "needed"),
    [
        (1, 100, 1000, 1000, "1,002,100"),
        (1, 100, 600_000, 0, "1,200,100"),
        (100, 10_000, 100, 0, "1,020,000"),
        (1, 100, 1000, 990, ""),
    ],
)
def test_frames_their_extra_steps_and_every_run_of_the_best_are_counted(
    best: int, steps: int, frames: int, extra: int, needed: str, home: Path
) -> None:
    path, problems = home / "Downloads" / "film.yaml", Problems()
    path.write_text(FILM.format(best=best, steps=steps, frames=frames, extra=extra), encoding="utf-8")
    if not needed:
        compile_recipe(read(path, problems=problems), problems)
        return
    with pytest.raises(RecipeError, match=f"needs {needed} steps; at most 1,000,000 are allowed"):
        compile_recipe(read(path, problems=problems), problems)


def test_pictures_that_are_counted_are_limited_where_no_size_is_said(home: Path) -> None:
    path, problems = home / "Downloads" / "many.yaml", Problems()
    path.write_text(
        "t2iflow: 1\nnodes:\n  many: {use: dalle.mini, prompt: a fox, count: 2000}\n"
        "  still: {use: output.image, image: $many}\n",
        encoding="utf-8",
    )
    with pytest.raises(RecipeError, match="needs 131,072,000 pixels; at most 67,108,864 are allowed"):
        compile_recipe(read(path, problems=problems), problems)
