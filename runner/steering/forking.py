"""A run forked: another run, from a past that both share."""

import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from t2iflow.nodes.core.run_files import BEFORE, CHECKPOINT, LOG, RECIPE
from t2iflow.nodes.core.whole import sync
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.plan.regions import Region
from t2iflow.pipelines.problems import RecipeError
from t2iflow.pipelines.show.prompts import prompts_of
from t2iflow.pipelines.show.resolved import params
from t2iflow.pipelines.steering import steering as recipes
from t2iflow.pipelines.steering.past import altered
from t2iflow.pipelines.steering.standing import Standing, standing_at
from t2iflow.pipelines.text.overrides import ValueOverride
from t2iflow.runner import session
from t2iflow.runner.entries import Entry, Filmed, Started, Stepped
from t2iflow.runner.events import Listener
from t2iflow.runner.execution.checkpoint import Checkpoint
from t2iflow.runner.execution.standing import standing
from t2iflow.runner.exits import UsageError
from t2iflow.runner.folder import claim, history, lock, outputs
from t2iflow.runner.folder import folder as run_folder
from t2iflow.runner.folder.history import has_finished
from t2iflow.runner.folder.naming import run_name
from t2iflow.runner.folder.own_recipe import compiler, text_of
from t2iflow.runner.session import Options, Outcome
from t2iflow.runner.steering.steering import checkpoints, last, refusing, stands

OWN = (CHECKPOINT, BEFORE, claim.HOLDER, claim.LOCK, RECIPE, LOG)
"""Files of a run that another has of its own."""
AT = re.compile(r"(?:([A-Za-z_][\w-]*):)?(\d{1,9})(%?)")
"""Where to fork: a step or frame, or a percentage; of an optimiser, if it is named."""


@dataclass(frozen=True)
class Fork:
    """A run to be made: its recipe as it is changed, and that of a checkpoint from which it starts, if there is any."""

    folder: Path
    recipe: str
    plan: Plan
    of: Path
    saved: Checkpoint | None
    note: str

    def run(self, options: Options, listeners: Sequence[Listener]) -> Outcome:
        """Make it; FolderError where its folder can't be made."""
        if self.saved is None:
            return session.start(self.plan, self.folder.parent, self._as_then(options), listeners, self.folder)
        self.prepare(options)
        plan = compiler(self.folder)(self.recipe, ())  # which reads the copies
        return session.resume(plan, self.folder, options, listeners)

    def prepare(self, options: Options) -> None:
        """Make its folder, from where it goes on by `session.resume`; FolderError where that can't be made."""
        if self.saved is None:
            session.prepare(self.plan, self.folder.parent, self._as_then(options), self.folder)
            return
        with run_folder.making(self.folder) as fresh:
            _copy(self.of, self.saved, fresh)
            lines = "".join(json.dumps(event) + "\n" for event in _log(self))
            for name, text in {LOG: lines, RECIPE: self.recipe}.items():
                (fresh / name).write_text(text, encoding="utf-8")
                sync(fresh / name)

    def _as_then(self, options: Options) -> Options:
        """With as many threads as the other run has, which its lock says."""
        return replace(options, threads=lock.threads(self.of))


def fork(of: Path, changes: Sequence[str | ValueOverride], at: str | None, parent: Path) -> Fork:
    """The run that a run would be if it had been changed `at` a step or frame; where it stands, if that isn't said.

    `at` is a number, or a percentage: of the steps of its last optimiser, or of the frames of a film; `draft:30` names
    another optimiser. RecipeError for mistakes in a value, UsageError where that can't be steered, FolderError for no
    run.
    """
    run_folder.check_run(of)
    text, compiled = text_of(of), compiler(of)
    plan = compiled(text, ())
    where = _where(of, plan, at)
    with refusing():
        recipe = recipes.steered(text, changes, where, compiled)
    new = compiled(recipe, ())
    saved = None if has_finished(of) else _fitting(of, new, compiled)
    folder = run_folder.new_path(parent, run_name(new))
    return Fork(folder, recipe, new, of, saved, _note(of, where, saved))


def _where(of: Path, plan: Plan, at: str | None) -> Standing:
    """Where to fork."""
    if at is None:
        if saved := last(of):
            return stands(of, plan, saved)
        raise UsageError(f"`{of}` has no checkpoint at which to fork it; name a step or frame, such as `--at 20`")
    said, known = AT.fullmatch(at.strip()), {region.optimizer: region for region in plan.regions}
    if said is None or not known or (said[1] and said[1] not in known):
        names = f", or of an optimiser, such as `{next(iter(known))}:20`" if len(known) > 1 else ""
        raise UsageError(f"`--at {at}` is not a place to fork: name a step or frame, such as 20 or 50%{names}")
    region = known[said[1]] if said[1] else plan.regions[-1]
    many, what = length(region)
    number = round(int(said[2]) / 100 * (many - 1)) if said[3] else int(said[2])
    if number >= many:
        raise UsageError(f"`--at {at}` is after the end: the {what}s of `{region.optimizer}` are 0 to {many - 1}")
    if number == 0:
        return _before(plan, region.optimizer)
    return standing_at(region, number)


def length(region: Region) -> tuple[int, str]:
    """How many steps or frames an optimiser has at which to fork, and which of the two."""
    return (region.shot.frames, "frame") if region.shot else (region.steps, "step")


def _before(plan: Plan, optimizer: str) -> Standing:
    """The moment before an optimiser begins."""
    order = [region.optimizer for region in plan.regions]
    place = order.index(optimizer)
    if not place:
        return Standing()
    ended = plan.regions[place - 1]
    return Standing(ended.optimizer, ended.steps, ended.shot.frames if ended.shot else 0)


def _fitting(of: Path, plan: Plan, compiled: recipes.Compile) -> Checkpoint | None:
    """The last checkpoint from which another recipe can go on."""
    for _, saved in checkpoints(of):
        try:
            before = compiled(saved.recipe, ())
        except RecipeError:
            continue
        if altered(before, plan, standing(before, saved)) is None:
            return saved
    return None


def _note(of: Path, where: Standing, saved: Checkpoint | None) -> str:
    if saved:
        return f"this run starts from a checkpoint of `{of}`"
    if not where.optimizer:
        return f"`{of}` is run again from the start, with these changes"
    took = _took(of, where)
    return f"`{of}` has no checkpoint before {where}, so everything up to there is computed again" + (
        f", which took {took:.0f} s" if took else ""
    )


def _took(of: Path, where: Standing) -> float:
    """How many seconds it took to get there, stops left out, as the log has it; 0 where it doesn't say."""
    before = latest = 0.0
    for entry in history.read(of):
        if isinstance(entry, Started):
            before, latest = before + latest, 0.0
        latest = max(entry.time, latest)
        if _reaches(entry, where):
            return before + latest
    return 0.0


def _reaches(entry: Entry, where: Standing) -> bool:
    match entry:
        case Filmed(node=where.optimizer) if where.frame > 1:
            return entry.frame + 1 >= where.frame
        case Stepped(node=where.optimizer) if where.frame <= 1:
            return entry.step + 1 >= where.step
    return False


def _copy(of: Path, saved: Checkpoint, to: Path) -> None:
    """A checkpoint of a run, which may have saved others since it was read, and what the run has made so far."""
    saved.save(to)
    for path in sorted(of.rglob("*")):
        name = path.relative_to(of)
        if (
            os.path.isfile(path)
            and not path.is_symlink()
            and str(name) not in OWN
            and run_folder.MAKING not in str(name)
        ):
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, to / name)
            sync(to / name)


def _log(fork: Fork) -> Iterator[dict[str, object]]:
    """The log of a fork so far: that it began, and which files it has."""
    yield {
        **next(history.follow(fork.of, going=lambda: False), {"type": "started"}),
        "folder": str(fork.folder),
        "params": params(fork.plan.graph),
        "prompts": [one.text for one in prompts_of(fork.plan)],
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
    for path in outputs.wrote(fork.of):
        yield {"type": "wrote", "path": str(fork.folder / path.relative_to(fork.of))}
