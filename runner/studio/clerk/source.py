"""What a recipe is read from, and with whose rights: a name or a file, a run, what was dropped, or a text."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.run_files import RECIPE
from t2iflow.pipelines.problems import NOWHERE, Problem
from t2iflow.pipelines.text import packs
from t2iflow.pipelines.text.origin import Origin
from t2iflow.pipelines.text.overrides import value_override
from t2iflow.pipelines.text.yaml_reader import load
from t2iflow.runner.exits import UsageError
from t2iflow.runner.opening import Source, by_name, carried, carries, typed
from t2iflow.runner.request import Request
from t2iflow.runner.studio.refused import Refused

BY_TEXT = "read its text, save that in a file of your own, and open it"
"""How to make a recipe that was dropped your own."""
TYPED = "recipe"
"""What messages call a recipe that was typed."""


def request(
    recipe: str | None = None,
    run: str | None = None,
    dropped: str | None = None,
    text: str | None = None,
    presets: Sequence[str] = (),
    set: Mapping[str, Any] | None = None,
) -> Request:
    """What a SOURCE asks for, with whole paths in place of a run's name and of what was dropped. A `text` in place of
    what is there has its rights."""
    found = _source(recipe, run, dropped)
    if text not in (None, found.text):
        found = replace(found, text=text, made=None)
    return Request(
        found.name, presets, [value_override(name, value) for name, value in (set or {}).items()], given=found
    )


def _source(recipe: str | None, run: str | None, dropped: str | None) -> Source:
    if run is not None:
        return by_name(str(Path(run) / RECIPE))
    if dropped is not None:
        return _dropped(Path(dropped))
    return typed("", TYPED) if recipe is None else _named(recipe)


def _named(recipe: str) -> Source:
    """Of a recipe file, of a picture, film or bundle, or of a recipe that is bundled or in a pack, by its name."""
    why = paths.no_file(paths.given(recipe))
    if why not in (None, paths.MISSING):
        raise UsageError(f"`{recipe}` {why}")
    if why and packs.find(recipe) is None:
        raise Refused(404, f"`{recipe}` {why}, and there is no bundled recipe of this name")
    found = by_name(recipe)
    return replace(found, file=Path(found.file).name, name=recipe) if why else found


def _dropped(path: Path) -> Source:
    """Of what may come from anybody: it reads nothing but what lies beside it, where nothing else is."""
    if carries(path):
        return carried(path, path.name, path.stem)
    origin = Origin(path.parent, paths.real(path.parent), owned=BY_TEXT)
    return Source(load(path), path.name, origin, path.stem)


def problems_as_json(problems: Sequence[Problem], sources: Mapping[str, str]) -> list[dict[str, Any]]:
    """Mistakes as JSON has them, each once; at one in what was given, not in a file, there is no line."""
    return [_as_json(problem, sources) for problem in dict.fromkeys(problems)]


def _as_json(problem: Problem, sources: Mapping[str, str]) -> dict[str, Any]:
    place = problem.place
    given = place is not None and sources.get(place.file) == place.file
    at = asdict(place) if place and not given else dict.fromkeys(asdict(NOWHERE))
    return (
        {"code": problem.code, "message": problem.message, "hints": list(problem.hints)}
        | at
        | {"given": place.file.partition("=")[0].strip() if place and given else None}
    )
