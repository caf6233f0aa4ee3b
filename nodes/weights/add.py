"""Files that the user has, added to the cache: as published weights, or under a name of their own."""

import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.whole import FULL, whole
from t2iflow.nodes.weights import places, registry
from t2iflow.nodes.weights.content import WrongFileError, examine, sha256
from t2iflow.nodes.weights.entry import Entry, entries
from t2iflow.nodes.weights.families import FAMILIES, beside, called, fitting, guess
from t2iflow.nodes.weights.published import KNOWN
from t2iflow.nodes.weights.records import File, Record

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
    known, before = KNOWN.get(name), registry.find(name)
    if before is not None and family not in (None, before.family):
        raise ValueError(f"`{name}` are weights of the family {before.family}, not of {family}")
    family = before.family if before else family or guess([path.name for path in _flat(given)])
    if family not in FAMILIES:
        raise ValueError(f"there is no family `{family}`; there are {', '.join(FAMILIES)}")
    chosen = _by_role(given, family, known)
    record = known or registry.added(name, family, {role: path.name for role, path in chosen.items()})
    taken = [(Entry(record, role), path) for role, path in chosen.items()]
    for entry, path in taken:
        try:
            _examine(path, entry.file)
        except WrongFileError as fault:
            whose = f"the {entry.role} of `{name}`" if known else f"a {entry.role}"
            raise WrongFileError(f"{path} is not {whose}: {fault}") from fault
    with places.alone(name, say):
        for entry, path in taken:
            _take(path, entry.own)
            entry.vouch()
        if known is None:
            _clear(before, registry.keep(record))
    return {entry.role: entry.own for entry, _ in taken}


def _clear(before: Record | None, now: Record) -> None:
    """Remove the files that others have replaced."""
    for entry in entries(before).values() if before else ():
        if entry.file not in now.files.values():
            entry.remove()


def _examine(path: Path, file: File) -> None:
    """A file that the user vouches for need not have about the size that somebody once rounded."""
    examine(path, file.name, file if file.exact else None)
    if file.sha256 and sha256(path) != file.sha256:
        raise WrongFileError(f"its sha256 is not the published file's, {file.sha256}")


def _flat(given: Sequence[Path]) -> list[Path]:
    """The files, and those in the folders."""
    return [inner for path in given for inner in (sorted(path.iterdir()) if os.path.isdir(path) else [path])]


def _by_role(given: Sequence[Path], family: str, record: Record | None) -> dict[str, Path]:
    """Which file is which: by the published name, else by the family's names."""
    found: dict[str, Path] = {}
    for path in given:
        if os.path.isdir(path):
            found |= beside(path, family)
            continue
        if why := paths.no_file(path):  # a pipe would never end
            raise ValueError(f"`{path}` {why}")
        named = [role for role, file in record.files.items() if file.name == path.name] if record else []
        roles = named or fitting(path.name, family)
        if not roles:
            raise ValueError(f"`{path.name}` is not a file of {family} weights, which are called: {called(family)}")
        if roles[0] in found:
            raise ValueError(f"`{found[roles[0]].name}` and `{path.name}` can't both be the {roles[0]}")
        found[roles[0]] = path
    if not found:
        raise ValueError(f"there are no files of {family} weights in {', '.join(map(str, given))}")
    return found


def _take(path: Path, target: Path) -> None:
    """Link or copy; nothing stands under the target's name before it is whole."""
    if os.path.exists(target) and target.samefile(path):
        return
    with whole(target) as fresh:
        try:
            os.link(path.resolve(), fresh)
        except OSError as fault:
            if fault.errno in FULL:
                raise
            shutil.copyfile(path, fresh)
