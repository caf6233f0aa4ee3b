"""Runs that are steered again and again, and killed meanwhile, compared with their recipe run from the start.

    python -m tests.steers 20 --seed 3         # so many runs, and what came of them
    python -m tests.steers --trial 17 --seed 3 # one of them again
    python -m tests.steers 20 --on page        # through the studio's page, which needs Chromium

Each run is killed and steered five times: a prompt, a rate, a loss's weight, or a camera's scale. A kill is a SIGKILL
after some time, or before the n-th time that the process opens, renames or removes a file, while it runs, while it is
steered, and between.
"""

import argparse
import importlib
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TypeAlias

import torch

from t2iflow.pipelines.problems import RecipeError
from t2iflow.runner import session
from t2iflow.runner.exits import UsageError
from t2iflow.runner.folder.claim import FolderError, NotResumableError
from t2iflow.runner.folder.own_recipe import resumable
from t2iflow.runner.steering import steer
from tests import kills, steers_on_page
from tests.courses import COURSES, TIMES, Course
from tests.kills import Process, Tally, begun, compared, counted, left, runs

SECONDS = 0.6
"""In which a run may be killed."""
OPERATIONS = 60
"""Of a resume, at which it may be killed."""
FIRST = 40
"""Of a run at its start, at which it is killed, with much of it to come."""
INTERVALS = (0.0, 0.02)

Trial: TypeAlias = Callable[[Course, random.Random, Tally], str | None]
"""A run that is steered; gives what is wrong, if anything."""


def steered(run: Path, change: str, last: int | None) -> tuple[int, str, int]:
    """Steer, up to the `last` operation on files; code 2 for what can't be steered there, or any more."""
    touched = counted(run.parent, last)
    try:
        steer(run, [change])
    except (NotResumableError, UsageError) as fault:
        return 2, str(fault), touched()
    except (FolderError, RecipeError) as fault:
        return 1, str(fault), touched()
    return 0, "", touched()


def resumed(run: Path, every: float, last: int | None) -> tuple[int, str, int]:
    """Resume, up to the `last` operation on files."""
    touched = counted(run.parent, last)
    try:
        outcome = session.resume(resumable(run), run, session.Options("cpu", every), [])
    except NotResumableError as fault:
        return 0 if "is finished" in str(fault) else 2, str(fault), touched()
    except FolderError as fault:
        return 1, str(fault), touched()
    return outcome.code, outcome.message, touched()


def killed(act: Callable[[int | None], tuple[int, str, int]], chance: random.Random, most: int) -> tuple[int, str]:
    """Do something that is killed after some time, or before an operation on files; how it ended, if it was quicker."""
    by_time = chance.random() < 0.5
    process = Process(partial(act, None if by_time else chance.randint(1, most)))
    if by_time:
        process.kill(after=chance.uniform(0, SECONDS))
    code, message, _ = process.end()
    return code, message


def trial(course: Course, chance: random.Random, tally: Tally) -> str | None:
    """Steer a run five times, with kills between; what is wrong, if anything."""
    every = chance.choice(INTERVALS)
    with tempfile.TemporaryDirectory(prefix="t2iflow-steers-") as place:
        path, parent = Path(place) / "mine.yaml", Path(place) / "runs"
        path.write_text(course.text(chance), encoding="utf-8")
        recipe = kills.Recipe(course.name, str(path))
        while not (parent.is_dir() and runs(parent)):
            # At an operation: after some time, a run that had the processor to itself would be finished.
            process = begun(recipe, parent, None, every, chance.randint(1, FIRST))
            tally.counts["kills"] += process.end()[0] < 0
        (run,) = runs(parent)
        for _ in range(TIMES):
            before, change = (run / "recipe.yaml").read_bytes(), course.change(chance)
            if wrong := _steer(run, change, chance, tally):
                return wrong
            tally.counts["steered"] += before != (run / "recipe.yaml").read_bytes()
            code, message = killed(lambda last: resumed(run, every, last), chance, OPERATIONS)
            tally.counts["kills"] += code < 0
            if code > 0:
                return f"resume ended with {code}: {message}"
        code, message, _ = Process(lambda: resumed(run, every, None)).end()
        if code:
            return f"the last resume ended with {code}: {message}"
        anew = kills.Recipe(course.name, str(run / "recipe.yaml"))
        code, message, _ = begun(anew, Path(place) / "anew", None, 10.0).end()
        if code:
            return f"the steered recipe can't be run: {message}"
        return compared(left(run), left(runs(Path(place) / "anew")[0]), tally)


def _steer(run: Path, change: str, chance: random.Random, tally: Tally) -> str | None:
    """Steer a run, at the second attempt if the first was killed; what is wrong, if anything."""
    before, code, message = (run / "recipe.yaml").read_bytes(), -1, ""
    for attempt in (chance.random() < 0.5, False):
        if code >= 0 or (run / "recipe.yaml").read_bytes() != before:
            break
        if attempt:
            code, message = killed(lambda last: steered(run, change, last), chance, 8)
        else:
            code, message, _ = Process(lambda: steered(run, change, None)).end()
        tally.counts["kills"] += code < 0
        tally.counts["kills while it was steered"] += code < 0
    changed = (run / "recipe.yaml").read_bytes() != before
    if code == 1 or (code == 2 and changed) or (code == 0 and not changed):
        return f"steering by {change} ended with {code}: {message}"
    return None


def campaign(count: int, seed: int, single: int | None, trial: Trial, way: str) -> Tally:
    """So many trials, each kind of change in turn; or a `single` one."""
    names = ["runs", "steered", "kills", "same bytes"]
    tally = Tally(Counter(dict.fromkeys(names, 0)))
    for number in range(count) if single is None else [single]:
        course = COURSES[number % len(COURSES)]
        tally.counts["runs"] += 1
        if wrong := trial(course, random.Random(f"{seed} steer {number}"), tally):
            again = f"python -m tests.steers --trial {number} --seed {seed} --on {way}"
            tally.faults.append(f"{course.name}: {wrong}\n  {again}")
    return tally


WAYS: Mapping[str, Callable[[], AbstractContextManager[Trial]]] = {
    "functions": partial(nullcontext, trial),
    "page": steers_on_page.trials,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Steer and kill, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=int, nargs="?", default=len(COURSES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trial", type=int)
    parser.add_argument("--on", choices=WAYS, default="functions", help="how they are steered")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)  # no threads, which a fork would lose
    for name in kills.SLOW:
        importlib.import_module(name)
    with WAYS[given.on]() as trial:
        tally = campaign(given.runs, given.seed, given.trial, trial, given.on)
    sys.stdout.write(f"{tally}\n")
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
