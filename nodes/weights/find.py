"""From a name, a folder or a file to weights: in our cache, in another program's, or fetched."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.ambient import Notes
from t2iflow.nodes.core.missing import MissingWeightsError
from t2iflow.nodes.core.types import Loads
from t2iflow.nodes.weights import download, places, registry
from t2iflow.nodes.weights.checkpoints.checkpoint import Checkpoint
from t2iflow.nodes.weights.connection import waiting
from t2iflow.nodes.weights.content import WrongFileError, amount, examine
from t2iflow.nodes.weights.entry import Entry, entries
from t2iflow.nodes.weights.families import FAMILIES, beside, incomplete
from t2iflow.nodes.weights.progress import Intervals, Watch
from t2iflow.nodes.weights.records import Record
from t2iflow.nodes.weights.weights import Weights


def loads(family: str) -> Loads:
    """Marks a setting that names weights of a family."""
    if family not in FAMILIES:
        raise TypeError(f"there is no family of weights `{family}`: add it to FAMILIES in nodes/weights/families.py")
    return Loads(family)


def obtain(name: str, family: str, notes: Notes, *, roles: tuple[str, ...] | None = None) -> Weights:
    """The weights of a family by name, or in a folder or file; of all roles, or only of some.

    MissingWeightsError where they are unavailable or not those that they should be, ValueError where a checkpoint
    can't be read.
    """
    wanted = tuple(FAMILIES[family].files) if roles is None else roles
    record = registry.find(name)
    if record is None:
        return _given(name, family, wanted)
    if record.family != family:
        raise ValueError(f"`{name}` are weights of the family {record.family}, not of {family}")
    if missing := [role for role in wanted if role not in record.files]:
        how = f"`t2iflow weights add {name} FILE` adds what is missing"
        raise MissingWeightsError(f"{incomplete(name, family, missing)}; {how}")
    chosen = [Entry(record, role) for role in wanted]
    found = {entry.role: entry.found(notes) for entry in chosen}
    lacking = [entry for entry in chosen if found[entry.role] is None]
    if lacking:
        found |= fetch(record, lacking, notes, Intervals(notes))
    return Weights(name, {role: path for role, path in found.items() if path is not None})


def offers(name: str, family: str, role: str) -> bool:
    """Whether weights have a file for a role at all, be it here or still to be fetched."""
    record = registry.find(name)
    return role in (beside(paths.given(name), family, (role,)) if record is None else record.files)


def fetch(record: Record, lacking: Iterable[Entry], notes: Notes, watch: Watch) -> dict[str, Path]:
    """Fetch files of weights into the cache; of several processes one does, and the others wait for it."""
    wanted = list(lacking)
    if places.offline() or not all(entry.urls for entry in wanted):
        raise MissingWeightsError(_unavailable(record, wanted))
    with waiting(), places.alone(record.name, notes.say):
        return {entry.role: download.fetch(entry, watch, notes) for entry in wanted}


def pull(record: Record, notes: Notes, progress: Callable[[], AbstractContextManager[Watch]]) -> Iterator[Path]:
    """Each file of weights, fetched where it is not here, or is wrong; a wrong one stays until there is a right one."""
    for role, entry in entries(record).items():
        try:
            path = entry.own if entry.confirm() else entry.borrowed(notes)
        except WrongFileError as fault:
            path = entry.borrowed(notes)
            if path is None and not entry.urls:
                raise MissingWeightsError(f"{fault}. {entry.meant}") from fault
            notes.warn(str(fault))
            if path is not None:
                entry.own.unlink(missing_ok=True)
        if path is None:
            with progress() as watch:
                path = fetch(record, [entry], notes, watch)[role]
        yield path


def _given(name: str, family: str, wanted: tuple[str, ...]) -> Weights:
    place = paths.given(name)
    if why := paths.nothing(place):
        raise MissingWeightsError(f"the weights `{name}` have no known name, and the file or folder {why}")
    try:
        found = beside(place, family, wanted)
        looked = {role: _examined(path) for role, path in found.items()}
    except (WrongFileError, OSError) as fault:
        raise MissingWeightsError(f"the weights `{name}` can't be taken: {fault}") from fault
    lacking = [role for role in wanted if role not in found]
    if lacking:
        raise MissingWeightsError(incomplete(name, family, lacking))
    return Weights(name, found, {role: checkpoint for role, checkpoint in looked.items() if checkpoint is not None})


def _examined(path: Path) -> Checkpoint | None:
    try:
        return examine(path, path.name)
    except WrongFileError as fault:
        raise WrongFileError(f"`{path.name}`: {fault}") from fault


def _unavailable(record: Record, lacking: list[Entry]) -> str:
    files = [entry.file for entry in lacking]
    if record.bundled:
        absent = ", ".join(file.name for file in files)
        return f"the weights `{record.name}` are bundled, but {absent} is missing or damaged: install t2iflow again"
    what = ", ".join(f"{file.name} ({amount(file.size)})" if file.size else file.name for file in files)
    ways = [f"fetch {entry.urls[0]}" for entry in lacking if entry.urls]
    forbidden = f" and {places.OFFLINE} forbids fetching them" if places.offline() else " and are not served anywhere"
    pull = f"Where there is a network: `t2iflow weights pull {record.name}`. Or " if ways else "To fix it: "
    return (
        f"the weights `{record.name}` are not here,{forbidden}. Missing: {what}. Looked in "
        f"{places.searched(files)}. {pull}{'; '.join([*ways, ''])}"
        f"`t2iflow weights add {record.name} {' '.join(file.name for file in files)}`"
    )
