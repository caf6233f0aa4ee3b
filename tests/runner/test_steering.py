"""A run that is steered has the bytes of its edited recipe run from the start."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from t2iflow.nodes.core.shelf import Shelf
from t2iflow.nodes.pictures.metadata import read_recipe
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.problems import RecipeError
from t2iflow.pipelines.text.recipe import read
from t2iflow.runner import session
from t2iflow.runner.events import Event, Noted, Stepped
from t2iflow.runner.exits import FAILED, INVALID, OK, UsageError
from t2iflow.runner.folder.changes import ChangedError
from t2iflow.runner.folder.claim import FolderError, NotResumableError
from t2iflow.runner.folder.outputs import outputs
from t2iflow.runner.folder.own_recipe import resumable
from t2iflow.runner.folder.summary import summary
from t2iflow.runner.session import Options, Outcome
from t2iflow.runner.steering import fork, steer, steerable
from tests import courses, steers
from tests.compiled import compiled
from tests.runner.conftest import Command, Disk

PICTURE = """
t2iflow: 1
params: {smooth: 0.1}
nodes:
  photo:  {use: images.noise, size: [16, 16], kind: fractal}
  canvas: {use: canvas.pixels, size: [16, 16]}
  same:   {use: losses.reference, image: $canvas, reference: $photo}
  even:   {use: losses.total_variation, image: $canvas}
  fit:
    use: optimizers.adam
    image: $canvas
    loss: [$same, {of: $even, weight: $smooth}]
    rate: {0: 0.05, 100%: 0.01, ease: smooth}
    steps: 12
  still:  {use: output.image, image: $fit}
  sheet:  {use: output.strip, image: $canvas, every: 5}
"""
FILM = """
t2iflow: 1
nodes:
  photo:  {use: images.noise, size: [16, 16], kind: fractal}
  canvas: {use: canvas.pixels, size: [16, 16]}
  same:   {use: losses.reference, image: $canvas, reference: $photo}
  fit:    {use: optimizers.adam, image: $canvas, loss: [$same], rate: {0: 0.1, 100%: 0.02}, steps: 4}
  zoom:   {use: camera.zoom, image: $fit, frames: 6, steps: 3, scale: {0: 0.9, 100%: 1.1}}
  film:   {use: output.strip, image: $zoom, file: film.png}
  still:  {use: output.image, image: $fit}
"""
WORDS = courses.ASKED.replace("RATE", "0.02").replace("steps: 12", "steps: 4")
SHELF = Shelf()


class Listens:
    """Stops a run after some steps, and keeps what is said."""

    def __init__(self, after: int = 0) -> None:
        self.after, self.said = after, ""
        self.options = Options("cpu", 1e9, shelf=SHELF)

    def __call__(self, event: Event) -> None:
        if isinstance(event, Noted):
            self.said += event.text + "\n"
        if isinstance(event, Stepped):
            self.after -= 1
            if self.after == 0:
                self.options.stop.ask()


def stopped(recipe: str, after: int, place: Path) -> Path:
    listener = Listens(after)
    return session.start(compiled(recipe, place), place, listener.options, [listener]).folder


def resumed(run: Path, listener: Listens | None = None) -> Outcome:
    listener = listener or Listens()
    return session.resume(resumable(run), run, listener.options, [listener])


def anew(run: Path, place: Path) -> Path:
    """The run's recipe as it is now, from the start."""
    outcome = session.start(compile_recipe(read(run / "recipe.yaml")), place / "anew", Listens().options, [])
    assert outcome.code == OK, outcome.message
    return outcome.folder


def made(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in outputs(run)}


STEERED = {
    "a rate": (PICTURE, 5, "fit.rate=0.2", 'rate: {before: {0: 0.05, "100%": 0.01, ease: smooth}, 5: 0.2}'),
    "a param": (PICTURE, 5, "smooth=2", "smooth: {0: 0.1, 5: 2, ease: hold}"),
    "a loss's weight": (PICTURE, 5, "fit.loss.same=3", "{of: $same, weight: {0: 1, 5: 3, ease: hold}}"),
    "a weight by a param": (PICTURE, 5, "fit.loss.even=3", "weight: {0: $smooth, 5: 3, ease: hold}"),
    "a camera's scale": (FILM, 8, "zoom.scale=0.7", 'scale: {before: {0: 0.9, "100%": 1.1}, 3: 0.7}'),
    "a camera that has not begun": (FILM, 2, "zoom.scale=0.7", "scale: 0.7"),
    "a rate in a film": (FILM, 8, "fit.rate=0.5", '{before: {0: 0.1, "100%": 0.02}, 3: 0.5, over: frame}'),
    "a rate in a film's first picture": (FILM, 3, "fit.rate=0.5", "3: 0.5}"),
    "a prompt": (WORDS, 2, "prompt=a castle", "prompt: {0: a red fox, 2: a castle, ease: hold, over: $draft}"),
    "a prompt of two optimisers": (WORDS, 6, "prompt=a castle", "2: a castle, ease: hold, over: $fit}"),
    "between two optimisers": (WORDS, 4, "prompt=a castle", "{before: a red fox, 0: a castle, over: $fit}"),
    "what has not begun": (WORDS, 2, "fit.rate=0.1", "rate: 0.1"),
}


@pytest.mark.parametrize("name", STEERED)
def test_what_is_steered_has_the_bytes_of_the_edited_recipe(name: str, tmp_path: Path) -> None:
    recipe, after, change, written = STEERED[name]
    run = stopped(recipe, after, tmp_path)
    steer(run, [change])
    assert written in (run / "recipe.yaml").read_text()
    before = made(run)
    assert resumed(run).code == OK
    files = made(run)
    assert files == made(anew(run, tmp_path))
    assert files != before
    picture = next(iter(outputs(run)))
    assert written in (read_recipe(picture) or "")


def test_a_run_is_steered_again_and_again(tmp_path: Path) -> None:
    run = stopped(PICTURE, 3, tmp_path)
    for after, value in ((3, 0.2), (2, 0.01), (0, 0.3)):
        steer(run, [f"fit.rate={value}", f"smooth={value}"])
        resumed(run, Listens(after))
    text = (run / "recipe.yaml").read_text()
    assert 'rate: {before: {0: 0.05, "100%": 0.01, ease: smooth}, 3: 0.2, 6: 0.01, 8: 0.3, ease: hold}' in text
    assert "smooth: {0: 0.1, 3: 0.2, 6: 0.01, 8: 0.3, ease: hold}" in text
    assert made(run) == made(anew(run, tmp_path))


def test_what_was_to_come_gives_way(tmp_path: Path) -> None:
    keyframed = PICTURE.replace("smooth: 0.1", "smooth: {0: 0.1, 4: 1, 9: 3, ease: hold}")
    run = stopped(keyframed, 6, tmp_path)
    steer(run, ["smooth=2"])
    assert "smooth: {0: 0.1, 4: 1, 6: 2, ease: hold}" in (run / "recipe.yaml").read_text()


def test_a_value_may_be_keyframes_to_come(tmp_path: Path) -> None:
    run = stopped(PICTURE, 5, tmp_path)
    steer(run, ["smooth={7: 2, 100%: 3}"])
    assert 'smooth: {before: 0.1, 7: 2, "100%": 3}' in (run / "recipe.yaml").read_text()
    with pytest.raises(UsageError, match="would have been different at step 3"):
        steer(run, ["fit.rate={3: 2, 100%: 3}"])
    assert resumed(run).code == OK
    assert made(run) == made(anew(run, tmp_path))


def test_an_endless_zoom_is_steered_at_its_next_picture(tmp_path: Path) -> None:
    zoom = "camera.infinite, image: $fit, frames: 12, steps: 2, scale: 1.1"
    endless = re.sub(r"camera\.zoom.*1\.1}", zoom, FILM)
    for after, written in ((2, 'rate: {before: {0: 0.1, "100%": 0.02}, 2: 0.5}'), (5, "8: 0.5, over: frame}")):
        run = stopped(endless, after, tmp_path)
        steer(run, ["fit.rate=0.5"])
        assert written in (run / "recipe.yaml").read_text()
        assert resumed(run).code == OK
        assert made(run) == made(anew(run, tmp_path))


@pytest.mark.parametrize("after", [5, 6, 7])
def test_the_last_pictures_of_an_endless_zoom_are_not_steered_apart(after: int, tmp_path: Path) -> None:
    endless = re.sub(r"camera\.zoom.*1\.1}", "camera.infinite, image: $fit, frames: 3, steps: 2, hold: 0.5", FILM)
    run = stopped(endless, after, tmp_path)
    with pytest.raises(UsageError, match="nothing depends on it from"):
        steer(run, ["zoom.hold=0.1"])
    assert resumed(run).code == OK
    assert made(run) == made(anew(run, tmp_path))


def test_all_else_in_the_recipe_stays_as_it_was(tmp_path: Path) -> None:
    run = stopped(PICTURE, 5, tmp_path)
    recipe = run / "recipe.yaml"
    text = recipe.read_text().replace("  smooth: 0.1", "  # how even\n  smooth:   0.1   # of what is painted")
    recipe.write_text(text)
    steer(run, ["smooth=2"])
    assert recipe.read_text() == text.replace("0.1   #", "{0: 0.1, 5: 2, ease: hold}   #")
    assert resumed(run).code == OK


REFUSED = {
    "canvas.size=[8, 8]": "`size` of node `canvas` is read once",
    "fit.steps=3": "`steps` of node `fit` is read once",
    "photo.kind=uniform": "`photo` draws at random, and would draw anew",
    "smoth=3": "did you mean `smooth`?",
    "fit.loss.evn=3": "did you mean `fit.loss.even`?",
    "smooth=0.1": "`smooth` already has that value",
    "smooth": "needs a value",
}


@pytest.mark.parametrize("change", REFUSED)
def test_what_cannot_be_steered_is_refused_with_what_can(change: str, tmp_path: Path) -> None:
    run = stopped(PICTURE, 5, tmp_path)
    text = (run / "recipe.yaml").read_text()
    with pytest.raises(UsageError) as caught:
        steer(run, [change])
    assert REFUSED[change] in str(caught.value)
    if "can't steer" in str(caught.value):
        assert "you can steer smooth, " in str(caught.value)
        assert "fit.loss.same, fit.rate" in str(caught.value)
    assert (run / "recipe.yaml").read_text() == text


def test_what_has_ended_is_not_steered(tmp_path: Path) -> None:
    run = stopped(WORDS, 6, tmp_path)
    assert {"draft.rate", "draft.loss.sketch-score"}.isdisjoint(one.name for one in steerable(run))
    with pytest.raises(UsageError, match=r"nothing depends on it from step 2 of `fit` on"):
        steer(run, ["draft.rate=0.3"])


def test_what_can_be_steered_is_listed_with_what_it_is_now(tmp_path: Path) -> None:
    run = stopped(PICTURE, 5, tmp_path)
    steer(run, ["smooth=2"])
    now = {one.name: one.now for one in steerable(run)}
    assert now["smooth"] == 2
    assert now["fit.loss.same"] == 1
    assert 0.01 < now["fit.rate"] < 0.05
    assert "fit.loss.even" not in now, "which is `smooth`"
    assert "still.file" not in now


@pytest.mark.parametrize("after", [6, 19])
def test_a_film_that_follows_a_song_lists_what_can_be_steered(after: int, tmp_path: Path) -> None:
    song = str(Path(__file__).parents[2] / "examples" / "beat.ogg")
    heard = {name: {"music": song, "low": low, "high": 2} for name, low in (("swell", 1), ("sway", 0))}
    film = FILM.replace("nodes:", f"params: {json.dumps(heard)}\nnodes:").replace(
        "[$same]", "[{of: $same, weight: $swell}]"
    )
    film = film.replace("{0: 0.9, 100%: 1.1}", "1, pan: [$sway, 0]") + "  shown:  {use: output.video, image: $zoom}\n"
    run = stopped(film, after, tmp_path)
    with pytest.raises(UsageError, match="the recipe has nothing of this name"):
        steer(run, ["nothing=1"])
    now = {one.name: one.now for one in steerable(run)}
    assert ("swell" in now) == ("sway" in now) == (after == 6)
    if after == 6:
        assert 1 < now["swell"] < 2
        assert 0 < now["sway"] < 2
        steer(run, ["swell=0.5"])
    assert resumed(run).code == OK
    assert made(run) == made(anew(run, tmp_path))


def test_a_recipe_edited_by_hand_is_taken_where_only_what_is_to_come_differs(tmp_path: Path) -> None:
    run = stopped(PICTURE, 5, tmp_path)
    recipe, text = run / "recipe.yaml", (run / "recipe.yaml").read_text()
    recipe.write_text(text.replace("smooth: 0.1", "smooth: {0: 0.1, 4: 5, ease: hold}"))
    early = resumed(run)
    assert isinstance(early.fault, ChangedError)
    assert "`fit.loss` would have been different at step 4" in early.message
    assert "smooth: 0.1\nand is" in early.message
    recipe.write_text(text.replace("smooth: 0.1", "smooth: {0: 0.1, 5: 0.1, 9: 4}"))
    listener = Listens()
    assert resumed(run, listener).code == OK
    assert "steered at step 5 of `fit`: `smooth`" in listener.said
    assert made(run) == made(anew(run, tmp_path))


@pytest.mark.parametrize(
    ("recipe", "after", "at", "change"),
    [
        (PICTURE, 6, None, "smooth=2"),
        (PICTURE, 6, "9", "smooth=2"),
        (PICTURE, 6, "3", "smooth=2"),
        (PICTURE, 0, "50%", "fit.rate=0.2"),
        (FILM, 12, "5", "zoom.scale=0.7"),
        (WORDS, 6, "draft:2", "prompt=a castle"),
    ],
)
def test_a_fork_has_the_bytes_of_its_recipe(
    recipe: str, after: int, at: str | None, change: str, tmp_path: Path
) -> None:
    run = stopped(recipe, after, tmp_path)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    forked = fork(run, [change], at, tmp_path / "forks")
    assert (forked.saved is not None) == (after > 0 and at in (None, "9", "5"))
    assert forked.run(Listens().options, []).code == OK
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert made(forked.folder) == made(anew(forked.folder, tmp_path))
    assert summary(forked.folder).state == "finished"


def test_a_power_cut_leaves_the_recipe_and_all_that_a_finished_run_made(tmp_path: Path, disk: Disk) -> None:
    run = stopped(PICTURE, 5, tmp_path)
    steer(run, ["smooth=2"])
    assert disk.always_had(run / "recipe.yaml")
    assert resumed(run).code == OK
    assert all(disk.has(path) for path in run.iterdir())
    assert {"picture.png", "events.jsonl", "lock.yaml"} < {path.name for path in run.iterdir()}


def test_a_fork_starts_from_the_checkpoint_that_was_there_when_it_was_asked_for(tmp_path: Path) -> None:
    run = stopped(PICTURE, 5, tmp_path)
    forked = fork(run, ["smooth=2"], None, tmp_path / "forks")
    assert resumed(run).code == OK, "the run has gone on to its end meanwhile"
    outcome = forked.run(Listens().options, [])
    assert outcome.code == OK, outcome.message
    assert made(outcome.folder) == made(anew(outcome.folder, tmp_path))


def test_a_fork_says_what_is_wrong_with_where_it_is_to_begin(tmp_path: Path) -> None:
    run = stopped(PICTURE, 0, tmp_path)
    for at, why in {
        None: "--at 20",
        "12": "the steps of `fit` are 0 to 11",
        "fi:2": "is not a place",
        "x": "50%",
    }.items():
        with pytest.raises(UsageError, match=why):
            fork(run, ["smooth=2"], at, tmp_path)
    with pytest.raises(NotResumableError, match="is not a run folder"):
        fork(tmp_path, ["smooth=2"], "3", tmp_path)


@pytest.mark.parametrize(
    ("edited", "words"),
    [
        (PICTURE.replace("fit:", "paint:").replace("$fit", "$paint").encode(), "of the optimiser `fit`"),
        (PICTURE.encode() + b"# caf\xe9\n", "the file is not UTF-8 text"),
    ],
)
def test_a_run_whose_recipe_no_longer_fits_is_refused_in_words(
    edited: bytes, words: str, command: Command, tmp_path: Path
) -> None:
    run = stopped(PICTURE, 5, tmp_path)
    (run / "recipe.yaml").write_bytes(edited)
    told = command("fork", str(run), "--set", "smooth=2")
    assert told.code in (FAILED, INVALID)
    assert words in told.err
    assert command("resume", str(run), "--set", "smooth=2").code == told.code
    assert (run / "recipe.yaml").read_bytes() == edited
    with pytest.raises((RecipeError, FolderError), match=words):
        steerable(run)


def test_a_steered_run_can_be_shared_like_any_other(command: Command, tmp_path: Path) -> None:
    run = stopped(PICTURE, 5, tmp_path / "runs")
    told = command("resume", str(run), "--set", "smooth=2", "--device", "cpu")
    assert told.code == OK, told.err
    assert "steered at step 5 of `fit`" in told.err
    assert "smooth: {0: 0.1, 5: 2, ease: hold}" in (run / "report.html").read_text()
    assert command("verify", str(run / "picture.png"), "--device", "cpu").code == OK
    assert command("verify", str(run), "--device", "cpu").code == OK
    assert command("bundle", str(run), str(tmp_path / "x.zip")).code == OK
    assert command("verify", str(tmp_path / "x.zip"), "--device", "cpu").code == OK
    again = command("fork", str(run), "--at", "9", "--set", "smooth=3", "--device", "cpu")
    assert again.code == OK, again.err
    assert "is computed again" in again.err
    assert again.folder
    assert "smooth: {0: 0.1, 5: 2, 9: 3, ease: hold} -> " not in command("diff", str(run), str(again.folder)).out
    assert "smooth" in command("diff", str(run), str(again.folder)).out


def test_a_command_that_cannot_steer_changes_nothing(command: Command, tmp_path: Path) -> None:
    run = stopped(PICTURE, 5, tmp_path / "runs")
    copy = shutil.copytree(run, tmp_path / "copy")
    told = command("resume", str(run), "--set", "canvas.size=[8, 8]")
    assert told.code == 2
    assert "you can steer" in told.err
    told = command("resume", str(run), "--set", "fit.rate=-1")
    assert told.code == 3
    assert "--set fit.rate=-1" in told.err
    for unfit in (["--device", "abacus"], ["--frames", "0..3"]):
        assert command("resume", str(run), "--set", "smooth=2", *unfit).code == 2
    assert (run / "recipe.yaml").read_text() == (copy / "recipe.yaml").read_text()


def test_a_run_that_is_killed_while_it_is_steered_keeps_its_word() -> None:
    command = [sys.executable, "-m", "tests.steers", "--trial", "4"]
    done = subprocess.run(command, cwd=Path(steers.__file__).parent.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = {name: int(count) for count, name in re.findall(r"(\d+) ([a-z ]+)", done.stdout)}
    assert counts["steered"] >= 1
    assert counts["kills"] >= 1
    assert counts["same bytes"] == 1
