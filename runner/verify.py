"""How a picture, a film or a whole run compares with what its recipe makes now, and what may explain a difference."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from t2iflow.nodes.core.run_files import RECIPE
from t2iflow.nodes.pictures.endings import CARRIERS, proper
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.runner import session
from t2iflow.runner.apart import Finding, apart, pictures
from t2iflow.runner.events import Listener
from t2iflow.runner.exits import FAILED, OK
from t2iflow.runner.folder import lock, provenance
from t2iflow.runner.folder.outputs import outputs
from t2iflow.runner.opening import threads
from t2iflow.runner.signals import Stop

UNKNOWN = (
    "no reason is recorded: it was made with the same versions, threads, device and weights, as far as is known"
    " (pictures don't say whether their CPU computes in bfloat16), and may have been changed since"
)


@dataclass(frozen=True)
class Verdict:
    """An exit code, lines to print, and whether anything could be `compared`."""

    code: int
    lines: tuple[str, ...]
    compared: bool = True

    @property
    def same(self) -> bool:
        """Whether everything is the same."""
        return self.code == OK

    def __str__(self) -> str:
        return "\n".join(self.lines)

    __repr__ = __str__


def verify(target: Path, plan: Plan, wanted: str, listeners: Sequence[Listener], stop: Stop | None = None) -> Verdict:
    """Make a picture, a film or all outputs of a run folder again by their plan, with as many threads as they were made
    with, and compare; code 0 if they agree. If none of them is whole, nothing is made."""
    damaged = list(_damaged(target))
    if damaged and len(damaged) == len(_there(target)):
        return Verdict(FAILED, tuple(damaged))
    with TemporaryDirectory(prefix="t2iflow-verify-") as place:
        options = session.Options(wanted, threads=threads(target), stop=stop or Stop())
        outcome = session.start(plan, Path(place), options, listeners)
        if outcome.how == "interrupted":
            return Verdict(outcome.code, ("interrupted; nothing was compared",), compared=False)
        if outcome.how != "finished":
            return Verdict(outcome.code, (outcome.message,), compared=False)
        made = outputs(outcome.folder)
        found = list(findings(target, made))
        texts = [one.text for one in found]
        if all(one.same for one in found):
            return Verdict(OK, tuple(texts))
        known = [reason for one in made for reason in reasons(target, one, outcome.folder)]
        return Verdict(FAILED, (*texts, *(dict.fromkeys(known) or (UNKNOWN,))))


def _there(target: Path) -> list[Path]:
    return outputs(target) if os.path.isdir(target) else [target]


def _damaged(target: Path) -> Iterator[str]:
    """What is wrong with each picture or film that is not whole."""
    for path in _there(target):
        if proper(path) in CARRIERS:
            try:
                deque(pictures(path), maxlen=0)
            except (ValueError, OSError, SyntaxError) as fault:  # as Pillow raises
                yield f"{path.name}: it is damaged: {fault}"


def findings(target: Path, made: Iterable[Path]) -> Iterator[Finding]:
    """Each output of a run folder, or the one picture or film, compared with what was `made` again."""
    files = list(made)
    if os.path.isdir(target):
        for file in files:
            yield _compared(target / file.name, file)
        return
    content = target.read_bytes()
    alike = [file for file in files if proper(file) == proper(target)]
    same = [file for file in alike if file.read_bytes() == content]
    named = [file for file in alike if file.name == target.name]
    ending = [file for file in alike if file.suffix == target.suffix]
    yield _compared(target, next(iter([*same, *named, *ending, *alike]), None))


def reasons(target: Path, made: Path, again: Path) -> list[str]:
    """Which versions, threads, device and weights differ from those that made the target, as far as they are recorded.

    `made` is an output of the run `again`, and the target, or a file of that name in the target, was made like it.
    """
    theirs = target / made.name if os.path.isdir(target) else target
    differences = [*provenance.differences(provenance.carried(theirs), provenance.carried(made))]
    beside = theirs.parent
    if os.path.isfile(beside / RECIPE):  # else a lock beside it is another's
        differences += provenance.differences(_lock(beside), _lock(again))
    return list(dict.fromkeys(differences))


def _lock(path: Path) -> dict[str, Any]:
    """What a lock says, but for the device, which pictures name better; nothing where it can't be read."""
    return {name: value for name, value in lock.read(path).items() if name != "device"}


def _compared(target: Path, made: Path | None) -> Finding:
    name = target.name
    if made is None:
        return Finding(False, f"{name}: its recipe writes no file like it")
    if not os.path.isfile(target):
        return Finding(False, f"{name}: it is missing, and its recipe writes it")
    return apart(target, made, "when made now")
