"""`t2iflow weights ...`, and what runs, plans and the doctor say of weights."""

import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from typer.testing import CliRunner

from t2iflow.nodes.weights.published import KNOWN
from t2iflow.runner.cli import doctor
from t2iflow.runner.cli.main import app
from tests.mirror import Mirror, late, slow
from tests.runner.conftest import Command

DECODER, ENCODER = "/taesd/taesd_decoder.pth", "/taesd/taesd_encoder.pth"

NODES = """
from typing import Annotated

import torch

from t2iflow.nodes.core.ambient import Notes
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.types import Image
from t2iflow.nodes.weights.find import loads, obtain

@node
def picture(notes: Notes, *, weights: Annotated[str, loads("taesd")] = "taesd") -> Image:
    found = obtain(weights, "taesd", notes, roles=("decoder",))
    return Image(found.tensors("decoder")["weight"][:192].view(1, 3, 8, 8).sigmoid())
"""
"""A node that paints with weights."""

RECIPE = """
t2iflow: 1
title: Weights
nodes:
  paint: {use: mine.picture, weights: taesd}
  still: {use: output.image, image: $paint}
"""


def checkpoint(seed: int = 0) -> bytes:
    file = io.BytesIO()
    torch.save({"weight": torch.randn(1_250_000, generator=torch.Generator().manual_seed(seed))}, file)
    return file.getvalue()


GOOD = checkpoint()


class Ended:
    """How a command ended; what it told stands on one line, whatever the terminal's width."""

    def __init__(self, *arguments: str) -> None:
        result = CliRunner().invoke(app, ["weights", *arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        self.code, self.out, self.err = result.exit_code, result.stdout, result.stderr


def states() -> dict[str, str]:
    return {one["name"]: one["state"] for one in json.loads(Ended("list", "--json").out)}


def test_weights_are_listed_with_where_they_are(mirror: Mirror, own_cache: Path) -> None:
    mirror.files |= {DECODER: GOOD, ENCODER: GOOD}
    assert {state for name, state in states().items() if not KNOWN[name].bundled} == {"not here"}
    assert {state for name, state in states().items() if KNOWN[name].bundled} == {"here"}
    assert Ended("pull", "taesd").code == 0
    assert states()["taesd"] == "here"
    lines = {line.split()[0]: line for line in Ended("list").out.splitlines()}
    assert lines["imagenet-f16-16384"].split() == ["imagenet-f16-16384", "vqgan", "980", "MB", "not", "here", "MIT"]
    assert str(own_cache / "taesd") in lines["taesd"]
    assert Ended("path", "taesd").out.splitlines() == [str(own_cache / path[1:]) for path in (DECODER, ENCODER)]


def test_pull_fetches_only_what_is_not_here_or_wrong(mirror: Mirror, own_cache: Path) -> None:
    mirror.files |= {DECODER: GOOD, ENCODER: GOOD}
    assert Ended("pull", "taesd").code == 0
    assert Ended("pull", "taesd").code == 0
    assert mirror.counts == {DECODER: 1, ENCODER: 1}
    (own_cache / DECODER[1:]).write_bytes(checkpoint(1))
    told = Ended("pull", "taesd")
    assert told.code == 0
    assert "is not the file it should be" in told.err
    assert mirror.counts == {DECODER: 2, ENCODER: 1}
    assert (own_cache / DECODER[1:]).read_bytes() == GOOD


def test_pull_of_what_is_not_served_ends_with_code_4(mirror: Mirror) -> None:
    told = Ended("pull", "taesd")
    assert told.code == 4
    assert f"{mirror.url}{DECODER}: 404" in told.err


def test_a_name_that_is_not_known_is_a_wrong_command(own_cache: Path) -> None:
    told = Ended("pull", "imagenet-f16-1684")
    assert told.code == 2
    assert "did you mean `imagenet-f16-16384`?" in told.err


def test_two_processes_fetch_a_file_once(mirror: Mirror, own_cache: Path) -> None:
    mirror.files |= {DECODER: GOOD, ENCODER: GOOD}
    mirror.first |= {DECODER: [late(1.5)], ENCODER: [late(0.5)]}
    command = [sys.executable, "-m", "t2iflow.runner", "weights", "pull", "taesd"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    told = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert told[0][0] == told[1][0]
    assert mirror.counts == {DECODER: 1, ENCODER: 1}
    assert (own_cache / DECODER[1:]).read_bytes() == GOOD


def test_a_full_disk_leaves_nothing_and_tells_what_is_needed(mirror: Mirror, own_cache: Path) -> None:
    mirror.files |= {DECODER: GOOD, ENCODER: GOOD}
    # A process that may write no file above 2 MB meets the same fault as on a full disk, in the middle of the file.
    done = subprocess.run(
        [sys.executable, "-m", "t2iflow.runner", "weights", "pull", "taesd"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4
    assert "the disk is too full for `taesd_decoder.pth`: 5 MB are needed" in done.stderr
    assert [path.name for path in own_cache.rglob("*") if path.is_file() and path.name != ".lock"] == []
    assert Ended("pull", "taesd").code == 0


def test_verify_finds_what_changed(mirror: Mirror, own_cache: Path) -> None:
    mirror.files |= {DECODER: GOOD, ENCODER: GOOD}
    Ended("pull", "taesd")
    told = Ended("verify")
    assert told.code == 0
    assert [line.split()[0] for line in told.out.splitlines() if " taesd " in line] == ["ok", "ok"]
    assert "wrong" not in told.out
    path = own_cache / DECODER[1:]
    stat = path.stat()
    path.write_bytes(checkpoint(1))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # which the quick look of a run believes
    told = Ended("verify", "taesd")
    assert told.code == 4
    assert [line.split()[0] for line in told.out.splitlines()] == ["wrong", "ok"]
    assert Ended("verify", "taef2").code == 4


@pytest.fixture
def vqgan(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "model.yaml").write_text("model: {}\n", encoding="utf-8")
    (folder / "last.ckpt").write_bytes(GOOD)
    return folder


def test_files_are_added_for_known_weights(vqgan: Path, own_cache: Path) -> None:
    told = Ended("add", "imagenet-f16-16384", str(vqgan / "model.yaml"), str(vqgan / "last.ckpt"))
    assert told.code == 0
    assert states()["imagenet-f16-16384"] == "here"
    assert (own_cache / "imagenet-f16-16384" / "vqgan_imagenet_f16_16384.ckpt").read_bytes() == GOOD
    (vqgan / "last.ckpt").write_bytes(checkpoint(1))
    assert Ended("add", "imagenet-f16-16384", str(vqgan)).code == 0
    assert Ended("verify", "imagenet-f16-16384").code == 0


def test_files_are_added_under_a_name_of_their_own(vqgan: Path, own_cache: Path) -> None:
    told = Ended("add", "roses", str(vqgan))
    assert told.code == 0
    assert states()["roses"] == "here"
    listed = next(one for one in json.loads(Ended("list", "--json").out) if one["name"] == "roses")
    assert listed["family"] == "vqgan"
    assert set(listed["files"]) == {"config", "checkpoint"}


def test_added_files_take_the_place_of_those_before(vqgan: Path, own_cache: Path) -> None:
    assert Ended("add", "roses", str(vqgan)).code == 0
    later = vqgan / "later.ckpt"
    (vqgan / "last.ckpt").rename(later)
    assert Ended("add", "roses", str(later)).code == 0
    assert {path.name for path in (own_cache / "roses").glob("*.ckpt*")} == {"later.ckpt", "later.ckpt.pin"}
    assert states()["roses"] == "here"
    assert Ended("verify", "roses").code == 0


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("a.ckpt", "vqgan"),
        ("biggan-deep-128-pytorch_model.bin", "biggan"),
        ("decoder.pkl", "dvae"),
        ("decoder_mini.pt", "dalle-mini"),
        ("dalle.pt", "dalle-pytorch"),
        ("taef2_decoder.pth", "taesd"),
    ],
)
def test_the_family_is_guessed_from_names(name: str, family: str, own_cache: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(GOOD)
    assert Ended("add", "mine", name).code == 0
    assert {one["family"] for one in json.loads(Ended("list", "--json").out) if one["name"] == "mine"} == {family}


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["imagenet-f16-1024", "mine/last.ckpt"], 4, "bytes, not 957954257"),
        (["dalle-mini", "encoder_mini.pt"], 4, "its sha256 is not the published file's"),
        (["taesd", "page_decoder.pth"], 4, "it is a web page"),
        (["mine", "cut.ckpt"], 4, "it is cut short"),
        (["mine", "nowhere.ckpt"], 2, "`nowhere.ckpt` doesn't exist"),
        (["mine", "pipe.ckpt"], 2, "`pipe.ckpt` is a pipe or a device"),
        (["mine", "legacy.ckpt"], 4, "is cut short"),
        (["mine", "a" * 300 + ".ckpt"], 2, "has a name that is too long"),
        (["mine", "notes.doc"], 2, "no family's files have such names"),
        (["taesd", "mine/last.ckpt"], 2, "not a file of taesd weights"),
        (["../mine", "mine/last.ckpt"], 2, "can't be a name"),
        (["taesd", "mine/last.ckpt", "--family", "vqgan"], 2, "of the family taesd"),
        (["mine", "mine/last.ckpt", "--family", "vqqan"], 2, "there is no family `vqqan`"),
        (["mine", "mine/last.ckpt", "cut.ckpt"], 2, "can't both be the checkpoint"),
    ],
)
def test_wrong_files_are_not_added(
    arguments: list[str], code: int, told: str, vqgan: Path, own_cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "encoder_mini.pt").write_bytes(GOOD)
    (tmp_path / "page_decoder.pth").write_bytes(b"\n<!DOCTYPE html><html></html>")
    (tmp_path / "cut.ckpt").write_bytes(GOOD[: len(GOOD) // 2])
    (tmp_path / "notes.doc").write_bytes(b"something")
    os.mkfifo(tmp_path / "pipe.ckpt")
    torch.save({"a": torch.ones(1000)}, tmp_path / "legacy.ckpt", _use_new_zipfile_serialization=False)
    os.truncate(tmp_path / "legacy.ckpt", 3000)
    ended = Ended("add", *arguments)
    assert ended.code == code
    assert told in ended.err
    assert not own_cache.exists()


def test_a_run_fetches_what_it_needs_and_locks_it(
    mirror: Mirror, command: Command, plugin: Callable[[str], None]
) -> None:
    plugin(NODES)
    mirror.files[DECODER] = GOOD
    told = command("plan", RECIPE)
    host = mirror.url.removeprefix("http://")
    assert f"paint  taesd, up to 10 MB to be fetched from {host}, licence MIT" in told.out
    told = command("run", RECIPE)
    assert told.code == 0, told.err
    assert "paint: fetching `taesd_decoder.pth` of `taesd`, 5 MB, licence MIT" in told.err
    assert told.folder is not None
    locked = yaml.safe_load((told.folder / "lock.yaml").read_text(encoding="utf-8"))["weights"]
    assert list(locked) == ["taesd/taesd_decoder.pth"]
    assert yaml.safe_load((told.folder / "recipe.yaml").read_text("utf-8"))["nodes"]["paint"]["weights"] == "taesd"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_fetches_weights_stops_at_the_first_signal(
    number: signal.Signals, mirror: Mirror, own_cache: Path, tmp_path: Path
) -> None:
    mirror.files[DECODER] = GOOD
    mirror.first[DECODER] = [slow(20)]
    (tmp_path / "mine.yaml").write_text(RECIPE.replace("mine.picture", "taesd.canvas, size: [16, 16]"))
    command = [sys.executable, "-m", "t2iflow.runner", "run", "mine.yaml", "--out", "made"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr
        assert any("fetching `taesd_decoder.pth`" in line for line in run.stderr)
        until(lambda: (own_cache / f"{DECODER[1:]}.part").exists())
        began = time.monotonic()
        run.send_signal(number)
        said = run.stderr.read()
    assert run.returncode == 128 + number
    assert time.monotonic() - began < 15
    assert "interrupted; to resume:" in said


def until(true: Callable[[], bool]) -> None:
    """Wait for something, ten seconds at most."""
    for _ in range(100):
        if true():
            return
        time.sleep(0.1)
    raise TimeoutError


def test_a_run_without_its_weights_ends_with_code_4(
    mirror: Mirror, command: Command, plugin: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin(NODES)
    monkeypatch.setenv("T2IFLOW_OFFLINE", "1")
    assert "T2IFLOW_OFFLINE forbids fetching it" in command("plan", RECIPE).out
    told = command("run", RECIPE)
    assert told.code == 4
    assert "`t2iflow weights pull taesd`" in told.err


def test_a_path_in_a_recipe_starts_at_the_recipe(
    own_cache: Path, tmp_path: Path, command: Command, plugin: Callable[[str], None]
) -> None:
    plugin(NODES)
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf" / "small_decoder.pth").write_bytes(GOOD)
    (tmp_path / "shelf" / "mine.yaml").write_text(RECIPE.replace("weights: taesd", "weights: small_decoder.pth"))
    told = command("run", "shelf/mine.yaml")
    assert told.code == 0, told.err
    assert told.folder is not None
    again = command("run", str(told.folder / "recipe.yaml"))
    assert again.code == 0, again.err


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ("taedd", "did you mean `taesd`?"),
        ("biggan-deep-128", "are biggan weights, not taesd weights"),
        ("https://example.org/taesd_decoder.pth", "addresses are not read: download the file"),
        ("empty", "there are no taesd weights in `empty`"),
        ("half", "the weights `half` are incomplete; missing: decoder *decoder*.pth or *decoder*.safetensors"),
        ("mine.yaml", "`mine.yaml` is not a file of taesd weights"),
    ],
)
def test_wrong_weights_are_found_by_check(
    weights: str, told: str, own_cache: Path, tmp_path: Path, command: Command, plugin: Callable[[str], None]
) -> None:
    plugin(NODES)
    (tmp_path / "empty").mkdir()
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "small_encoder.pth").write_bytes(GOOD)
    ended = command("check", RECIPE.replace("weights: taesd", f"weights: {weights}"))
    assert ended.code == 3
    assert "error T2I411" in ended.err
    assert "mine.yaml:5:" in ended.err
    assert told in ended.err


def test_added_weights_that_lack_a_file_are_not_called_here(
    own_cache: Path, tmp_path: Path, command: Command, plugin: Callable[[str], None]
) -> None:
    plugin(NODES)
    recipe = RECIPE.replace("weights: taesd", "weights: roses")
    for file in ("my_encoder.pth", "my_decoder.pth"):
        (tmp_path / file).write_bytes(GOOD)
    assert Ended("add", "roses", "my_encoder.pth").code == 0
    assert states()["roses"] == "in part"
    path = Ended("path", "roses")
    assert path.code == 4
    assert "missing: decoder *decoder*.pth" in path.err
    for verb in ("check", "plan", "run"):
        ended = command(verb, recipe)
        assert ended.code == 3
        assert "missing: decoder *decoder*.pth" in ended.err
        assert "`t2iflow weights add roses FILE` adds what is missing" in ended.err
        assert ended.folder is None
    assert Ended("add", "roses", "my_decoder.pth").code == 0
    assert states()["roses"] == "here"
    assert command("run", recipe).code == 0


def test_a_file_that_can_not_be_fetched_is_kept_though_it_changed(own_cache: Path, tmp_path: Path) -> None:
    (tmp_path / "my_decoder.pth").write_bytes(GOOD)
    assert Ended("add", "roses", "my_decoder.pth").code == 0
    path = own_cache / "roses" / "my_decoder.pth"
    path.write_bytes(checkpoint(1))  # as training on does
    (bad,) = [finding for finding in doctor.examine() if not finding.well and "damaged" in finding.what]
    confirm = f"`t2iflow weights add roses {path}`"
    assert bad.mend == f"If you meant to change it, confirm that with {confirm}"
    told = Ended("pull", "roses")
    assert told.code == 4
    assert confirm in told.err
    assert path.read_bytes() == checkpoint(1)
    assert Ended("add", "roses", str(path)).code == 0
    assert Ended("verify", "roses").code == 0


@pytest.mark.parametrize("offline", ["0", "1"])
def test_a_wrong_file_stays_until_there_is_a_right_one(
    offline: str, mirror: Mirror, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.files |= {DECODER: GOOD, ENCODER: GOOD}
    assert Ended("pull", "taesd").code == 0
    path = own_cache / DECODER[1:]
    path.write_bytes(checkpoint(1))
    monkeypatch.setenv("T2IFLOW_OFFLINE", offline)
    mirror.files.clear()
    assert Ended("pull", "taesd").code == 4
    assert path.read_bytes() == checkpoint(1)


@pytest.mark.parametrize("arguments", [("add", "roses", "my_decoder.pth"), ("pull", "taesd")])
def test_a_cache_that_can_not_be_written_is_named(
    arguments: tuple[str, ...], mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_decoder.pth").write_bytes(GOOD)
    monkeypatch.setenv("T2IFLOW_WEIGHTS", "my_decoder.pth")
    told = Ended(*arguments)
    assert told.code == 4
    assert "can't be kept in my_decoder.pth/" in told.err
    assert "set T2IFLOW_WEIGHTS to a folder that can be written" in told.err


def test_added_weights_stay_of_their_family(own_cache: Path, vqgan: Path, tmp_path: Path) -> None:
    assert Ended("add", "roses", str(vqgan)).code == 0
    (tmp_path / "my_decoder.pth").write_bytes(GOOD)
    told = Ended("add", "roses", "my_decoder.pth")
    assert told.code == 2
    assert "`my_decoder.pth` is not a file of vqgan weights" in told.err
    assert states()["roses"] == "here"
    assert len(Ended("path", "roses").out.splitlines()) == 2


@pytest.mark.parametrize("variable", ["T2IFLOW_WEIGHTS", "HF_HOME", "PYTORCH_PRETRAINED_BIGGAN_CACHE", "TORCH_HOME"])
def test_in_a_folder_that_can_not_be_looked_into_nothing_is_here(
    variable: str,
    own_cache: Path,
    command: Command,
    plugin: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plugin(NODES)
    monkeypatch.setenv(variable, "a" * 300)  # another reason, but the same fault as where there is no permission
    assert {state for name, state in states().items() if not KNOWN[name].bundled} == {"not here"}
    told = command("check", RECIPE.replace("weights: taesd", "weights: taedd"))
    assert told.code == 3
    assert "did you mean `taesd`?" in told.err


def test_the_doctor_finds_damaged_weights(mirror: Mirror, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_packages", lambda: iter([]))
    assert any("none yet" in finding.what for finding in doctor.examine())
    mirror.files |= {DECODER: GOOD, ENCODER: GOOD}
    Ended("pull", "taesd")
    assert any(finding.what.endswith(": taesd") for finding in doctor.examine())
    (own_cache / DECODER[1:]).write_bytes(GOOD[:1000])
    (bad,) = [finding for finding in doctor.examine() if not finding.well]
    assert bad.mend == "t2iflow weights pull taesd"


def test_help_and_the_list_need_no_torch(own_cache: Path) -> None:
    for arguments in (["--help"], ["weights", "--help"], ["weights", "list"]):
        code = (
            f"import sys; sys.argv[1:] = {arguments!r}\nfrom t2iflow.runner.cli.main import main\n"
            "try: main()\nexcept SystemExit: assert 'torch' not in sys.modules, 'torch'"
        )
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
