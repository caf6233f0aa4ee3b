"""Memory that it takes to read checkpoints of true shapes: less than 1.3 times the file.

    python benchmarks/full_size.py [--folder /tmp] [ROW ...]

Each is made of random numbers by a process of its own (as tests/weights/ makes it: up to 4 GB of memory, 3 GB of disk),
read by a second one with `obtain`, every number added up, and removed. `all` is what the kernel counts at the peak
beyond the process before it began, pages of the file included, which it takes back when it needs room; `own` is what it
can't take back.
"""

import argparse
import json
import re
import shutil
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from child import output

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # for tests.weights

ROWS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "vqgan": ("vqgan", "vqgan", {}),
    "gumbel vqgan": ("vqgan", "vqgan", {"kind": "gumbel"}),
    "biggan": ("biggan", "biggan", {"side": 512}),
    "biggan 256": ("biggan", "biggan", {"side": 256}),
    "biggan 128": ("biggan", "biggan", {"side": 128}),
    "biggan of 2019": ("biggan", "biggan", {"side": 512}),
    "dvae": ("dvae", "dvae", {}),
    "dalle-mini": ("dalle-mini", "dalle_mini", {}),
    "dalle-mega": ("dalle-mini", "dalle_mini", {"mega": True}),
    "dalle-pytorch": ("dalle-pytorch", "dalle_pytorch", {}),
    "taesd": ("taesd", "taesd", {}),
    "clip": ("clip", "", {}),
}
"""The family, the file of tests/weights that makes its checkpoints, and with what settings."""


def main() -> None:
    """Make, read and remove each, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}; all of them if none is given")
    parser.add_argument("--folder", help="where to put the files meanwhile")
    parser.add_argument("--make", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--read", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.make:
        make(arguments.make[0], Path(arguments.make[1]))
        return
    if arguments.read:
        print(json.dumps(read(*arguments.read)))
        return
    if unknown := [row for row in arguments.rows if row not in ROWS]:
        parser.error(f"unknown rows: {', '.join(unknown)}")
    print(f"{'checkpoint':48} {'file MB':>8} {'read ms':>8} {'all MB':>8} {'own MB':>8} {'all/file':>9}")
    for row in arguments.rows or ROWS:
        folder = Path(tempfile.mkdtemp(dir=arguments.folder))
        try:
            again("--make", row, str(folder))
            for role, path in checkpoints(ROWS[row][0], folder):
                found = json.loads(again("--read", ROWS[row][0], role, str(path)))
                size = path.stat().st_size / 1e6
                figures = f"{size:8.1f} {found['ms']:8.0f} {found['all']:8.1f} {found['own']:8.1f}"
                print(f"{f'{row}: {path.name}':48} {figures} {found['all'] / size:9.2f}", flush=True)
        finally:
            shutil.rmtree(folder)


def again(*arguments: str) -> str:
    """What a new process of this program prints."""
    return output([__file__, *arguments])


def make(row: str, folder: Path) -> None:
    """Write a row's files."""
    import torch

    _, maker, settings = ROWS[row]
    if row == "clip":
        from tests.nodes import checkpoints

        tensors = checkpoints.vit(width=1024, layers=24, patch=14, side=224, text=768)
        checkpoints.save_openai(tensors, folder / "ViT-L-14.pt")
        return
    import_module(f"tests.weights.{maker}").make(folder, full=True, **settings)
    if row == "biggan of 2019":  # as torch wrote files then
        file = next(folder.glob("*.bin"))
        torch.save(torch.load(file, weights_only=True), file, _use_new_zipfile_serialization=False)


def checkpoints(family: str, folder: Path) -> list[tuple[str, Path]]:
    """The checkpoints in a folder, by their roles."""
    from t2iflow.nodes.weights.families import FAMILIES

    files = {"file": ("*.pt",)} if family == "clip" else FAMILIES[family].files
    found = [(role, path) for role, names in files.items() for name in names for path in sorted(folder.glob(name))]
    return [(role, path) for role, path in found if path.suffix not in (".yaml", ".json", ".txt")]


def read(family: str, role: str, file: str) -> dict[str, float]:
    """Read one file in this process: milliseconds, and megabytes by which it grew."""
    import torch

    from t2iflow.nodes.core.ambient import SILENCE
    from t2iflow.nodes.perceptors.clip import checkpoint
    from t2iflow.nodes.weights.find import obtain

    torch.zeros(1000).sum()
    before = memory()
    began = time.perf_counter()
    if family == "clip":
        tensors = checkpoint.read(Path(file)).tensors
    else:
        tensors = obtain(file, family, SILENCE, roles=(role,)).tensors(role, drop=("loss.",))
    took = time.perf_counter() - began
    for tensor in tensors.values():
        tensor.sum()
    after = memory()
    return {
        "ms": took * 1e3,
        "all": after["VmHWM"] - before["RssAnon"] - before["RssFile"],
        "own": after["RssAnon"] - before["RssAnon"],
    }


def memory() -> dict[str, float]:
    """What the kernel counts for this process, in megabytes."""
    status = Path("/proc/self/status").read_text()
    return {key: int(size) * 1024 / 1e6 for key, size in re.findall(r"^(\w+):\s+(\d+) kB", status, re.MULTILINE)}


if __name__ == "__main__":
    main()
