"""Sweeps that are kept on a storage: moto's S3 on a loopback address."""

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from t2iflow.pipelines.text.recipe import read
from t2iflow.runner.events import Ended, Event, Stepped
from t2iflow.runner.exits import FAILED, OK
from t2iflow.runner.folder.claim import BusyError
from t2iflow.runner.sweep import holding, kept, lease, sweeping, task, work
from t2iflow.runner.sweep.folder import SweepFolder
from t2iflow.runner.sweep.lease import LostError
from t2iflow.runner.sweep.slot import How
from t2iflow.runner.sweep.storage import Storage, StorageError
from t2iflow.runner.sweep.varied import Varied
from tests.runner.conftest import Command, swept

RECIPE = swept(steps=40, seeds="0..1")
CELL = "000-seed=0"
PICTURE = f"runs/{CELL}/picture.png"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server that speaks as S3 does."""
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    moto = pytest.importorskip("moto.server", reason="moto is not installed")
    made = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    made.start()
    yield "http://{}:{}".format(*made.get_host_and_port())
    made.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """An empty bucket `sweeps`, and a machine that has not seen it before."""
    import s3fs

    said = {"ENDPOINT_URL": server, "ACCESS_KEY_ID": "me", "SECRET_ACCESS_KEY": "me", "DEFAULT_REGION": "us-east-1"}
    for name, value in said.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    s3fs.S3FileSystem.clear_instance_cache()
    system = s3fs.S3FileSystem()
    system.mkdir("sweeps")
    yield system
    system.rm("sweeps", recursive=True)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs of life come at once; whoever gives none for a minute is dead."""
    for module in (lease, holding):
        monkeypatch.setattr(module, "BEAT", 0.2)
        monkeypatch.setattr(module, "DEAD", 60.0)


def begun(place: Path, out: str) -> SweepFolder:
    """A sweep of which no cell has been made."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "mine.yaml").write_text(RECIPE, "utf-8")
    recipe = read(str(place / "mine.yaml"))
    return sweeping.begin(Varied(recipe, recipe.sweep), out, How("cpu"))


def unbroken(place: Path) -> bytes:
    """The picture of the first cell of a sweep in a folder."""
    sweep = begun(place / "plain", str(place / "plain"))
    assert work.make(sweep.at, CELL, "cpu").code == OK
    return (sweep.at / PICTURE).read_bytes()


def test_a_sweep_is_kept_on_a_storage_and_goes_on_from_a_machine_that_has_nothing_of_it(
    bucket: Any, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = command("sweep", RECIPE, "--out", "S3://sweeps/mine", "--jobs", "1")
    assert told.code == 0, told.err
    (place,) = bucket.ls("sweeps/mine")
    assert f"kept at s3://{place}" in told.err
    files = {name.removeprefix(f"{place}/") for name in bucket.find(place)}
    assert {"sweep.yaml", "recipe.yaml", "index.html", "sheet.png", "results.csv", PICTURE} < files
    assert not [name for name in files if "lease" in name or "checkpoint" in name]
    picture = bucket.cat(f"{place}/{PICTURE}")
    bucket.rm(f"{place}/runs/{CELL}", recursive=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    told = command("sweep", f"s3://{place}")
    assert told.code == 0, told.err
    assert "2 cells, 1 finished before" in told.err
    assert bucket.cat(f"{place}/{PICTURE}") == picture


def test_a_run_that_stopped_on_one_machine_continues_on_another_with_the_same_bytes(
    bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 20:
            os.kill(os.getpid(), signal.SIGTERM)

    sweep = begun(tmp_path, "s3://sweeps/mine")
    assert work.make(sweep.at, CELL, "cpu", [stop]).code == 128 + signal.SIGTERM
    assert bucket.exists(f"{sweep.place}/runs/{CELL}/checkpoint.pt")
    other = kept.copied(sweep.place, tmp_path / "another")
    assert work.make(other.at, CELL, "cpu").code == OK
    assert not bucket.exists(f"{sweep.place}/runs/{CELL}/checkpoint.pt")
    assert bucket.cat(f"{sweep.place}/{PICTURE}") == unbroken(tmp_path)


def test_a_node_of_a_cluster_makes_a_cell_of_a_sweep_of_which_it_has_nothing(
    bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sweep = begun(tmp_path, "s3://sweeps/mine")
    packages = dict(sweep.packages or {})
    assert task.prepare(sweep.place, packages, ()) == ""
    assert task.make(sweep.place, CELL, "cpu", 10.0, packages).code == OK
    assert bucket.cat(f"{sweep.place}/{PICTURE}") == unbroken(tmp_path)
    (scratch,) = tmp_path.glob("t2iflow-sweep-*")
    assert not list((scratch / "runs").iterdir())


def test_a_checkpoint_is_kept_while_the_run_goes_on(bucket: Any, tmp_path: Path, quick: None) -> None:
    sweep = begun(tmp_path, "s3://sweeps/mine")
    seen = []

    def wait(event: Event) -> None:
        if isinstance(event, Stepped) and event.step > 1 and not seen:
            until = time.monotonic() + 20
            while not seen and time.monotonic() < until:
                time.sleep(0.1)
                bucket.invalidate_cache()
                seen.extend(name for name in bucket.find(f"{sweep.place}/runs") if name.endswith("checkpoint.pt"))

    assert work.make(sweep.at, CELL, "cpu", [wait], save_every=0.0).code == OK
    assert seen
    assert not [name for name in bucket.find(sweep.place) if ".snapshots" in name]  # only whoever paints looks at them


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_run_that_finished_but_could_not_be_kept_is_kept_by_the_next_command_and_not_run_again(
    bucket: Any, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_killed: bool
) -> None:
    sweep = begun(tmp_path, "s3://sweeps/mine")
    with monkeypatch.context() as patch:
        patch.setattr(Storage, "put", _fail(KeyboardInterrupt if is_killed else StorageError))
        if is_killed:
            with pytest.raises(KeyboardInterrupt):
                work.make(sweep.at, CELL, "cpu")
        else:
            made = work.make(sweep.at, CELL, "cpu")
            assert (made.code, made.message) == (FAILED, "no answer")
    assert not bucket.exists(f"{sweep.place}/{PICTURE}")
    log = (sweep.runs / CELL / "events.jsonl").read_bytes()
    told = command("sweep", sweep.place)
    assert told.code == 0, told.err
    assert "2 cells\n" in told.err
    assert bucket.cat(f"{sweep.place}/{PICTURE}") == (sweep.at / PICTURE).read_bytes()
    assert bucket.cat(f"{sweep.place}/runs/{CELL}/events.jsonl") == log
    assert "2 cells, 2 finished before" in command("sweep", sweep.place).err


def _fail(kind: type[BaseException]) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise kind("no answer")

    return fail


def test_of_two_machines_one_makes_a_cell_and_the_other_finds_it_busy(bucket: Any, tmp_path: Path, quick: None) -> None:
    sweep = begun(tmp_path, "s3://sweeps/mine")
    other = kept.copied(sweep.place, tmp_path / "another")
    found = []

    def look(event: Event) -> None:
        if isinstance(event, Stepped) and not found:
            found.append(_tries(other))

    assert work.make(sweep.at, CELL, "cpu", [look]).code == OK
    assert found == ["busy"]
    assert work.make(other.at, CELL, "cpu").code == OK  # and takes what is there
    assert (other.at / PICTURE).read_bytes() == (sweep.at / PICTURE).read_bytes()


def _tries(sweep: SweepFolder) -> str:
    one = Storage(sweep.place, sweep.at).lease(f"runs/{CELL}")
    try:
        one.take()
    except BusyError:
        return "busy"
    return "taken"


def test_a_lease_whose_holder_is_dead_is_taken_over_and_the_holder_learns_of_it(
    bucket: Any, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "DEAD", 1.0)
    storage = Storage("s3://sweeps/mine")
    dead, next_one = storage.lease("runs/a"), storage.lease("runs/a")
    dead.take()
    next_one.take()
    with pytest.raises(LostError):
        dead.renew()
    next_one.renew()
    next_one.release()
    assert not storage.names()


def test_a_run_that_has_lost_its_lease_stops_and_keeps_nothing(bucket: Any, tmp_path: Path, quick: None) -> None:
    sweep = begun(tmp_path, "s3://sweeps/mine")

    def rob(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 5:
            (held,) = bucket.ls(f"{sweep.place}/leases/runs/{CELL}")
            bucket.pipe(f"{held.rpartition('/')[0]}/000007", b"{}")
            time.sleep(1)
        if isinstance(event, Ended):  # its last checkpoint is there
            time.sleep(1)

    assert work.make(sweep.at, CELL, "cpu", [rob]).code == work.BUSY
    assert not bucket.exists(f"{sweep.place}/{PICTURE}")


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("s3://nowhere/mine", "can't use `s3://nowhere/mine/"),
        ("nonsense://x/y", "is not the address of a storage; write s3://BUCKET/PATH, or a folder"),
        ("FILE:///tmp/x", "is on this machine's disk: write it as a path"),
        ("memory://x", "is gone when the command ends; write s3://BUCKET/PATH, or a folder"),
        ("ftp://127.0.0.1:9/x", "can't use `ftp://127.0.0.1:9/x/"),
    ],
)
def test_where_nothing_can_be_kept_the_command_says_so_and_leaves_nothing(
    bucket: Any, command: Command, tmp_path: Path, out: str, words: str
) -> None:
    told = command("sweep", RECIPE, "--out", out)
    assert told.code == 1
    assert words in told.err
    assert not list(tmp_path.rglob("sweep.yaml"))


def test_where_there_is_no_sweep_the_command_says_so(bucket: Any, command: Command) -> None:
    told = command("sweep", "s3://sweeps/nothing")
    assert told.code == 1
    assert "there is no sweep at `s3://sweeps/nothing`" in told.err


def test_a_storage_that_does_not_answer_is_an_error_in_words(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage("s3://sweeps/mine")
    monkeypatch.setattr(storage._system, "find", _fail(TimeoutError))
    with pytest.raises(StorageError, match="no answer"):
        storage.names()


def test_a_sweep_whose_storage_is_out_of_reach_at_its_end_says_how_to_resume(
    bucket: Any, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = begun(tmp_path, "s3://sweeps/mine")
    for cell in sweep.cells:
        assert work.make(sweep.at, cell.name, "cpu").code == OK
    with monkeypatch.context() as patch:
        patch.setattr(Storage, "put", _fail(StorageError))
        told = command("sweep", sweep.place)
    assert told.code == 1
    assert f"no answer; to resume:\n  t2iflow sweep {sweep.place}\n" in told.err
    assert "kept at" not in told.err
    assert command("sweep", sweep.place).code == OK


@pytest.mark.parametrize("key", ["runs/../../../outside", "../outside", "/outside", "runs/.hidden", "C:\\outside"])
def test_what_others_keep_there_is_written_nowhere_else(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = pytest.importorskip("fsspec").filesystem("memory")
    monkeypatch.setattr("t2iflow.runner.sweep.storage._opened", lambda address: (memory, "/theirs"))
    for name in ("recipe.yaml", key):
        memory.pipe_file(f"/theirs/{name}", b"t2iflow: 1\n")
    storage = Storage("s3://theirs", tmp_path / "deep" / "down" / "here")
    storage.get(storage.names())
    memory.rm("/theirs", recursive=True)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["recipe.yaml"]
