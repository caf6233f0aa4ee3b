"""Trained weights put into the package: their files, what is known of them, and whose pictures they were trained on."""

import json
import shutil
import tempfile
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from t2iflow.nodes.core.whole import write
from t2iflow.nodes.weights.families import FAMILIES, beside, called
from t2iflow.nodes.weights.records import SMALL
from training.packages import Package, listed

LIST, LICENCES = SMALL / "weights.json", SMALL / "LICENSES.md"


HEAD = """\
# What the small weights were trained on

The weights in this folder are ours, under the MIT licence of this project. They were trained from nothing on pictures
of these packages, none of which is contained here. Their authors are thanked, and named, as their licences ask. Some of
the licences are share-alike: who holds that weights are adaptations of the pictures that they were trained on should
use them under those terms. Those of the kind `scenes` gave `lite-scenes.safetensors` alone: of each scene the mean of
what EfficientNet-Lite0 makes of pictures of it.

| package | registry | kind | licence | by |
|---|---|---|---|---|
"""


def trained(weights: Path, family: str) -> dict[str, Path]:
    """The files by role in a folder of weights; ValueError where a training has not come so far as to write them."""
    found = beside(weights, family) if weights.is_dir() else {}
    lacking = [role for role in FAMILIES[family].files if role not in found]
    if lacking:
        raise ValueError(f"{weights} lacks {called(family, *lacking)}: train `{family}` first")
    return found


def ship(name: str, family: str, about: str, factor: int, codes: int, weights: Path) -> Path:
    """Copy the files of weights into the package, in place of those before, and add them to its list; says where."""
    files = {}
    with tempfile.TemporaryDirectory(dir=SMALL) as scratch:
        fresh, old = Path(scratch) / name, Path(scratch) / "old"
        fresh.mkdir()
        for role, path in trained(weights, family).items():
            shutil.copyfile(path, fresh / path.name)
            digest = sha256(path.read_bytes()).hexdigest()
            files[role] = {"name": path.name, "size": path.stat().st_size, "sha256": digest}
        folder = SMALL / name
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
    told = json.loads(LIST.read_text(encoding="utf-8"))
    told[name] = {
        "family": family,
        "about": about,
        "factor": factor,
        **({"codes": codes} if codes else {}),
        "files": files,
    }
    write(LIST, json.dumps(told, indent=2) + "\n")
    write(LICENCES, licences(listed()))
    return folder


def licences(packages: Iterable[Package]) -> str:
    """The page that names the packages whose pictures took part."""
    rows = [
        f"| {one.name or one.key} {one.version} | {one.registry} | {one.kind} | {one.licence} | {one.by} |"
        for one in packages
        if not one.held_out
    ]
    return HEAD + "\n".join(rows) + "\n"
