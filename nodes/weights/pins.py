"""Digests kept beside the cache's files: what a file was when it was first seen, it has to stay.

A digest takes a second per gigabyte, so it is computed anew only where a file's size or time has changed.
"""

import contextlib
import json
from pathlib import Path
from typing import Any

from t2iflow.nodes.core.whole import cached
from t2iflow.nodes.weights import places
from t2iflow.nodes.weights.content import WrongFileError, examine, sha256
from t2iflow.nodes.weights.records import File, Record


def confirm(name: str, file: File, path: Path, *, anew: bool = False, bound_for: Path | None = None) -> str:
    """The digest of a file of the weights `name`, computed `anew` or trusted if nothing has touched it since.

    `bound_for` is where it goes next. WrongFileError where it is neither the published nor the pinned file.
    """
    pin = _read(name, file)
    stat = path.stat()
    now = [stat.st_size, stat.st_mtime_ns]
    known = file.sha256 or pin.get("sha256")
    if known and not anew and pin.get("sha256") == known and pin.get("seen", {}).get(str(path.absolute())) == now:
        return str(known)
    examine(path, file.name, None if known else file)
    digest = sha256(path)
    if known and digest != known:
        whose = "the published file's" if file.sha256 else f"the one that was pinned in {_place(name, file)}"
        raise WrongFileError(f"its sha256 is {digest}, and not {whose}, {known}")
    _pin(name, file, digest, {**pin.get("seen", {}), str((bound_for or path).absolute()): now})
    return digest


def vouch(name: str, file: File, path: Path) -> None:
    """Pin a file for which the user vouches."""
    stat = path.stat()
    _pin(name, file, sha256(path), {str(path.absolute()): [stat.st_size, stat.st_mtime_ns]})


def pinned(name: str, file: File) -> str | None:
    """The digest that a file has to have, if it is known."""
    return file.sha256 or _read(name, file).get("sha256")


def digests(record: Record) -> dict[str, str]:
    """What is known of the files of weights, without a look at them."""
    found = ((file, pinned(record.name, file)) for file in record.files.values())
    return {f"{record.name}/{file.name}": digest for file, digest in found if digest}


def _place(name: str, file: File) -> Path:
    own = places.own(name, file)
    return own.with_name(f"{own.name}.pin")


def _read(name: str, file: File) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError, RecursionError):
        told = json.loads(_place(name, file).read_text(encoding="utf-8"))
        if isinstance(told, dict) and isinstance(told.get("seen"), dict):
            return told
    return {}


def _pin(name: str, file: File, digest: str, seen: dict[str, list[int]]) -> None:
    with contextlib.suppress(OSError), cached(_place(name, file)) as fresh:  # a cache that is only read serves as well
        fresh.write_text(json.dumps({"sha256": digest, "seen": seen}), encoding="utf-8")
