"""A wheel holds all files of the packages, and so what is installed can do what a checkout can."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {"api": "", "nodes": "nodes/", "pipelines": "pipelines/", "runner": "runner/", "examples": "examples/"}
"""Folders, and where they are in the wheel."""


def test_a_wheel_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    pytest.importorskip("setuptools", minversion="77", reason="setuptools, which builds wheels, is missing")
    listed = subprocess.run(["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this is no checkout")
    files = listed.stdout.splitlines()
    for file in (*files, "pyproject.toml", "README.md", "LICENSE"):
        copy = tmp_path / "source" / file
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, copy)
    build = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--no-index", "./source"]
    done = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    folders = {file: file.partition("/")[0] for file in files}
    assert held == {f"t2iflow/{PACKAGES[folder]}{file.removeprefix(f'{folder}/')}" for file, folder in folders.items()}
