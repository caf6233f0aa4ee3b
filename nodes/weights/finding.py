"""From a name, a folder or a file to the files of weights: in our cache, in another program's, or fetched."""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.missing import MissingWeightsError
from t2iflow.nodes.weights import download, pins, places
from t2iflow.nodes.weights.content import WrongFileError, amount, examine
from t2iflow.nodes.weights.records import ROLES, File, Record, called

if TYPE_CHECKING:
    from t2iflow.nodes.core.ambient import Notes

TELL_EVERY = 10.0
"""Seconds between notes of how far a file has come."""


def files(name: str, family: str, notes: "Notes", roles: Iterable[str]) -> dict[str, Path]:
    """The files of weights, by role. MissingWeightsError where one is unavailable, or is not what it should be."""
    record = places.find(name)
    if record is None:
        return _given(name, family, roles)
    if record.family != family:
        raise ValueError(f"`{name}` are weights of the family {record.family}, not of {family}")
    found = {role: here(record, role, notes) for role in roles if role in record.files}
    lacking = [role for role in roles if found.get(role) is None]
    if lacking:
        found |= fetched(record, lacking, notes, Intervals(notes))
    return {role: path for role, path in found.items() if path is not None}


def here(record: Record, role: str, notes: "Notes | None" = None) -> Path | None:
    """Where a file is already, shown to be the right one; a wrong one of another program's is passed over."""
    file = record.files[role]
    own = places.own(record.name, file)
    if own.is_file():
        try:
            pins.confirm(record.name, file, own)
        except WrongFileError as fault:
            raise MissingWeightsError(
                f"{own} is not the file it should be: {fault}. If it is meant to have changed, confirm it with "
                f"`t2iflow weights add {record.name} {own}`; else `t2iflow weights pull {record.name}` fetches it anew"
            ) from fault
        return own
    for path in places.elsewhere(file):
        if path.is_file():
            try:
                pins.confirm(record.name, file, path)
                return path
            except (WrongFileError, OSError) as fault:
                if notes is not None:
                    notes.warn(f"{path} is passed over: {fault}")
    return None


def seen(record: Record, role: str) -> Path | None:
    """Where a file seems to be, without a look into it."""
    file = record.files[role]
    return next((path for path in (places.own(record.name, file), *places.elsewhere(file)) if path.is_file()), None)


def fetched(record: Record, roles: Iterable[str], notes: "Notes", watch: download.Watch) -> dict[str, Path]:
    """Fetch files into the cache; of several processes one does, and the others wait for it."""
    lacking = {role: record.files[role] for role in roles if role in record.files}
    strangers = [role for role in roles if role not in record.files]
    if strangers:
        raise MissingWeightsError(f"the weights `{record.name}` have no {' and no '.join(strangers)}")
    if places.offline() or not all(places.addresses(record.name, file) for file in lacking.values()):
        raise MissingWeightsError(_missing(record, list(lacking.values())))
    found: dict[str, Path] = {}
    with alone(record.name, notes.say):
        for role, file in lacking.items():
            found[role] = places.own(record.name, file)
            if not found[role].is_file():
                urls = places.addresses(record.name, file)
                size = f", {amount(file.size)}" if file.size else ""
                notes.say(f"fetching `{file.name}` of `{record.name}`{size}, licence {record.licence}, from {urls[0]}")
                download.fetch(record.name, file, urls, found[role], watch, notes)
    return found


@contextmanager
def alone(name: str, say: Callable[[str], object]) -> Iterator[None]:
    """Hold the lock of the weights' folder in the cache, which is made if need be."""
    folder = places.cache() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            say(f"another process is fetching or adding `{name}`; waiting for it")
            lock.acquire()
    except OSError as fault:
        raise MissingWeightsError(
            f"the weights `{name}` can't be kept in {folder}: {fault.strerror}; set T2IFLOW_WEIGHTS to a folder that "
            "can be written"
        ) from fault
    try:
        yield
    finally:
        lock.release()


def beside(place: Path, family: str, roles: Iterable[str]) -> dict[str, Path]:
    """The files in a folder, or those that belong to one file, by the names that the family's publishers use.

    Where there are several, those whose names vary in the same way: `decoder_mini.pt` beside `encoder_mini.pt`.
    """
    folder = place if place.is_dir() else place.parent
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    varied = {role: _varied(patterns, names) for role, patterns in ROLES[family].items()}
    if place.is_file():
        keys = [key for candidates in varied.values() for key, name in candidates.items() if name == place.name]
        if not keys:
            raise WrongFileError(
                f"`{place.name}` is none of the files of {family} weights, which are called: {called(family)}"
            )
    else:
        keys = [next(iter(candidates)) for candidates in varied.values() if len(candidates) == 1]
    found = {}
    for role in roles:
        candidates = varied[role]
        key = next((key for key in (*keys[:1], *_usual(candidates)) if key in candidates), None)
        if key is not None:
            found[role] = folder / candidates[key]
        elif candidates:
            listed = ", ".join(candidates.values())
            raise WrongFileError(
                f"{folder} holds several files for the {role}: {listed}; name one in place of the folder"
            )
    return found


def _varied(patterns: Iterable[str], names: list[str]) -> dict[str, str]:
    """The names that fit a pattern, by what its first `*` stands for; those of the first pattern before others."""
    found: dict[str, str] = {}
    for pattern in patterns:
        first, *rest = (re.escape(part) for part in pattern.split("*"))
        form = re.compile(f"{first}(.*){'.*'.join(rest)}")
        found = {match[1]: name for name in names if (match := form.fullmatch(name))} | found
    return found


def _usual(candidates: Mapping[str, str]) -> list[str]:
    return list(candidates) if len(candidates) == 1 else ["", "model"]


def _given(name: str, family: str, roles: Iterable[str]) -> dict[str, Path]:
    place = paths.given(name)
    if why := paths.nothing(place):
        raise MissingWeightsError(f"the weights `{name}` have no known name, and the file or folder {why}")
    wanted = list(roles)
    try:
        found = beside(place, family, wanted)
        for path in found.values():
            examine(path, path.name)
    except (WrongFileError, OSError) as fault:
        raise MissingWeightsError(f"the weights `{name}` can't be taken: {fault}") from fault
    lacking = [role for role in wanted if role not in found]
    if lacking:
        raise MissingWeightsError(f"the weights `{name}` are incomplete; missing: {called(family, *lacking)}")
    return found


def _missing(record: Record, lacking: list[File]) -> str:
    what = ", ".join(f"{file.name} ({amount(file.size)})" if file.size else file.name for file in lacking)
    ways = [f"fetch {urls[0]}" for file in lacking if (urls := places.addresses(record.name, file))]
    forbidden = " and T2IFLOW_OFFLINE forbids fetching them" if places.offline() else " and are not served anywhere"
    pull = f"Where there is a network: `t2iflow weights pull {record.name}`. Or " if ways else "To mend it: "
    return (
        f"the weights `{record.name}` are not here,{forbidden}. Missing: {what}. Looked in "
        f"{places.searched(lacking)}. {pull}{'; '.join([*ways, ''])}"
        f"`t2iflow weights add {record.name} {' '.join(file.name for file in lacking)}`"
    )


class Intervals:
    """Tells now and then how far a file has come."""

    def __init__(self, notes: "Notes") -> None:
        self._notes = notes
        self._last = time.monotonic()

    def __call__(self, name: str, done: int, whole: int) -> None:
        """Hear of progress, as `download.Watch`."""
        if time.monotonic() - self._last > TELL_EVERY:
            self._last = time.monotonic()
            self._notes.say(f"`{name}`: {amount(done)}" + (f" of {amount(whole)}" if whole else ""))
