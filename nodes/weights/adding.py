"""Files that the user has, taken into the cache: for published weights, or under a name of their own."""

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path

from t2iflow.nodes.core.whole import FULL, whole, write
from t2iflow.nodes.weights import pins, places
from t2iflow.nodes.weights.content import WrongFileError, examine, sha256
from t2iflow.nodes.weights.finding import alone, beside
from t2iflow.nodes.weights.records import KNOWN, ROLES, File, Record, called

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"


def add(
    name: str, given: Sequence[Path], family: str | None = None, say: Callable[[str], object] = lambda text: None
) -> dict[str, Path]:
    """Take files into the cache, linked where that can be and copied else; gives where they are, by role.

    WrongFileError where a file is not what it should be, ValueError where it is not clear what it is. `say` is called
    where another process has to be waited for.
    """
    if not re.fullmatch(NAME, name):
        raise ValueError(f"`{name}` can't be a name: letters, digits, `.`, `_` and `-`")
    record = KNOWN.get(name)
    if record is not None and family not in (None, record.family):
        raise ValueError(f"`{name}` are weights of the family {record.family}, not of {family}")
    family = record.family if record else family or _guess([path.name for path in _flat(given)])
    if family not in ROLES:
        raise ValueError(f"there is no family `{family}`; there are {', '.join(ROLES)}")
    chosen = _by_role(given, family, record)
    files = record.files if record else {role: File(path.name) for role, path in chosen.items()}
    for role, path in chosen.items():
        try:
            _examine(path, files[role])
        except WrongFileError as fault:
            raise WrongFileError(f"{path} is not {_whose(name, role, record)}: {fault}") from fault
    with alone(name, say):
        for role, path in chosen.items():
            _take(path, places.own(name, files[role]))
            pins.vouch(name, files[role], places.own(name, files[role]))
        if record is None:
            _name(name, family, files)
    return {role: places.own(name, files[role]) for role in chosen}


def _name(name: str, family: str, files: Mapping[str, File]) -> None:
    """Note what weights of the user's own are made of, beside the files that were added to them before."""
    before = places.find(name)
    kept = before.files if before and before.family == family else {}
    names = {role: file.name for role, file in {**kept, **files}.items()}
    write(places.cache() / name / places.ADDED, json.dumps({"family": family, "files": names}))


def _examine(path: Path, file: File) -> None:
    """A file that the user vouches for need not have about the size that somebody once rounded."""
    examine(path, file.name, file if file.exact else None)
    if file.sha256 and sha256(path) != file.sha256:
        raise WrongFileError(f"its sha256 is not the published file's, {file.sha256}")


def _whose(name: str, role: str, record: Record | None) -> str:
    return f"the {role} of `{name}`" if record else f"a {role}"


def _flat(given: Sequence[Path]) -> list[Path]:
    """The files, and those in the folders."""
    return [inner for path in given for inner in (sorted(path.iterdir()) if path.is_dir() else [path])]


def _by_role(given: Sequence[Path], family: str, record: Record | None) -> dict[str, Path]:
    """Which file is which: by the published name, else by the family's names."""
    found: dict[str, Path] = {}
    for path in given:
        if path.is_dir():
            found |= beside(path, family, ROLES[family])
            continue
        if not path.is_file():  # a pipe would never end
            raise ValueError(f"`{path}` is no file" if path.exists() else f"there is no file `{path}`")
        named = [role for role, file in record.files.items() if file.name == path.name] if record else []
        fitting = named or [role for role in ROLES[family] if _fitting(path.name, family, role)]
        if not fitting:
            raise ValueError(
                f"`{path.name}` is none of the files of {family} weights, which are called: {called(family)}"
            )
        if fitting[0] in found:
            raise ValueError(f"`{found[fitting[0]].name}` and `{path.name}` can't both be the {fitting[0]}")
        found[fitting[0]] = path
    if not found:
        raise ValueError(f"there are no files of {family} weights in {', '.join(map(str, given))}")
    return found


def _guess(names: Sequence[str]) -> str:
    """The family whose files are called like this; of several the one that says most of the names."""

    def said(family: str) -> int:
        fitting = [pattern for name in names for role in ROLES[family] for pattern in _fitting(name, family, role)]
        return sum(len(pattern.replace("*", "")) for pattern in fitting)

    best = max(ROLES, key=said)
    if said(best) == 0:
        raise ValueError(f"{', '.join(names)}: no family's files are called so; say which it is with --family")
    return best


def _fitting(name: str, family: str, role: str) -> list[str]:
    """The patterns of a role that a file's name fits."""
    return [pattern for pattern in ROLES[family][role] if fnmatch(name, pattern)]


def _take(path: Path, target: Path) -> None:
    """Link or copy; nothing stands under the target's name before it is whole."""
    if target.exists() and target.samefile(path):
        return
    with whole(target) as fresh:
        try:
            os.link(path.resolve(), fresh)
        except OSError as fault:
            if fault.errno in FULL:
                raise
            shutil.copyfile(path, fresh)
