"""How a picture, a film or a whole run compares with what its recipe makes now, and what may explain a difference."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from t2iflow.nodes.pictures.metadata import read_recipe
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.runner import session
from t2iflow.runner.apart import Finding, apart
from t2iflow.runner.events import Listener
from t2iflow.runner.exits import FAILED, HUNG_UP, OK
from t2iflow.runner.folder import lock, provenance
from t2iflow.runner.folder.history import RECIPE, outputs
from t2iflow.runner.opening import threads

UNKNOWN = (
    "no reason is recorded: it was made with the same versions, threads, device and weights, as far as is known, and"
    " may have been changed since"
)


@dataclass(frozen=True)
class Verdict:
    """An exit code, and lines to print."""

    code: int
    lines: tuple[str, ...]


def verify(target: Path, plan: Plan, wanted: str, listeners: Sequence[Listener]) -> Verdict:
    """Make a picture, a film or all outputs of a run folder again by their plan, with as many threads as they were made
    with, and compare; code 0 if they agree."""
    with TemporaryDirectory(prefix="t2iflow-verify-") as place:
        outcome = session.start(plan, Path(place), session.Options(wanted, threads=threads(target)), listeners)
        if outcome.code >= HUNG_UP:
            return Verdict(outcome.code, ("interrupted; nothing was compared",))
        if outcome.code != OK:
            return Verdict(outcome.code, (outcome.message,))
        made = outputs(outcome.folder)
        found = list(findings(target, made))
        told = [one.text for one in found]
        if all(one.same for one in found):
            return Verdict(OK, tuple(told))
        known = [reason for one in made for reason in reasons(target, one, outcome.folder)]
        return Verdict(FAILED, (*told, *(dict.fromkeys(known) or (UNKNOWN,))))


def findings(target: Path, made: Iterable[Path]) -> Iterator[Finding]:
    """Each output of a run folder, or the one picture or film, compared with what was `made` again."""
    files = list(made)
    if target.is_dir():
        for file in files:
            yield _compared(target / file.name, file)
        return
    content = target.read_bytes()
    alike = [file for file in files if file.suffix.lower() == target.suffix.lower()]
    same = [file for file in alike if file.read_bytes() == content]
    named = [file for file in alike if file.name == target.name]
    yield _compared(target, next(iter([*same, *named, *alike]), None))


def reasons(target: Path, made: Path, again: Path) -> list[str]:
    """Which versions, threads, device and weights differ from those that made the target, as far as they are recorded.

    `made` is an output of the run `again`, and the target, or a file of that name in the target, was made like it.
    """
    theirs = target / made.name if target.is_dir() else target
    told = [*provenance.differences(_line(theirs), _line(made))]
    beside = theirs.parent
    if (beside / RECIPE).is_file():  # else a lock beside it is another's
        told += provenance.differences(_lock(beside), _lock(again))
    return list(dict.fromkeys(told))


def _line(path: Path) -> dict[str, str]:
    try:
        return provenance.read(read_recipe(path) or "")
    except (ValueError, OSError):
        return {}


def _lock(path: Path) -> dict[str, Any]:
    """What a lock says, but for the device, which pictures name better; nothing where it can't be read."""
    return {name: value for name, value in lock.read(path).items() if name != "device"}


def _compared(target: Path, made: Path | None) -> Finding:
    name = target.name
    if made is None:
        return Finding(False, f"{name}: its recipe writes no file like it")
    if not target.is_file():
        return Finding(False, f"{name}: it is missing, and its recipe writes it")
    return apart(target, made, "when made now")
