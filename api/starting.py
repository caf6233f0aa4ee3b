"""Starting a run, and resuming one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from t2iflow.asking import RecipeLike, at_least, request
from t2iflow.faults import refusing
from t2iflow.nodes.core.run_files import SAVE_EVERY
from t2iflow.prepared import prepared
from t2iflow.running import Run
from t2iflow.task import given
from t2iflow.wording import in_python

if TYPE_CHECKING:
    from t2iflow.pipelines.plan.plan import Plan
    from t2iflow.runner.events import Listener
    from t2iflow.runner.session import Options, Outcome
    from t2iflow.runner.signals import Stop

Frames: TypeAlias = int | str | range | None
"""A part of a film: `15`, `"10..20"` or `range(10, 21)`, counted from 0; None is all of it."""


@prepared
def run(
    recipe: RecipeLike,
    *,
    preset: str | Sequence[str] = (),
    set: Mapping[str, Any] | None = None,
    seed: int | str | None = None,
    draft: bool = False,
    frames: Frames = None,
    out: str | os.PathLike[str] = "runs",
    device: str = "auto",
    checkpoint: float = SAVE_EVERY,
    capture: bool = True,
    compile: bool = False,
    wait: bool = True,
    show: bool | None = None,
    **params: Any,
) -> Run:
    """Run a recipe: a bundled one by its name, a file, a picture that carries one, its text, or a mapping.

    `params` are the recipe's own, such as `prompt`, with `_` for `-`. `set` has params and settings by their names,
    such as `{"canvas.size": [256, 256]}`; keyframes are a mapping, `{"fit.rate": {0: 0.1, "100%": 0.01}}`. `preset`
    names one or several; `seed` can be `"random"`; `checkpoint`: seconds between checkpoints.

    Waits for the end and shows progress: in a notebook as a picture, elsewhere as a bar. With `wait=False` the run
    executes in a thread; runs of one process take turns. RecipeError lists all mistakes in a recipe; RunError is raised
    if the run can't start or fails, KeyboardInterrupt after Ctrl-C, with a checkpoint.
    """
    from t2iflow.runner import session
    from t2iflow.runner.folder import folder as folders
    from t2iflow.runner.folder.naming import run_name

    with refusing():
        asked = request(recipe, preset, set, seed, params, draft)
        plan = asked.plan(lacking=False)
        notes = list(_notes(plan))
        options = _options(plan, frames, device, checkpoint, capture, compile, notes)
        options, parent = replace(options, threads=asked.threads), given(out).absolute()
        made = Run.at(folders.new_path(parent, run_name(plan)))

    def act(options: Options, listeners: Sequence[Listener]) -> Outcome:
        return session.start(plan, parent, options, listeners, made.folder)

    return _begin(made, plan, notes, options, act, wait, show)


@prepared
def resume(
    folder: str | os.PathLike[str],
    *,
    frames: Frames = None,
    device: str = "auto",
    checkpoint: float = SAVE_EVERY,
    capture: bool = True,
    compile: bool = False,
    wait: bool = True,
    show: bool | None = None,
) -> Run:
    """Resume a run that was stopped, failed or was killed; on a CPU with the same bytes as if nothing had happened.

    `folder` is its folder, or a `Run`. The options are those of `run`. RunError where no run in it can be resumed.
    """
    from t2iflow.runner import session
    from t2iflow.runner.folder.own_recipe import resumable

    made = Run.at(given(folder))
    with refusing():
        plan = resumable(made.folder)
        notes = list(map(in_python, plan.graph.recipe.notes))
        options = _options(plan, frames, device, checkpoint, capture, compile, notes)

    def act(options: Options, listeners: Sequence[Listener]) -> Outcome:
        return session.resume(plan, made.folder, options, listeners)

    return _begin(made, plan, notes, options, act, wait, show)


def _options(
    plan: Plan, frames: Frames, device: str, checkpoint: float, capture: bool, compile: bool, notes: list[str]
) -> Options:
    """How to run; adds to the notes. UsageError or NoDeviceError for what isn't possible."""
    from t2iflow.nodes.core.shelf import shelf_of_process
    from t2iflow.runner.execution.device import choose
    from t2iflow.runner.options import read_part, read_recording
    from t2iflow.runner.session import Options

    at_least(0, checkpoint=checkpoint)
    part = read_part(_range(frames), plan, notes.append)
    choose(device)
    return Options(device, checkpoint, part, read_recording(capture, compile), shelf=shelf_of_process())


def _begin(
    made: Run,
    plan: Plan,
    notes: Sequence[str],
    options: Options,
    act: Callable[[Options, Sequence[Listener]], Outcome],
    wait: bool,
    show: bool | None,
) -> Run:
    """Start or resume a run by `act`, then resume it after each pause with its recipe as it is by then."""
    from t2iflow.runner import session
    from t2iflow.runner.folder.own_recipe import resumable

    helm, folder = made._helm, made.folder

    def begin(listeners: Sequence[Listener], stop: Stop) -> Outcome:
        how = replace(options, stop=stop)
        outcome = act(how, listeners)
        return helm.steer(folder, outcome, stop, lambda: session.resume(resumable(folder), folder, how, listeners))

    return made._begin(begin, _title(plan), notes, wait, show)


def _title(plan: Plan) -> str:
    """What a run is called: its recipe, and its prompt if it has one."""
    from t2iflow.pipelines.show.prompts import prompts_of

    return ": ".join([plan.graph.recipe.name, *[one.text for one in prompts_of(plan)[:1]]])


def _notes(plan: Plan) -> Iterator[str]:
    """What is worth knowing of a recipe before it runs."""
    recipe = plan.graph.recipe
    yield from map(in_python, recipe.notes)
    if recipe.best > 1:
        yield f"this is one run; `t2iflow.sweep` makes the best of {recipe.best}, as the recipe says"
    if changed := recipe.preset_note:
        yield changed


def _range(frames: Frames) -> str | None:
    """A part of a film as `--frames` has it."""
    if isinstance(frames, range):
        return f"{frames.start}..{frames.stop - 1}"
    return None if frames is None else str(frames)
