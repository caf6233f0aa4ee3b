"""Runs that are steered again and again, and killed meanwhile, compared with their recipe run from the start.

    python -m tests.steers 20 --seed 3         # so many runs, and what came of them
    python -m tests.steers --trial 17 --seed 3 # one of them again

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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from t2iflow.pipelines.problems import RecipeError
from t2iflow.runner import session
from t2iflow.runner.exits import UsageError
from t2iflow.runner.folder.claim import FolderError, NotResumableError
from t2iflow.runner.request import of_run
from t2iflow.runner.steering import steer
from tests import kills
from tests.kills import Process, Tally, begun, compared, counted, left, runs

TIMES = 5
"""How often a run is steered."""
SECONDS = 0.6
"""In which a run may be killed."""
OPERATIONS = 60
"""Of a resume, at which it may be killed."""
INTERVALS = (0.0, 0.02)

PAINTED = """
t2iflow: 1
params: {smooth: 0.1}
nodes:
  photo:  {use: images.noise, size: [24, 16], kind: fractal}
  canvas: {use: canvas.pixels, size: [24, 16]}
  same:   {use: losses.reference, image: $canvas, reference: $photo}
  even:   {use: losses.total_variation, image: $canvas}
  fit:    {use: optimizers.adam, image: $canvas, loss: [$same, {of: $even, weight: $smooth}], rate: RATE, steps: 150}
  sheet:  {use: output.strip, image: $canvas, every: 40}
  still:  {use: output.image, image: $fit}
"""
FILMED = """
t2iflow: 1
nodes:
  photo:  {use: images.noise, size: [24, 16], kind: fractal}
  canvas: {use: canvas.pixels, size: [24, 16]}
  same:   {use: losses.reference, image: $canvas, reference: $photo}
  fit:    {use: optimizers.adam, image: $canvas, loss: $same, rate: RATE, steps: 12}
  zoom:   {use: camera.zoom, image: $fit, frames: 14, steps: 3, hold: 0.4, scale: {0: 0.9, 100%: 1.1}}
  film:   {use: output.video, image: $zoom}
  still:  {use: output.image, image: $fit}
"""
ASKED = """
t2iflow: 1
params: {prompt: a red fox}
nodes:
  clip:         {use: clip.model}
  words:        {use: clip.text, clip: $clip, prompt: $prompt}
  sketch:       {use: canvas.pixels, size: [16, 16]}
  sketch-cuts:  {use: cutouts.square, image: $sketch, count: 1, size: 32}
  sketch-seen:  {use: clip.look, crops: $sketch-cuts, clip: $clip}
  sketch-score: {use: losses.spherical, seen: $sketch-seen, wanted: $words}
  draft:        {use: optimizers.adam, image: $sketch, loss: [$sketch-score], rate: 0.05, steps: 12}
  canvas:       {use: canvas.pixels, size: [24, 24], init: $draft}
  cuts:         {use: cutouts.square, image: $canvas, count: 1, size: 32}
  seen:         {use: clip.look, crops: $cuts, clip: $clip}
  score:        {use: losses.spherical, seen: $seen, wanted: $words}
  fit:          {use: optimizers.adam, image: $canvas, loss: [$score], rate: RATE, steps: 12}
  still:        {use: output.image, image: $fit}
"""
RATES = (
    "0.05",
    "{0: 0.05, 100%: 0.01}",
    "{0: 0.02, 5: 0.1, 100%: 0.01, ease: smooth}",
    "{0: 0.1, 8: 0.05, 20: 0.01, ease: hold}",
    "0.05 + 0.04*sin(t/3)",
)
PROMPTS = ("a castle", "an owl", "a lighthouse", "a volcano", "a red fox")


@dataclass(frozen=True)
class Course:
    """A recipe, and what of it is steered: a change drawn at random."""

    name: str
    recipe: str
    change: Callable[[random.Random], str]


COURSES = (
    Course("a prompt", ASKED, lambda chance: f"prompt={chance.choice(PROMPTS)}"),
    Course("a rate", PAINTED, lambda chance: f"fit.rate={chance.uniform(0.005, 0.2):.4f}"),
    Course("a weight by a param", PAINTED, lambda chance: f"smooth={chance.uniform(0, 3):.4f}"),
    Course("a loss's weight", PAINTED, lambda chance: f"fit.loss.same={chance.uniform(0.1, 3):.4f}"),
    Course("a camera's scale", FILMED, lambda chance: f"zoom.scale={chance.uniform(0.8, 1.2):.4f}"),
    Course("a film's rate", FILMED, lambda chance: f"fit.rate={chance.uniform(0.005, 0.2):.4f}"),
)


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
        outcome = session.resume(of_run(run).plan(), run, session.Options("cpu", every), [])
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
        path.write_text(course.recipe.replace("RATE", chance.choice(RATES)), encoding="utf-8")
        recipe = kills.Recipe(course.name, str(path))
        while not (parent.is_dir() and runs(parent)):
            process = begun(recipe, parent, None, every)
            process.kill(after=chance.uniform(0.05, SECONDS))
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


def campaign(count: int, seed: int = 0, single: int | None = None) -> Tally:
    """So many runs, each kind of change in turn; or a `single` one."""
    names = ["runs", "steered", "kills", "kills while it was steered", "same bytes"]
    tally = Tally(Counter(dict.fromkeys(names, 0)))
    for number in range(count) if single is None else [single]:
        course = COURSES[number % len(COURSES)]
        tally.counts["runs"] += 1
        if wrong := trial(course, random.Random(f"{seed} steer {number}"), tally):
            again = f"python -m tests.steers --trial {number} --seed {seed}"
            tally.faults.append(f"{course.name}: {wrong}\n  {again}")
    return tally


def main(arguments: Sequence[str] | None = None) -> int:
    """Steer and kill, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=int, nargs="?", default=len(COURSES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trial", type=int)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)  # no threads, which a fork would lose
    for name in kills.SLOW:
        importlib.import_module(name)
    tally = campaign(given.runs, given.seed, given.trial)
    sys.stdout.write(f"{tally}\n")
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
