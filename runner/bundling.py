"""A finished run made into a bundle: what it is called, and what it lacks."""

import os
import shlex
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.paths import is_sound
from t2iflow.nodes.core.run_files import LOCK, RECIPE
from t2iflow.nodes.core.whole import check_new, new
from t2iflow.nodes.pictures.endings import ZIP
from t2iflow.nodes.weights.published import KNOWN
from t2iflow.pipelines.graph.graph import COPIED, Resource
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.show.resolved import shareable
from t2iflow.runner.exits import UsageError
from t2iflow.runner.folder.changes import check_inputs
from t2iflow.runner.folder.claim import FolderError
from t2iflow.runner.folder.folder import check_finished
from t2iflow.runner.folder.naming import run_name
from t2iflow.runner.folder.outputs import outputs
from t2iflow.runner.folder.own_recipe import plan_of
from t2iflow.runner.folder.places import RUNS, is_sweep

BEGINNING_OF_TIME = (1980, 1, 1, 0, 0, 0)
"""The date of all that is in a bundle, so that the same run makes the same bytes."""


@dataclass(frozen=True)
class Bundled:
    """The file of a bundle, and the weights that it lacks, with notes on its recipe."""

    file: Path
    lacks: list[Resource]
    notes: tuple[str, ...]


def bundled(run: Path, file: Path | None = None) -> Bundled:
    """Write the bundle of a finished run; UsageError or FolderError where that can't be done."""
    check_finished(run)
    plan = plan_of(run)
    target = file or Path(_name(paths.real(run), plan) + ZIP)
    command = f"t2iflow bundle {shlex.quote(str(run))}"
    if target.suffix.lower() != ZIP:
        raise UsageError(f"a bundle's name ends with {ZIP}: `{command} {shlex.quote(f'{target}{ZIP}')}`")
    try:
        _pack(run, plan, target)
    except FileExistsError:
        raise FolderError(f"`{target}` exists; name another file: `{command} FILE`") from None
    except FolderError:
        raise
    except OSError as fault:
        raise FolderError(f"can't write `{target}`: {fault.strerror or fault}") from fault
    return Bundled(target, _left_out(plan), tuple(plan.graph.recipe.notes))


def _name(run: Path, plan: Plan) -> str:
    """The run's own name; but a cell's says only what varies in its sweep, so of that the recipe, prompt and seed."""
    of_cell = run.parent.name == RUNS and is_sweep(run.parent.parent)
    return run_name(plan) if of_cell else os.path.basename(run)


def _pack(run: Path, plan: Plan, target: Path) -> None:
    """Write the bundle of a finished run; FileExistsError where there is a file, FolderError where it can't be made."""
    check_inputs(run)
    check_new(target)
    recipe = shareable((run / RECIPE).read_text(encoding="utf-8-sig"), plan.graph)
    made = {path.relative_to(run).as_posix(): path for path in outputs(run)}
    inputs = {name: Path(path) for path, name in plan.graph.files.items()}
    for name in (*inputs, *made):
        if not is_sound(name):
            raise FolderError(f"`{name}` has a name that not every system takes; rename the file, and run again")
    with new(target) as fresh, ZipFile(fresh, "w", ZIP_STORED) as file:
        file.comment = plan.graph.recipe.name.encode()
        file.writestr(_entry(RECIPE), recipe)
        said = {LOCK: run / LOCK} if os.path.isfile(run / LOCK) else {}
        _add(file, {**said, **inputs, **made})


def _left_out(plan: Plan) -> list[Resource]:
    """Weights of the maker's own, which are too large to be in the bundle."""
    weights = [one for one in plan.graph.resources if one.kind not in COPIED]
    return [one for one in weights if os.path.isabs(one.path) or (one.kind == "weights" and one.name not in KNOWN)]


def _add(file: ZipFile, files: Mapping[str, Path]) -> None:
    for name, path in files.items():
        entry = _entry(name)
        entry.file_size = path.stat().st_size
        with path.open("rb") as source, file.open(entry, "w") as copy:
            shutil.copyfileobj(source, copy)


def _entry(name: str) -> ZipInfo:
    entry = ZipInfo(name, BEGINNING_OF_TIME)
    entry.create_system = 3  # the same on every system
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    return entry
