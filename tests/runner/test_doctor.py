"""What is broken is found and named with what mends it, and can't harm the one who looks."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from t2iflow.nodes.perceptors.lite import efficientnet
from t2iflow.nodes.weights import records
from t2iflow.nodes.weights.published import KNOWN
from t2iflow.runner.cli import doctor
from t2iflow.runner.cli.doctor import Check, examine, imports
from t2iflow.runner.cli.main import app
from t2iflow.runner.exits import FAILED, OK


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes seconds: packages are not imported."""
    monkeypatch.setattr(doctor, "_packages", lambda: iter([]))


def bad() -> Check:
    """The only thing that is broken."""
    (one,) = [finding for finding in examine() if not finding.well]
    assert one.mend
    return one


def test_a_healthy_installation_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_required", lambda: ["pydantic", "pyyaml"])
    findings = [finding for finding in examine() if "real CLIPs" not in finding.what]
    assert [finding for finding in findings if not finding.well] == []
    told = "\n".join(finding.what for finding in findings)
    for what in (
        "Python 3",
        "torch 2",
        "`lite` has its weights",
        "bundled weights",
        "ffmpeg version",
        "run folders",
        "pydantic, ",
    ):
        assert what in told


def test_modules_that_fail_end_the_process_or_hang_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = {
        "sound_one": "print('something of its own')",
        "raising_one": "raise RuntimeError('operator nms does not exist')",
        "ending_one": "import os; os._exit(3)",
        "good_one": "",
    }
    for name, source in sources.items():
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    faults = dict(imports([*sources, "a_module_that_is_not_there"]))
    assert list(faults) == [*sources, "a_module_that_is_not_there"]
    assert faults["sound_one"] is None
    assert faults["raising_one"] == "RuntimeError: operator nms does not exist"
    assert faults["ending_one"] == "it ends the process (code 3)"
    assert faults["good_one"] is None
    assert "No module named" in (faults["a_module_that_is_not_there"] or "")


def test_what_takes_too_long_to_import_is_not_called_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hanging_one.py").write_text("import time; time.sleep(60)", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert dict(imports(["hanging_one", "json"], patience=1)) == {"hanging_one": doctor.SLOW, "json": doctor.SLOW}
    monkeypatch.setattr(doctor, "imports", lambda names: [(name, doctor.SLOW) for name in names])
    assert all(finding.well for finding in doctor._packages())


def test_modules_of_the_working_folder_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("json", "importlib", "timeit", "safetensors", "filelock"):
        (tmp_path / f"{name}.py").write_text("open('ran', 'w')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert dict(imports(["timeit", "safetensors", "filelock"])) == {
        "timeit": None,
        "safetensors": None,
        "filelock": None,
    }
    assert not (tmp_path / "ran").exists()


@pytest.mark.usefixtures("quick")
def test_the_command_ends_by_what_it_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert CliRunner().invoke(app, ["doctor"]).exit_code == OK
    monkeypatch.setenv("T2IFLOW_DEVICE", "abacus")
    told = CliRunner().invoke(app, ["doctor"])
    assert told.exit_code == FAILED
    assert "unset or change T2IFLOW_DEVICE" in told.output


@pytest.mark.usefixtures("quick")
def test_damaged_weights_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "efficientnet-lite0-57934424.pth"
    path.write_bytes(b"cut short")
    monkeypatch.setattr(efficientnet, "weights_file", lambda member: path)
    assert str(path) in bad().what


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("content", [b"cut short", None])
def test_damaged_bundled_weights_are_found(
    content: bytes | None, own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, record = tmp_path / "small_decoder.pth", KNOWN["small-taesd"]
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setattr(records, "SMALL", tmp_path)
    damaged = replace(record.files["decoder"], kept=str(file))
    monkeypatch.setitem(KNOWN, record.name, replace(record, files={"decoder": damaged}))
    found = bad()
    assert str(file) in found.what
    assert found.mend == "install t2iflow again"
    told = CliRunner().invoke(app, ["weights", "pull", "small-taesd"])
    assert told.exit_code == 4
    assert "small_decoder.pth is missing or damaged: install t2iflow again" in told.stderr


@pytest.mark.usefixtures("quick")
def test_a_missing_package_of_weights_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    member = efficientnet.FAMILY["lite0"]._replace(package="a_package_that_is_not_there")
    monkeypatch.setitem(efficientnet.FAMILY, "lite0", member)
    assert bad() == Check(
        False,
        "the perceptor `lite` lacks the package a_package_that_is_not_there",
        "pip install a-package-that-is-not-there",
    )


@pytest.mark.usefixtures("quick")
def test_a_missing_ffmpeg_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/a/program/that/is/not/there")
    assert bad().what.startswith("films can't be made")


@pytest.mark.usefixtures("quick")
def test_a_device_that_is_not_there_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T2IFLOW_DEVICE", "abacus")
    assert "abacus" in bad().what


@pytest.mark.usefixtures("quick")
def test_folders_that_can_not_be_written_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "writable", lambda path: False)
    told = [finding.what for finding in examine() if not finding.well]
    assert [what.split()[:2] for what in told] == [["the", "cache"], ["run", "folders"]]


@pytest.mark.usefixtures("quick")
def test_a_broken_package_of_nodes_is_found(plugin: Callable[[str], None]) -> None:
    plugin("import a_module_that_is_not_there")
    assert "`mine.*`" in bad().what


def test_a_missing_torchvision_is_worth_a_note_and_a_broken_one_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    here = {"torchvision": "0.1", "open_clip_torch": "3.0"}
    monkeypatch.setattr(doctor, "_version", lambda name: here.get(name, ""))
    fault = {"torchvision": "RuntimeError: operator torchvision::nms does not exist", "open_clip": None}
    broken = doctor._clip(fault)
    assert not broken.well
    assert "operator torchvision::nms" in broken.what
    assert "torch torchvision" in broken.mend
    del here["torchvision"]
    absent = doctor._clip(fault)
    assert absent.well
    assert "torch torchvision" in absent.mend
