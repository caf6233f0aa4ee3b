"""Recipes looked at without a run: their mistakes, and what they would do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from t2iflow.asking import RecipeLike, request
from t2iflow.faults import refusing
from t2iflow.prepared import prepared
from t2iflow.sweeping import values

if TYPE_CHECKING:
    from t2iflow.runner.checking import Checked
    from t2iflow.runner.preview.preview import Preview


@prepared
def check(
    recipe: RecipeLike,
    *,
    preset: str | Sequence[str] = (),
    set: Mapping[str, Any] | None = None,
    seed: int | str | None = None,
    **params: Any,
) -> Checked:
    """Find every mistake in a recipe and in its presets, without running it; as text, what `t2iflow check` prints.

    It is true where there are none; `problems` are the mistakes, each with its code, place and hints. Takes what `run`
    takes.
    """
    from t2iflow.runner import checking

    with refusing():
        return checking.check(request(recipe, preset, set, seed, params))


@prepared
def plan(
    recipe: RecipeLike,
    *,
    preset: str | Sequence[str] = (),
    set: Mapping[str, Any] | None = None,
    seed: int | str | None = None,
    draft: bool = False,
    device: str = "auto",
    measure: bool = False,
    each: Mapping[str, Iterable[Any]] | None = None,
    together: Mapping[str, Iterable[Any]] | None = None,
    best: int | None = None,
    **params: Any,
) -> Preview:
    """What a run would do: how often each node runs, on which device, with which weights and files, and how long it
    takes; as text, what `t2iflow plan` prints.

    `measure` runs a few steps to find out how long. With `each`, `together` or `best`, which are those of `sweep`, also
    what all runs of the sweep share, and what they cost. RecipeError where the recipe has mistakes.
    """
    from t2iflow.jobs import in_turn
    from t2iflow.runner.exits import UsageError
    from t2iflow.runner.preview.preview import preview
    from t2iflow.runner.sweep import sweeping
    from t2iflow.runner.sweep.slot import How
    from t2iflow.runner.sweep.varied import varied

    with refusing():
        asked = request(recipe, preset, set, seed, params, draft)
        if each or together or best:
            if measure or draft:
                raise UsageError("`measure` and `draft` are for a single run, not for a sweep")
            return sweeping.plan(varied(asked, values(each), values(together), best=best), How(device))
        made = asked.plan()
        found = in_turn(lambda stop: preview(made, device, measure)) if measure else preview(made, device)
        return sweeping.with_own(found, device)
