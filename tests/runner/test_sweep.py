"""Sweeps: what varies, the folder that is their queue, and those who work on it."""

import csv
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

import t2iflow
from t2iflow.pipelines.problems import Place, Problems, RecipeError
from t2iflow.pipelines.text.located import located, plain
from t2iflow.pipelines.text.recipe import read, shipped_recipes
from t2iflow.pipelines.text.sweep import changed
from t2iflow.pipelines.text.wildcards import drawn
from t2iflow.runner import lettering
from t2iflow.runner.events import Event, Stepped
from t2iflow.runner.exits import FAILED, HUNG_UP, INTERRUPTED, OK, TERMINATED
from t2iflow.runner.folder import folder
from t2iflow.runner.folder.claim import claim
from t2iflow.runner.folder.summary import summary
from t2iflow.runner.signals import Stop, end_this
from t2iflow.runner.sweep import grid, joining, slot, sweeping
from t2iflow.runner.sweep.driver import TRIES, drive, state, states
from t2iflow.runner.sweep.events import CellEnded
from t2iflow.runner.sweep.folder import SweepFolder
from t2iflow.runner.sweep.processes import Processes
from t2iflow.runner.sweep.slot import How
from t2iflow.runner.sweep.table import table
from t2iflow.runner.sweep.varied import Varied
from t2iflow.runner.sweep.work import BUSY, DIED, Made, make
from t2iflow.running import Run
from tests.runner.conftest import STILL, Command
from tests.studios import until

SMALL = STILL.replace("steps: 6", "steps: 3")
PAINTED = """
t2iflow: 1
title: Photographs
params: {prompt: a red fox, photo: fox.webp}
nodes:
  clip:  {use: clip.model}
  words: {use: clip.text, clip: $clip, prompt: $prompt}
  image: {use: images.load, file: $photo, size: [64, 64]}
  best:  {use: clip.rank, images: $image, wanted: $words, clip: $clip}
  still: {use: output.image, image: $best.images}
"""
"""Takes photographs as they are, so that there is something to rank at once."""


FOX = shipped_recipes()["hello"].parent / "fox.webp"
WILD = ["a light green fox, in snow", "a red fox, in snow", "a red fox, in snow", "a blue fox, in snow"]
DRAWN = ["blue fox", "red fox", "blue fox", "blue fox", "blue fox", "blue fox"]
"""What is drawn by the first seeds, now and in every later version."""


class Here:
    """A crew in this process; `ends` are said of a cell in place of making it."""

    def __init__(self, sweep: SweepFolder, ends: list[Made] | None = None) -> None:
        self._sweep, self._ends, self._made = sweep, [] if ends is None else ends, list[Made]()
        self.taken: list[str] = []

    @property
    def room(self) -> int:
        return 1 - len(self._made)

    def take(self, cell: str) -> None:
        self.taken.append(cell)
        end = next((end for end in self._ends if end.cell == cell), None)
        if end:
            self._ends.remove(end)
        self._made.append(end or make(self._sweep.at, cell, "cpu"))

    def wait(self, seconds: float) -> list[Made]:
        made, self._made = self._made, []
        return made

    def stop(self) -> None: ...


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands make cells in this process, and as on a machine with two cores."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(slot, "cores", lambda: 2)
    monkeypatch.setattr(sweeping, "crew", lambda sweep, *_: nullcontext(Here(sweep)))


@pytest.fixture
def begun(here: None) -> Callable[..., SweepFolder]:
    """Begins a sweep of a recipe's text."""

    def begin(text: str, *each: str, together: Sequence[str] = ()) -> SweepFolder:
        Path("mine.yaml").write_text(text, encoding="utf-8")
        problems = Problems()
        recipe = read("mine.yaml", problems=problems)
        varied = changed(recipe.sweep, each, together, None, recipe.text.document, problems)
        return sweeping.begin(Varied(recipe, varied, problems), Path("sweeps"), How("cpu", 2))

    return begin


def only(folder: Path) -> Path:
    (found,) = folder.iterdir()
    return found


def names(sweep: SweepFolder) -> list[str]:
    return [cell.name for cell in sweep.cells]


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def idle(event: object) -> None: ...


def driven(sweep: SweepFolder, crew: Here, watch: Callable[[Any], None] = idle, retry: bool = False) -> dict[str, Any]:
    return drive(sweep, crew, lambda: False, watch, retry)


# What varies


def test_cells_have_the_bytes_of_single_runs(here: None, command: Command) -> None:
    told = command("sweep", SMALL, "--each", "fit.rate=[0.1, 1e-2]", "--each", "seed=0..1", "--jobs", "2")
    assert told.code == OK, told.err
    sweep = only(Path("sweeps"))
    assert "4 of 4 finished" in told.err
    found = {row["fit.rate"] + row["seed"]: sweep / row["picture"] for row in rows(sweep)}
    assert len(found) == 4
    single = command("run", "mine.yaml", "--set", "fit.rate=1e-2", "--seed", "1")
    assert single.folder is not None
    assert (single.folder / "picture.png").read_bytes() == found["0.011"].read_bytes()
    assert found["0.011"].read_bytes() != found["0.11"].read_bytes()


@pytest.mark.parametrize("name", ["cell", "values", "state", "rank", "score", "seconds", "picture", "message"])
def test_a_param_may_be_called_like_what_the_results_say_of_a_cell(here: None, command: Command, name: str) -> None:
    recipe = SMALL.replace("params: {steps", f"params: {{{name}").replace("$steps", f"${name}")
    told = command("sweep", recipe, "--each", f"{name}=[2, 3]")
    assert told.code == OK, told.err
    sweep = only(Path("sweeps"))
    cells = sorted(path.name for path in (sweep / "runs").iterdir())
    found = json.loads((sweep / "results.json").read_text("utf-8"))["cells"]
    assert [(row["cell"], row["values"][name]) for row in found] == list(zip(cells, [2, 3], strict=True))
    assert [(row["cell"], row[f"values.{name}"], row["state"]) for row in rows(sweep)] == [
        (cells[0], "2", "finished"),
        (cells[1], "3", "finished"),
    ]
    assert all((sweep / row["picture"]).is_file() for row in rows(sweep))


def test_each_makes_a_grid_and_together_goes_in_step(begun: Callable[..., SweepFolder], tmp_path: Path) -> None:
    (tmp_path / "rates.txt").write_text("0.1\n\n# slow\n0.2\n", "utf-8")
    recipe = SMALL + "sweep: {each: {seed: 3..4, steps: [9]}, sheet: {across: seed}}\n"
    sizes = "canvas.size=[[8, 8], [16, 16]]", "photo.size=[[8, 8], [16, 16]]"
    sweep = begun(recipe, "steps=2", "fit.weight_decay=@rates.txt", together=sizes)
    assert [cell.set for cell in sweep.cells][:3] == [
        {"seed": 3, "steps": 2, "fit.weight_decay": 0.1, "canvas.size": [8, 8], "photo.size": [8, 8]},
        {"seed": 3, "steps": 2, "fit.weight_decay": 0.1, "canvas.size": [16, 16], "photo.size": [16, 16]},
        {"seed": 3, "steps": 2, "fit.weight_decay": 0.2, "canvas.size": [8, 8], "photo.size": [8, 8]},
    ]
    assert len(sweep.cells) == 8


def test_all_mistakes_of_all_cells_are_reported_at_once(command: Command) -> None:
    told = command(
        *("sweep", SMALL, "--each", "steps=[0, 3, many]", "--each", "sed=1", "--each", "canvas.sise=[[8, 8]]"),
        *("--together", "fit.rate=[1, 2]", "--together", "seed=[1]"),
    )
    assert told.code == 3
    assert len(re.findall("^error", told.err, re.MULTILINE)) == 5
    assert "`steps` of node `fit` can't be 0" in told.err
    assert "in the cell steps=0, canvas.sise=[8, 8]" in told.err
    assert "did you mean `seed`?" in told.err
    assert "`fit.rate` has 2, `seed` has 1" in told.err
    assert not Path("sweeps").exists()


@pytest.mark.parametrize(
    ("section", "said", "place"),
    [
        ("each: {seed: 1, steps: [2, 0]}", "can't be 0", "12:30"),
        ("each: {seed: 5..2}", "runs backwards: write 2..5", "12:16"),
        ("each: {seed: []}", "there are no values for `seed`", "12:10"),
        ("each: {speed: [1]}", "there is no param `speed`", "12:10"),
        ("each: {steps: 5..2}", "runs backwards: write 2..5", "12:17"),
        ("each: {steps: '@no.txt'}", "the file `no.txt` doesn't exist", "12:17"),
        ("together: {steps: [1, 2], seed: [1]}", "equally many values", "12:29"),
        ("{each: {seed: 0..1}, together: {seed: [1]}}", "`seed` varies twice", "12:35"),
        ("each: {seed: 0..1}\n  sheet: {across: steps}", "names 'steps', which doesn't vary", "13:19"),
        ("every: {seed: 0..1}", "a sweep has no `every`", "12:3"),
        ("each: {seed: 0..1}\n  rank: 3", "`rank` must be a perceptor's name", "13:9"),
        ("each: {seed: 0..99999}", "at most 10,000 cells", "12:16"),
    ],
)
def test_mistakes_of_the_section_have_their_place(
    begun: Callable[..., SweepFolder], section: str, said: str, place: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        begun(f"{SMALL}sweep:\n  {section}\n")
    (found,) = caught.value.problems
    assert said in found.message
    assert found.place is not None
    assert f"{found.place.line}:{found.place.column}" == place


def test_a_single_run_does_not_mind_what_is_wrong_with_the_sweep(command: Command) -> None:
    wrong = f"{SMALL}sweep: {{each: {{promt: [a, b]}}, sheet: {{across: prompt}}}}\n"
    assert command("run", wrong).code == 0
    for verb in ("check", "sweep"):
        told = command(verb, wrong)
        assert told.code == 3
        assert re.findall("^error (.*)", told.err + told.out, re.MULTILINE) == ["T2I110 there is no param `promt`"]


def test_the_section_may_say_how_what_options_vary_is_shown(begun: Callable[..., SweepFolder]) -> None:
    sweep = begun(f"{SMALL}sweep: {{rank: lite, sheet: {{across: seed}}}}\n", "seed=0..1", "steps=[2, 3]")
    assert sweep.across == "seed"
    with pytest.raises(RecipeError, match="`across` names 'seed', which doesn't vary"):
        begun(f"{SMALL}sweep: {{rank: lite, sheet: {{across: seed}}}}\n", "steps=[2, 3]")


def test_how_often_an_output_is_shown_varies_too_and_what_a_node_is_does_not(
    begun: Callable[..., SweepFolder], command: Command
) -> None:
    film = (
        SMALL.replace("steps: 3", "steps: 3, often: 2") + "  film: {use: output.video, image: $canvas, every: $often}\n"
    )
    assert [cell.set["film.every"] for cell in begun(film, "film.every=[1, 3]").cells] == [1, 3]
    again = begun(film, "often=[1, 3]")
    assert [cell.set["often"] for cell in again.cells] == [1, 3]
    assert "every: $often" in (again.at / "recipe.yaml").read_text("utf-8")
    told = command("sweep", SMALL, "--each", "fit.use=[optimizers.adam, optimizers.adamp]")
    assert "`fit.use` can't vary in a sweep" in told.err
    with pytest.raises(RecipeError, match=r"`fit\.use` can't vary in a sweep"):
        t2iflow.sweep("mine.yaml", each={"fit.use": ["optimizers.adam", "optimizers.adamp"]})


def test_a_prompt_that_is_wholly_a_wildcard_is_none_of_yaml(begun: Callable[..., SweepFolder]) -> None:
    sweep = begun(PAINTED.replace("fox.webp", str(FOX)), "prompt={a red fox|a castle}", "seed=0..3")
    assert {cell.set["prompt"] for cell in sweep.cells} == {"a red fox", "a castle"}


def test_check_finds_the_mistakes_of_all_cells(command: Command) -> None:
    told = command("check", SMALL + "sweep: {each: {seed: 0..1, steps: [2, 0]}}\n")
    assert told.code == 3
    assert "in the cell seed=0, steps=0 and 1 more" in told.err
    good = command("check", SMALL + "sweep: {each: {seed: 0..1, steps: [2, 3]}}\n")
    assert "no mistakes (5 nodes, 4 cells in its sweep)" in good.out


def test_a_foreign_recipe_reads_no_values_from_elsewhere(tmp_path: Path, command: Command) -> None:
    foreign = tmp_path / "downloads"
    foreign.mkdir()
    (tmp_path / "secrets.txt").write_text("a\nb\n", "utf-8")
    (foreign / "them.yaml").write_text(SMALL + "sweep: {each: {steps: '@../secrets.txt'}}\n", "utf-8")
    told = command("check", "downloads/them.yaml")
    assert told.code == 3
    assert "may not read `../secrets.txt`" in told.err
    drawing = SMALL + "sweep: {each: {photo.kind: ['{@../secrets.txt}']}}\n"
    (foreign / "them.yaml").write_text(drawing, "utf-8")
    assert "may not read `../secrets.txt`" in command("check", "downloads/them.yaml").err


def no_files(name: str, at: Place) -> list[str]:
    raise AssertionError(name)


def test_wildcards_are_drawn_by_the_seed_and_for_ever_the_same() -> None:
    text = located("a {red|blue|{dark|light} green} fox, {in snow|}", Place("", 1, 1))
    assert [plain(drawn(text, seed, no_files)) for seed in range(4)] == WILD
    assert plain(drawn(located("${prompt} {a}", Place("", 1, 1)), 0, no_files)) == "${prompt} {a}"


def test_a_recipes_own_wildcards_are_drawn_too(begun: Callable[..., SweepFolder]) -> None:
    text = PAINTED.replace("prompt: a red fox", "prompt: '{red|blue} fox'").replace("fox.webp", str(FOX))
    sweep = begun(text, "seed=0..5")
    assert [cell.set["prompt"] for cell in sweep.cells] == DRAWN
    assert table(sweep).labels["001-seed=1"] == "red fox, seed 1"


def test_a_line_of_a_file_is_drawn_and_what_is_in_it_too(
    begun: Callable[..., SweepFolder], tmp_path: Path, command: Command
) -> None:
    (tmp_path / "animals.txt").write_text("# a comment\nfox for $5\n\n{red|blue} {@birds.txt}\n", "utf-8")
    (tmp_path / "birds.txt").write_text("owl\nrobin\n", "utf-8")
    text = PAINTED.replace("prompt: a red fox", "prompt: 'a {@animals.txt}, {day|night}'").replace("fox.webp", str(FOX))
    prompts = [cell.set["prompt"] for cell in begun(text, "seed=0..15").cells]
    assert {prompt.rpartition(", ")[2] for prompt in prompts} == {"day", "night"}
    animals = {prompt.rpartition(", ")[0] for prompt in prompts}
    assert "a fox for $$5" in animals
    assert animals <= {
        "a fox for $$5",
        *(f"a {colour} {bird}" for colour in ("red", "blue") for bird in ("owl", "robin")),
    }
    assert [cell.set["prompt"] for cell in begun(text, "seed=0..15").cells] == prompts
    (tmp_path / "birds.txt").write_text("{@animals.txt}\n", "utf-8")
    (tmp_path / "animals.txt").write_text("{@birds.txt}\n", "utf-8")
    told = command("sweep", text, "--each", "seed=0..1")
    assert "`prompt` draws from files that name each other without end" in told.err
    (tmp_path / "birds.txt").unlink()
    assert "the file `birds.txt` doesn't exist" in command("sweep", text, "--each", "seed=0..1").err


@pytest.mark.parametrize(
    ("lines", "each", "why"),
    [
        ("a fox\nan \x1b[31mowl\n", "@lines.txt", "the character U+001B can't stand in a text\n  --> lines.txt:2:1\n"),
        ("a fox\na\x00b\n", "{@lines.txt} in ink", "the character U+0000 can't stand in a text\n  --> lines.txt:2:1"),
        (" # a comment\n\n", "@lines.txt", "there are no values for `prompt`"),
        ("a fox\n", "@", "no file is named"),
    ],
)
def test_lines_that_no_recipe_can_hold_are_refused_at_their_place(
    lines: str, each: str, why: str, tmp_path: Path, command: Command
) -> None:
    (tmp_path / "lines.txt").write_text(lines, "utf-8")
    told = command("sweep", "hello", "--each", f"prompt={each}")
    assert (told.code, why in told.err) == (3, True), told.err
    assert not list(tmp_path.glob("runs/*"))


def test_two_prompts_of_one_mapping_do_not_become_one(command: Command) -> None:
    both = PAINTED.replace("prompt: a red fox", "prompt: {'{red|blue} fox': 1, red fox: -0.4}").replace(
        "fox.webp", str(FOX)
    )
    told = command("sweep", both, "--each", "seed=0..7", "--plan")
    assert told.code == 3
    assert "`prompt` draws 'red fox' for two of its keys" in told.err


@pytest.mark.parametrize("value", ["[lite, ViT-B/33]", "@names.txt"])
def test_a_value_that_a_node_itself_refuses_is_shown_where_it_stands(
    value: str, command: Command, tmp_path: Path
) -> None:
    (tmp_path / "names.txt").write_text("lite\nViT-B/33\n", "utf-8")
    told = command("sweep", "hello", "--each", f"clip.name={value}", "--plan")
    assert told.code == 3
    assert "`ViT-B/33`" in told.err
    assert "in the cell clip.name=ViT-B/33" in told.err


def test_files_that_vary_are_copied_once_for_all(begun: Callable[..., SweepFolder], tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shutil.copyfile(FOX, tmp_path / name / "fox.webp")
    sweep = begun(PAINTED.replace("fox.webp", "one/fox.webp"), "photo=[one/fox.webp, two/fox.webp]", "seed=0..1")
    assert [cell.set["photo"] for cell in sweep.cells] == ["inputs/fox.webp"] * 2 + ["inputs/fox-2.webp"] * 2
    shutil.rmtree(tmp_path / "two")
    assert make(sweep.at, names(sweep)[3], "cpu").code == OK


# The folder and those who work on it


def test_a_cell_that_was_stopped_goes_on_from_its_checkpoint(begun: Callable[..., SweepFolder]) -> None:
    sweep = begun(SMALL, "seed=0..1")

    def stop(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 1:
            os.kill(os.getpid(), signal.SIGINT)

    first, second = names(sweep)
    assert make(sweep.at, first, "cpu", [stop]).code == INTERRUPTED
    assert state(sweep, first) == "stopped"
    assert driven(sweep, Here(sweep)) == {first: "finished", second: "finished"}
    events = [json.loads(line) for line in (sweep.runs / first / "events.jsonl").read_text("utf-8").splitlines()]
    assert [event["first"] for event in events if event["type"] == "fitting"] == [0, 2]


def test_a_cell_is_bundled_under_the_name_of_what_it_is(begun: Callable[..., SweepFolder], command: Command) -> None:
    sweep = begun(SMALL, "seed=0..1")
    make(sweep.at, "001-seed=1", "cpu")
    told = command("bundle", str(sweep.runs / "001-seed=1"))
    assert told.out == "wrote mine-s1.zip; run it with `t2iflow run mine-s1.zip`\n"


def test_a_cell_that_another_process_has_is_left_to_it(begun: Callable[..., SweepFolder]) -> None:
    sweep = begun(SMALL, "seed=0..1")
    first, second = names(sweep)
    make(sweep.at, second, "cpu")
    shutil.copytree(sweep.runs / second, sweep.runs / first)
    (sweep.runs / first / "events.jsonl").write_text("", "utf-8")
    with claim(sweep.runs / first):
        assert state(sweep, first) == "running"
        assert make(sweep.at, first, "cpu").code == BUSY
        seen = iter([False, False, True])
        drive(sweep, Here(sweep), lambda: next(seen), idle)
        assert state(sweep, first) == "running"
    crew = Here(sweep)
    assert driven(sweep, crew)[first] == "finished"
    assert crew.taken == [first]


def test_a_failed_cell_is_listed_the_others_go_on_and_it_is_tried_again_when_asked(
    here: None, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = [Made("001-seed=1", FAILED, "no room")]
    monkeypatch.setattr(sweeping, "crew", lambda sweep, *_: nullcontext(Here(sweep, ends)))
    told = command("sweep", SMALL, "--each", "seed=0..2")
    sweep = only(Path("sweeps"))
    assert told.code == FAILED
    assert "failed 001-seed=1" in told.err
    assert f"1 of 3 cells failed; to try them again:\n  t2iflow sweep {sweep} --retry failed" in told.err
    assert [row["state"] for row in rows(sweep)] == ["finished", "failed", "finished"]
    assert "no room" in (sweep / "index.html").read_text("utf-8")
    assert command("sweep", str(sweep), "--retry", "failed").code == OK
    assert [row["state"] for row in rows(sweep)] == ["finished"] * 3


def test_a_cell_that_has_lost_its_recipe_says_how_it_is_made_again(here: None, command: Command) -> None:
    assert command("sweep", SMALL, "--each", "seed=0..1").code == OK
    sweep = only(Path("sweeps"))
    lost = sweep / rows(sweep)[0]["picture"]
    (lost.parent / "recipe.yaml").unlink()
    told = command("sweep", str(sweep))
    assert told.code == FAILED
    assert f"`{lost.parent}` has no recipe.yaml: delete it, and its cell is run again" in told.err
    shutil.rmtree(lost.parent)
    lost.parent.mkdir()  # as a person may also leave it
    assert command("sweep", str(sweep)).code == OK
    assert lost.is_file()


def test_a_cell_whose_process_dies_is_tried_three_times(begun: Callable[..., SweepFolder]) -> None:
    sweep = begun(SMALL, "seed=0..1")
    first, second = names(sweep)
    make(sweep.at, first, "cpu")
    log = sweep.runs / first / "events.jsonl"
    log.write_text(log.read_text("utf-8").partition("\n")[0] + "\n", "utf-8")  # as a kill leaves it
    heard: list[Any] = []
    crew = Here(sweep, [Made(first, DIED, "killed by SIGKILL")] * TRIES)
    assert driven(sweep, crew, heard.append) == {first: "failed", second: "finished"}
    assert crew.taken == [first, first, first, second]
    (failed,) = [event for event in heard if isinstance(event, CellEnded) and event.state == "failed"]
    assert failed.message == "tried 3 times: killed by SIGKILL"
    assert states(sweep)[first] == "failed"  # as its own log says from now on
    assert driven(sweep, Here(sweep))[first] == "failed"
    assert driven(sweep, Here(sweep), retry=True)[first] == "finished"


def test_a_process_that_is_killed_is_replaced_and_the_others_end_with_them(
    begun: Callable[..., SweepFolder],
) -> None:
    sweep = begun(SMALL.replace("steps: 3", "steps: 1000000"), "steps=[1000000, 2]")
    long, short = names(sweep)
    with Processes(sweep.at, slot.slots(How("cpu", 1))) as processes:
        processes.take(long)
        (process,) = processes._pool._busy
        os.kill(process._process.pid, signal.SIGKILL)
        (died,) = processes.wait(60)
        assert died.code == DIED
        assert "killed by SIGKILL" in died.message
        processes.take(short)
        assert processes.wait(60) == [Made(short, OK)]
        processes.take(long)
        (other,) = processes._pool._busy
        until(lambda: processes.wait(0.05) == [] and state(sweep, long) == "running")
    assert other._process.poll() is not None  # its pipe was closed, as when its driver dies
    assert state(sweep, long) == "stopped"


def test_on_windows_too_a_cell_that_is_stopped_keeps_its_checkpoint(
    begun: Callable[..., SweepFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = begun(SMALL, "steps=[1000000, 1000001]")
    name = names(sweep)[0]
    with Processes(sweep.at, slot.slots(How("cpu", 1))) as pool:
        pool.take(name)
        while not (sweep.runs / name / "checkpoint.pt").exists():
            pool.wait(0.05)
        with monkeypatch.context() as windows:
            windows.setattr(os, "name", "nt")
            pool.stop()
        (made,) = pool.wait(60)
    assert made.code == TERMINATED
    assert state(sweep, name) == "stopped"
    stop = Stop()
    with stop.listening():
        with monkeypatch.context() as windows:
            windows.setattr(os, "name", "nt")
            other = threading.Thread(target=end_this)
            other.start()
            other.join()
        assert stop.signal == signal.SIGTERM


@pytest.mark.parametrize("streams", ["2>&1 | head -1", "--json 2>/dev/full | head -1", ">&- 2>&-"])
def test_a_sweep_whose_streams_take_nothing_goes_on_and_ends_well(streams: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(SMALL, "utf-8")
    sweep = f"{sys.executable} -m t2iflow.runner sweep mine.yaml --each seed=0..1 --device cpu"
    done = subprocess.run(
        ["bash", "-c", f"{sweep} {streams}; exit ${{PIPESTATUS[0]}}"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert len(rows(only(tmp_path / "sweeps"))) == len(list(tmp_path.glob("sweeps/*/runs/*/picture.png"))) == 2


def test_a_sweep_whose_terminal_is_closed_stops_with_its_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(SMALL.replace("steps: 3", "steps: 1000000"), "utf-8")
    sweep = ["-m", "t2iflow.runner", "sweep", "mine.yaml", "--each", "seed=0..1", "--device", "cpu", "--jobs", "1"]
    child, screen = pty.fork()
    if not child:
        os.chdir(tmp_path)
        os.execv(sys.executable, [sys.executable, *sweep])
    while not list(tmp_path.glob("sweeps/*/runs/*/checkpoint.pt")):
        os.read(screen, 10_000)
    (run,) = tmp_path.glob("sweeps/*/runs/[0-9]*")
    os.close(screen)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == HUNG_UP
    assert summary(run).state == "stopped"
    assert (run / "checkpoint.pt").exists()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("run --best 2 --show", "`--show` and `--debug` are for a single run"),
        ("run --best 2 --debug", "`--show` and `--debug` are for a single run"),
        ("run --best 2 --device cpu:1", "only GPUs have numbers"),
        ("sweep --each seed=0..1 --retry failed", "`--retry` is for the folder of a sweep"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(line: str, why: str, here: None, command: Command) -> None:
    verb, *options = line.split()
    told = command(verb, SMALL, *options)
    assert (told.code, why in told.err) == (2, True)
    assert not Path("runs").exists()
    assert not Path("sweeps").exists()


def test_the_best_of_several_go_where_they_are_told_to(here: None, command: Command) -> None:
    told = command("run", SMALL, "--best", "2", "--out", "runs")
    assert (told.code, "are not ranked, since the recipe has no prompt" in told.err) == (OK, True)
    assert Path(only(Path("runs")), "sweep.yaml").exists()


def test_a_plan_for_a_cluster_says_that_its_time_is_not_the_clusters(
    here: None, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "check", lambda said: None)
    told = command("sweep", SMALL, "--each", "seed=0..1", "--plan", "--on", "ray")
    assert (told.code, "of this machine, not of the cluster" in told.err) == (OK, True)


def test_a_sweep_that_has_begun_is_not_changed(here: None, command: Command) -> None:
    command("sweep", SMALL, "--each", "seed=0..1")
    sweep = only(Path("sweeps"))
    again = command("sweep", str(sweep), "--each", "seed=2..3")
    assert again.code == 2
    assert "has begun, so nothing in it can be changed" in again.err
    for out in ("elsewhere", "sweeps"):
        again = command("sweep", str(sweep), "--out", out)
        assert (again.code, "has begun, so nothing in it can be changed" in again.err) == (2, True)
    (sweep / "sweep.yaml").write_text("t2iflow-sweep: 1\ncells: [{name: ../../x, set: {}}]\n", "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(sweep)  # read anew
        assert "is damaged" in command("sweep", ".").err


@pytest.mark.parametrize("verb", ["run", "sweep"])
def test_what_is_being_made_for_long_is_not_taken_for_abandoned(
    verb: str, here: None, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = folder.copy

    def slow(files: dict[str, str], fresh: Path) -> None:
        os.utime(fresh, (0, 0))
        assert command("run", SMALL, "--out", str(fresh.parent.absolute())).code == OK
        copy(files, fresh)

    with monkeypatch.context() as patched:
        patched.setattr(folder, "copy", lambda files, fresh: [patched.undo(), slow(files, fresh)])
        told = command(verb, SMALL, *(["--each", "seed=0..1"] if verb == "sweep" else []))
    assert told.code == OK, told.err
    assert not list(Path(f"{verb}s").glob("*/.lock"))


# What people look at


def test_pictures_are_ranked_by_how_well_they_fit_their_prompt(here: None, command: Command, tmp_path: Path) -> None:
    PIL.Image.new("RGB", (64, 64), "#204080").save(tmp_path / "blue.png")
    photos = f"photo=[blue.png, {FOX}]"
    told = command("sweep", PAINTED.replace("fox.webp", "blue.png"), "--each", photos, "--rank", "lite")
    assert told.code == OK, told.err
    sweep = only(Path("sweeps"))
    assert [row["rank"] for row in rows(sweep)] == ["2", "1"]
    assert re.search("the best: .*001-photo=", told.err)


@pytest.mark.parametrize(("file", "shown"), [("picture.png", "picture.png"), ("z.png", "a.png")])
def test_a_cell_shows_what_it_is_for_and_not_a_sketch_that_is_written_later(
    file: str, shown: str, here: None, command: Command
) -> None:
    still = f"  still:  {{use: output.image, image: $fit, file: {file}}}\n"
    later = "  later:  {use: output.image, image: $photo, file: a.png}\n"
    recipe = SMALL.replace("  still:  {use: output.image, image: $fit}\n", still + later)
    assert command("sweep", recipe, "--each", "seed=0..1").code == OK
    sweep = only(Path("sweeps"))
    assert [Path(row["picture"]).name for row in rows(sweep)] == [shown, shown]
    run = sweep / "runs" / "000-seed=0"
    with PIL.Image.open(run / shown) as found:
        image = Run(run).image
        assert image is not None
        assert image.tobytes() == found.tobytes()


def test_the_sheet_and_the_page_show_all_cells_with_their_labels(here: None, command: Command) -> None:
    section = "sweep: {each: {fit.rate: [0.1, 0.2], seed: 0..2}, sheet: {across: fit.rate, down: seed}}\n"
    told = command("sweep", SMALL + section)
    assert told.code == OK, told.err
    sweep = only(Path("sweeps"))
    page = (sweep / "index.html").read_text("utf-8")
    assert page.count("data:image/webp") == 6
    assert not re.findall(r"(?:src|href)=.https?:", page)
    heads = re.findall("<th>(.*?)</th>", page)
    assert heads == ["", "fit.rate 0.1", "fit.rate 0.2", "seed 0", "seed 1", "seed 2"]
    with PIL.Image.open(sweep / "sheet.png") as sheet:
        assert sheet.width < sheet.height


def test_a_table_has_its_cells_at_their_heads(begun: Callable[..., SweepFolder]) -> None:
    sweep = begun(SMALL, "steps=[1, 2]", "seed=0..2", "fit.rate=[0.1, 0.2]")
    shown = table(sweep)
    assert shown.columns == ["fit.rate 0.1", "fit.rate 0.2"]
    assert shown.rows[4] == "steps 2, seed 1"
    assert shown.cells[4][1].set == {"steps": 2, "seed": 1, "fit.rate": 0.2}
    alone = table(begun(SMALL, "seed=0..6"))
    assert not alone.rows
    assert sum(map(len, alone.cells)) == 7
    assert alone.labels["003-seed=3"] == "seed 3"


def test_labels_that_no_font_of_this_machine_has_are_numbered_on_the_sheet(
    begun: Callable[..., SweepFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lettering, "FILES", ())
    shown = table(begun(PAINTED.replace("fox.webp", str(FOX)), "prompt=[a fox, 狐, 🦊 fox]"))
    assert [shown.drawn(text) for text in shown.labels.values()] == ["a fox", "no. 2", "fox"]
    assert [shown.written(text) for text in shown.labels.values()] == ["a fox", "no. 2: 狐", "🦊 fox"]


def test_cells_that_differ_by_their_seed_alone_are_compiled_once(
    begun: Callable[..., SweepFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    compilations: list[object] = []
    real = grid.compile_recipe
    monkeypatch.setattr(grid, "compile_recipe", lambda *given: compilations.append(given) or real(*given))
    assert len(begun(SMALL, "seed=0..999").cells) == 1000
    assert len(compilations) == 1


def test_the_best_of_several_seeds_is_named_and_all_are_kept(here: None, command: Command) -> None:
    text = PAINTED.replace("fox.webp", str(FOX)) + "best: 3\n"
    told = command("run", text, "--seed", "5")
    assert told.code == OK, told.err
    sweep = only(Path("sweeps"))
    assert [row["seed"] for row in rows(sweep)] == ["5", "6", "7"]
    assert f"the best: {sweep}" in told.err
    assert command("run", "mine.yaml", "--best", "1").folder is not None
    assert "3 cells" in command("sweep", text, "--plan").out
    assert "`best` must be a whole number, from 1 to 100" in command("check", text.replace("best: 3", "best: 0")).err


def test_where_seeds_alone_vary_the_best_comes_first(begun: Callable[..., SweepFolder]) -> None:
    sweep = begun(SMALL, "seed=0..3")
    ranks = {name: 4 - number for number, name in enumerate(names(sweep))}
    assert [cell.set["seed"] for row in table(sweep, ranks).cells for cell in row] == [3, 2, 1, 0]


def test_each_gpu_has_its_own_processes_which_see_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, 5")
    monkeypatch.delenv("T2IFLOW_DEVICE", raising=False)
    seen = [place.environment["CUDA_VISIBLE_DEVICES"] for place in slot.slots(How(per_gpu=2))]
    assert seen == ["3", "5", "3", "5"]
    assert len(slot.slots(How("cuda", 3))) == 3
    monkeypatch.setenv("T2IFLOW_DEVICE", "cpu")
    assert slot.slots(How(jobs=2)) == [slot.Slot("cpu")] * 2


def test_a_sweep_is_not_taken_for_a_run(begun: Callable[..., SweepFolder], command: Command) -> None:
    sweep = begun(SMALL, "seed=0..1")
    told = command("resume", str(sweep.at))
    assert told.code == 2
    assert f"to resume it: `t2iflow sweep {sweep.at}`" in told.err
    assert not (sweep.at / "events.jsonl").exists()
    assert f"`t2iflow sweep {sweep.at}` resumes it" in command("run", str(sweep.at)).err


@pytest.mark.parametrize(("said", "each"), [("3", 3), ("1", 1), ("", 4), ("0", 4), ("2,1", 4)])
def test_each_run_computes_with_the_threads_that_were_asked_for_or_with_its_share(
    said: str, each: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    monkeypatch.setattr(slot, "cores", lambda: 8)
    assert slot.threads(2) == each
