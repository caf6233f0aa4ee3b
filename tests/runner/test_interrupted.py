"""Runs that are stopped, damaged, edited or crowded: they end with the same bytes, or say what is wrong."""

import errno
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import PIL.Image
import pytest
import torch

from t2iflow.nodes.pictures.metadata import read_recipe
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.text.recipe import read, read_text
from t2iflow.runner import session
from t2iflow.runner.events import Ended, Event, Noted, Stepped
from t2iflow.runner.execution import checkpoint
from t2iflow.runner.execution.faults import out_of_memory
from t2iflow.runner.folder import claim, folder
from t2iflow.runner.session import Outcome
from tests import kills
from tests.runner.conftest import COPY

FILM = """
t2iflow: 1
nodes:
  photo:  {use: images.noise, size: [16, 16], kind: fractal}
  canvas: {use: canvas.pixels, size: [16, 16]}
  same:   {use: losses.reference, image: $canvas, reference: $photo}
  fit:    {use: optimizers.adam, image: $canvas, loss: $same, rate: 0.1, steps: 4}
  zoom:   {use: camera.zoom, image: $fit, frames: 6, steps: 3, scale: 0.9, hold: 0.5}
  film:   {use: output.strip, image: $zoom, file: film.png}
  still:  {use: output.image, image: $fit}
"""


GREEDY = """
t2iflow: 1
nodes:
  clip:   {use: clip.model, name: lite}
  words:  {use: clip.text, clip: $clip, prompt: fox}
  canvas: {use: canvas.pixels, size: [64, 64]}
  cuts:   {use: cutouts.square, image: $canvas, count: 96, size: 224}
  seen:   {use: clip.look, crops: $cuts, clip: $clip}
  near:   {use: losses.spherical, seen: $seen, wanted: $words}
  fit:    {use: optimizers.adam, image: $canvas, loss: $near, steps: 1}
  still:  {use: output.image, image: $fit}
"""
"""Of which a single pass takes gigabytes."""


def planned(recipe: str, *overrides: str, home: Path = Path()) -> Plan:
    return compile_recipe(read_text(recipe, "mine.yaml", home, overrides=overrides))


class Stop:
    """A listener that sends this process a signal at a step, and keeps what it is told."""

    def __init__(self, step: int | None = None, number: int = signal.SIGINT) -> None:
        self.step, self.number = step, number
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Stepped) and event.step == self.step:
            signal.raise_signal(self.number)

    @property
    def notes(self) -> str:
        return "\n".join(event.text for event in self.events if isinstance(event, Noted))


def start(plan: Plan, parent: Path, step: int | None = None, number: int = signal.SIGINT, every: float = 10) -> Outcome:
    return session.start(plan, parent, session.Options("cpu", every), [Stop(step, number)])


def resume(path: Path) -> tuple[Outcome, str]:
    """Resume in another process's place: the recipe is read from the run folder; gives the notes too."""
    listener = Stop()
    outcome = session.resume(compile_recipe(read(str(path / "recipe.yaml"))), path, session.Options("cpu"), [listener])
    return outcome, listener.notes


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What FILM leaves when nothing stops it."""
    return kills.left(start(planned(FILM), tmp_path_factory.mktemp("film")).folder)


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """The folder of a run of FILM that was stopped in the middle of its fourth frame."""
    return start(planned(FILM), tmp_path, 11).folder


# Stopped in mid-frame


@pytest.mark.parametrize("camera", ["hold", "resemble", "loop", "start", "infinite"])
def test_a_film_stopped_in_mid_frame_ends_with_the_same_bytes(camera: str, tmp_path: Path) -> None:
    fox = shutil.copyfile(kills.shipped_recipes()["hello"].parent / "fox.webp", tmp_path / "fox.webp")
    clip = "  clip:   {use: clip.model, name: lite}\n" if "clip" in kills.CAMERAS[camera] else ""
    recipe = FILM.replace("images.noise, size: [16, 16], kind: fractal", f"images.load, file: {fox}, size: [16, 16]")
    lines = [line for line in recipe.splitlines() if not line.startswith("  zoom")]
    plan = planned("\n".join([*lines, clip + f"  zoom: {{use: {kills.CAMERAS[camera]}, image: $fit}}\n"]))
    unbroken = kills.left(start(plan, tmp_path / "unbroken").folder)
    run = start(plan, tmp_path / "stopped", 5 if clip else 8).folder
    outcome, notes = resume(run)
    assert outcome.code == 0, outcome.message
    assert kills.left(run) == unbroken
    assert not notes


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_run_leaves_its_picture_so_far_and_says_so(number: int, tmp_path: Path) -> None:
    outcome = start(planned(COPY), tmp_path, 2, number)
    assert outcome.code == 128 + number
    assert "after 3 of 6 steps" in outcome.message
    assert "t2iflow resume" in outcome.message
    assert "# unfinished: 3 of 6 steps" in (read_recipe(outcome.folder / "picture.png") or "")
    finished = start(planned(COPY), tmp_path / "unbroken").folder
    assert (outcome.folder / "picture.png").read_bytes() != (finished / "picture.png").read_bytes()
    assert resume(outcome.folder)[0].code == 0
    assert kills.left(outcome.folder) == kills.left(finished)


def test_a_hangup_that_nohup_ignores_is_ignored(tmp_path: Path) -> None:
    handler = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert start(planned(COPY), tmp_path, 2, signal.SIGHUP).code == 0
    finally:
        signal.signal(signal.SIGHUP, handler)


def test_a_run_of_ten_million_steps_begins_at_once(tmp_path: Path) -> None:
    plan = planned(COPY.replace("24, 24", "4, 4"), "steps=10000000")
    tracemalloc.start()
    try:
        assert start(plan, tmp_path, 2).code == 130
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


def test_a_run_is_resumed_with_the_threads_that_it_began_with(tmp_path: Path) -> None:
    run = start(planned(COPY), tmp_path, 2).folder
    now = torch.get_num_threads()
    lock = run / "lock.yaml"
    lock.write_text(lock.read_text().replace(f"threads: {now}", f"threads: {now + 1}"))
    outcome, notes = resume(run)
    assert outcome.code == 0
    assert f"computing with {now + 1} threads, as the run began" in notes
    assert torch.get_num_threads() == now


# Damaged


def flip(path: Path, place: float = 0.5) -> None:
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 4
    path.write_bytes(data)


CHECKPOINTS: dict[str, Callable[[Path], object]] = {
    "a bit in its middle": flip,
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-7]),
    "another program's": lambda path: torch.save({"step": -3}, path),
    "a program": lambda path: path.write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR."),
    "a link": lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("damage", CHECKPOINTS)
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(
    damage: str, stopped: Path, film: dict[str, bytes]
) -> None:
    CHECKPOINTS[damage](stopped / "checkpoint.pt")
    outcome, notes = resume(stopped)
    assert outcome.code == 0, outcome.message
    assert "`checkpoint.pt` is" in notes
    assert "weights_only" not in notes
    assert kills.left(stopped) == film


def test_with_both_checkpoints_damaged_the_run_starts_again(stopped: Path, film: dict[str, bytes]) -> None:
    for name in ("checkpoint.pt", "checkpoint-before.pt"):
        flip(stopped / name)
    outcome, notes = resume(stopped)
    assert outcome.code == 0
    assert "checkpoint-before.pt" in notes
    assert kills.left(stopped) == film


FRAMES: dict[str, Callable[[Path], object]] = {
    "changed": flip,
    "cut": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "missing": Path.unlink,
    "exchanged": lambda path: shutil.copyfile(path.with_name("000001.png"), path),
    "a link": lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
}


@pytest.mark.parametrize("damage", FRAMES)
def test_a_damaged_frame_is_named_and_made_again(damage: str, stopped: Path, film: dict[str, bytes]) -> None:
    FRAMES[damage](stopped / ".frames/film.png/000002.png")
    outcome, notes = resume(stopped)
    assert outcome.code == 0, outcome.message
    assert "frame 2 of `film.png`" in notes
    assert kills.left(stopped) == film


@pytest.mark.parametrize("fault", [PermissionError(errno.EACCES, "Permission denied"), OSError(errno.EIO, "I/O error")])
@pytest.mark.parametrize("name", ["checkpoint.pt", "000002.png"])
def test_what_can_not_be_read_now_is_not_taken_for_damaged(
    name: str, fault: OSError, stopped: Path, film: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    as_it_is = Path.read_bytes

    def refused(path: Path) -> bytes:
        if path.name == name:
            raise fault
        return as_it_is(path)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", refused)
        outcome, _ = resume(stopped)
    assert outcome.code == 1
    assert outcome.message.startswith(str(fault.strerror))
    assert resume(stopped)[0].code == 0
    assert kills.left(stopped) == film


@pytest.mark.parametrize("name", ["lock.yaml", "losses.csv", "report.html", "now.png", ".running.json", ".lock"])
def test_a_pipe_in_place_of_a_file_of_the_run_lets_nothing_hang(
    name: str, stopped: Path, film: dict[str, bytes]
) -> None:
    (stopped / name).unlink(missing_ok=True)
    os.mkfifo(stopped / name)
    outcome, _ = resume(stopped)
    assert outcome.code == 0, outcome.message
    assert kills.left(stopped).items() >= {key: data for key, data in film.items() if key != name}.items()


def test_what_a_kill_left_half_written_is_gone_at_the_end(stopped: Path) -> None:
    for path in [*stopped.iterdir(), stopped / "film.png", stopped / "picture.png"]:
        (stopped / f".{path.name}").write_bytes(b"half")
    (stopped / ".snapshots" / ".0-step-1.png").write_bytes(b"half")
    passing = [".checkpoint.pt", ".checkpoint-before.pt", ".now.png", "..running.json"]
    assert resume(stopped)[0].code == 0
    assert not [name for name in (*passing, ".snapshots", ".frames", "now.png", ".lock") if (stopped / name).exists()]


@pytest.mark.parametrize("name", ["picture.png", "report.html", ".frames/film.png/000004.png"])
def test_what_the_system_refuses_is_said_with_the_file_and_without_numbers(name: str, stopped: Path) -> None:
    (stopped / name).unlink(missing_ok=True)
    (stopped / name).mkdir(parents=True)
    outcome, _ = resume(stopped)
    assert outcome.code == 1
    assert f"{name}`: Is a directory" in outcome.message
    assert "Errno" not in outcome.message


@pytest.mark.parametrize("part", ["checkpoint.pt", ".frames"])
def test_no_flipped_bit_passes_in_silence(part: str, stopped: Path, tmp_path: Path, film: dict[str, bytes]) -> None:
    files = sorted((stopped / part).rglob("0*.png")) if part == ".frames" else [stopped / part]
    for number in range(3):
        run = shutil.copytree(stopped, tmp_path / f"copy-{number}")
        flip(run / (file := files[number % len(files)]).relative_to(stopped), (number + 0.3) / 3)
        outcome, notes = resume(run)
        assert outcome.code == 0, outcome.message
        assert file.name in notes
        assert kills.left(run) == film


WRONG = {"step": -3, "turn": 99, "optimizer": "none", "parts": 0}


@pytest.mark.parametrize("name", [*WRONG, "late", "canvas", "shape", "bomb"])
def test_a_checkpoint_that_fits_no_plan_is_refused_in_words(name: str, stopped: Path) -> None:
    saved = checkpoint.read(stopped / "checkpoint.pt")
    (tensor,) = saved.trained["canvas"]
    changed = {
        "late": {"step": 4000},
        "canvas": {"trained": {}},
        "shape": {"trained": {"canvas": [tensor[..., :1].clone()]}},
        "bomb": {"memories": {"fit": {str(n): torch.zeros(10000).view(1, -1) for n in range(1)} | shared(3000)}},
    }.get(name, {name: WRONG.get(name)})
    replace(saved, **changed).save(stopped)  # type: ignore[arg-type]
    (stopped / "checkpoint-before.pt").unlink()
    outcome, _ = resume(stopped)
    assert outcome.code == 1
    assert "the checkpoint" in outcome.message
    assert "delete `checkpoint.pt`" in outcome.message


def shared(count: int) -> dict[str, torch.Tensor]:
    """Tensors that ask for much more memory than they are stored in."""
    stored = torch.zeros(100_000)
    return {str(number): stored.view(-1) for number in range(count)}


# Edited


def test_an_edited_recipe_is_refused_with_the_line_that_changed(stopped: Path) -> None:
    recipe = stopped / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("hold: 0.5", "hold: 0.6"))
    outcome, _ = resume(stopped)
    assert outcome.code == 1
    assert "hold: 0.5\nand is\n    hold: 0.6" in outcome.message
    recipe.write_text(recipe.read_text().replace("hold: 0.6", "hold: 0.5"))
    assert resume(stopped)[0].code == 0


EDITORS: dict[str, Callable[[bytes], bytes]] = {
    "a byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "ends of lines as on Windows": lambda text: text.replace(b"\n", b"\r\n"),
    "no end of the last line": bytes.rstrip,
    "an empty line more": lambda text: text + b"\n",
}


@pytest.mark.parametrize("left", EDITORS)
def test_what_an_editor_leaves_that_changed_nothing_is_no_change(
    left: str, stopped: Path, film: dict[str, bytes]
) -> None:
    recipe = stopped / "recipe.yaml"
    recipe.write_bytes(EDITORS[left](recipe.read_bytes()))
    outcome, _ = resume(stopped)
    assert outcome.code == 0, outcome.message
    assert kills.left(stopped).items() >= {name: film[name] for name in ("film.png", "picture.png")}.items()


def test_an_input_that_was_changed_is_refused(tmp_path: Path) -> None:
    shutil.copyfile(kills.shipped_recipes()["hello"].parent / "fox.webp", tmp_path / "fox.webp")
    recipe = COPY.replace("images.noise, size: [24, 24], kind: fractal", "images.load, file: fox.webp, size: [24, 24]")
    run = start(planned(recipe, home=tmp_path), tmp_path / "runs", 2).folder
    (copy,) = (run / "inputs").iterdir()
    PIL.Image.new("RGB", (24, 24)).save(copy)
    outcome, _ = resume(run)
    assert outcome.code == 1
    assert copy.name in outcome.message


# Crowded


def test_a_run_folder_that_can_not_be_written_in_is_refused_before_a_step(
    stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    with pytest.raises(claim.FolderError, match="can't write in"):
        resume(stopped)


def test_a_run_folder_that_another_process_holds_is_refused(stopped: Path) -> None:
    with claim.claim(stopped), pytest.raises(claim.BusyError, match=f"process {os.getpid()} on "):
        resume(stopped)
    assert resume(stopped)[0].code == 0


def test_what_a_killed_start_leaves_is_no_run_and_is_swept_when_it_is_old(tmp_path: Path) -> None:
    fresh, old, alive = (tmp_path / f"{folder.MAKING}{name}" for name in ("fresh", "old", "alive"))
    for path in (fresh, old, alive):
        (path / "inputs").mkdir(parents=True)
        (path / "recipe.yaml").write_text(COPY)
    with pytest.raises(claim.NotResumableError, match="holds no run"):
        resume(fresh)
    with claim.claim(alive):
        for path in (old, alive):
            os.utime(path, (0, 0))
        assert start(planned(COPY), tmp_path).code == 0
    assert fresh.exists()
    assert alive.exists()
    assert not old.exists()


def test_a_run_goes_into_just_the_folder_that_is_named(tmp_path: Path) -> None:
    run = tmp_path / "deep" / "mine"
    assert session.start(planned(COPY), tmp_path, session.Options("cpu"), [], folder=run).folder == run
    assert (run / "picture.png").is_file()
    with pytest.raises(folder.FolderError, match="exists"):
        session.start(planned(COPY), tmp_path, session.Options("cpu"), [], folder=run)


def test_nothing_is_begun_where_an_input_is_lost_while_the_folder_is_made(tmp_path: Path) -> None:
    shutil.copyfile(kills.shipped_recipes()["hello"].parent / "fox.webp", tmp_path / "fox.webp")
    recipe = COPY.replace("images.noise, size: [24, 24], kind: fractal", "images.load, file: fox.webp, size: [24, 24]")
    plan = planned(recipe, home=tmp_path)
    (tmp_path / "fox.webp").unlink()
    with pytest.raises(folder.FolderError, match="can't make a run folder"):
        start(plan, tmp_path / "runs")
    assert not list((tmp_path / "runs").iterdir())


LINKS = ("checkpoint.pt", ".checkpoint.pt", "checkpoint-before.pt", ".picture.png", ".frames/film.png/000005.png")


@pytest.mark.parametrize("name", LINKS)
def test_nothing_is_written_through_a_link_in_a_run_folder(name: str, stopped: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (stopped / name).unlink(missing_ok=True)
    (stopped / name).symlink_to(tmp_path / "precious")
    assert resume(stopped)[0].code == 0
    assert (tmp_path / "precious").read_text() == "precious"


@pytest.mark.parametrize("name", ["recipe.yaml", "events.jsonl", ".lock"])
def test_a_run_folder_whose_own_files_are_links_is_refused(name: str, stopped: Path, tmp_path: Path) -> None:
    if (stopped / name).exists():
        shutil.move(stopped / name, tmp_path / "precious")
    else:
        (tmp_path / "precious").write_text("precious")
    before = (tmp_path / "precious").read_bytes()
    (stopped / name).unlink(missing_ok=True)
    (stopped / name).symlink_to(tmp_path / "precious")
    with pytest.raises(folder.FolderError):
        resume(stopped)
    assert (tmp_path / "precious").read_bytes() == before


# The end


def test_a_kill_before_the_end_is_recorded_leaves_a_run_that_can_be_resumed(
    stopped: Path, film: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(*arguments: object) -> None:
        raise Killed

    monkeypatch.setattr(folder, "tidy", killed)  # after report and log
    with pytest.raises(Killed):
        resume(stopped)
    monkeypatch.undo()
    assert (stopped / "report.html").exists()
    with pytest.raises(claim.NotResumableError, match="is finished"):
        resume(stopped)
    assert kills.left(stopped) == film
    log = stopped / "events.jsonl"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:-1]))  # killed before its last line
    assert resume(stopped)[0].code == 0
    assert kills.left(stopped) == film


# Listeners that die


@pytest.mark.parametrize(
    "fault", [BrokenPipeError(errno.EPIPE, "Broken pipe"), OSError(errno.EIO, "Input/output error"), SystemExit(1)]
)
def test_a_listener_that_fails_is_told_no_more_and_the_run_ends_well(fault: BaseException, tmp_path: Path) -> None:
    told = []

    def dying(event: Event) -> None:
        told.append(event)
        if isinstance(event, Stepped):
            raise fault

    other = Stop()
    outcome = session.start(planned(COPY), tmp_path, session.Options("cpu"), [dying, other])
    assert outcome.code == 0
    assert sum(isinstance(event, Stepped) for event in told) == 1
    assert "the run continues" in other.notes
    assert isinstance(other.events[-1], Ended)


@pytest.mark.parametrize("streams", ["--json 2>/dev/full | head -1", ">&- 2>&-"])
def test_a_run_whose_streams_take_nothing_ends_well(streams: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(COPY)
    shell = f"{sys.executable} -m t2iflow.runner run mine.yaml {streams}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    (run,) = (tmp_path / "runs").iterdir()
    assert json.loads((run / "events.jsonl").read_text().splitlines()[-1])["how"] == "finished"


# No room, no memory


@pytest.mark.parametrize("limit", [300, 3000, 12_000])
def test_a_full_disk_is_named_leaves_nothing_half_written_and_the_run_can_be_resumed(
    limit: int, tmp_path: Path, film: dict[str, bytes]
) -> None:
    plan = planned(FILM)

    def fill(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 11:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        outcome = session.start(plan, tmp_path, session.Options("cpu"), [fill])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert outcome.code == 1
    assert "the disk is full" in outcome.message
    assert {path.name for path in outcome.folder.glob(".*")} <= {".frames", ".lock", ".snapshots"}
    assert resume(outcome.folder)[0].code == 0
    assert kills.left(outcome.folder) == film


@pytest.mark.parametrize(
    "fault",
    [
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: ..."),
        RuntimeError("[enforce fail] . DefaultCPUAllocator: not enough memory: you tried to allocate 64 bytes."),
        RuntimeError("could not create a memory object"),
        RuntimeError("could not create a primitive"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        MemoryError(),
    ],
)
def test_every_way_to_say_that_memory_is_out_is_known(fault: BaseException) -> None:
    assert out_of_memory(fault)


@pytest.mark.parametrize("fault", [ValueError("out of memory is a fine title"), OSError(errno.ENOENT, "no file")])
def test_what_is_no_lack_of_memory_is_not_taken_for_one(fault: BaseException) -> None:
    assert not out_of_memory(fault)


def test_a_cpu_without_memory_is_retried_in_more_passes_and_ends_with_code_5(tmp_path: Path) -> None:
    code = """
import resource, sys
from pathlib import Path
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.text.recipe import read_text
from t2iflow.runner import session
from t2iflow.runner.events import Noted, Fitting
notes = []
def limit(event):
    if isinstance(event, Fitting):
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 1_000_000, resource.RLIM_INFINITY))
    if isinstance(event, Noted):
        notes.append(event.text)
plan = compile_recipe(read_text(sys.argv[1], "mine.yaml", Path()))
outcome = session.start(plan, Path("runs"), session.Options("cpu"), [limit])
print(outcome.code, sum(note.startswith("out of memory") for note in notes), outcome.message)
"""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    words = [sys.executable, "-c", code, GREEDY]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ended, retried, said = done.stdout.split(maxsplit=2)
    assert ended == "5"
    assert int(retried) >= 1
    assert "smaller `size` of the canvas" in said


# Kills


def test_runs_killed_at_random_moments_end_with_the_same_bytes() -> None:
    command = [sys.executable, "-m", "tests.kills", "8", "--only", "mixed", "--each", "4"]
    done = subprocess.run(command, cwd=Path(kills.__file__).parent.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = {name: int(count) for count, name in re.findall(r"(\d+) ([a-z ]+)", done.stdout)}
    assert counts["kills"] >= 8
    assert counts["same bytes"] == counts["resumed"] > 0
