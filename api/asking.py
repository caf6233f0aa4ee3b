"""Python's values as the request that a command makes of its words: a recipe, and what is changed in it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from t2iflow.arguments import shown
from t2iflow.faults import mistaken

if TYPE_CHECKING:
    from t2iflow.listing import BundledRecipe
    from t2iflow.pipelines.text.overrides import ValueOverride
    from t2iflow.runner.request import Request

RecipeLike: TypeAlias = "str | os.PathLike[str] | Mapping[str, Any] | BundledRecipe"
"""A bundled recipe or its name; a file: YAML, or a picture or film that carries a recipe; the text of a recipe, of more
than one line; or the same as a mapping."""

TEXT = "the recipe"
"""What messages call a recipe that is in no file."""


def request(
    recipe: RecipeLike,
    preset: str | Sequence[str] = (),
    set: Mapping[str, Any] | None = None,
    seed: int | str | None = None,
    params: Mapping[str, Any] | None = None,
    draft: bool = False,
) -> Request:
    """What the command line would ask for with the same recipe, presets, settings, params and seed."""
    from t2iflow.runner.opening import typed
    from t2iflow.runner.request import Request

    where, text = _source(recipe)
    changes = {**(set or {}), **(params or {}), **({} if seed is None else {"seed": seed})}
    return Request(
        where,
        [preset] if isinstance(preset, str) else list(preset),
        overrides(changes),
        draft=draft,
        given=None if text is None else typed(text, where),
    )


def overrides(changes: Mapping[str, Any]) -> list[ValueOverride]:
    """Values by the names of params and settings, as a recipe takes them."""
    from t2iflow.pipelines.text.overrides import value_override

    return [value_override(str(name), plain(str(name), value)) for name, value in changes.items()]


def at_least(least: float, **numbers: float | None) -> None:
    """Refuse numbers that are smaller, by their names."""
    from t2iflow.runner.exits import UsageError

    for name, number in numbers.items():
        if number is not None and not number >= least:
            raise UsageError(f"`{name}` is {number}, and must be at least {least:g}")


def _source(recipe: RecipeLike) -> tuple[str, str | None]:
    """Where a recipe is, or what messages call it, and its text."""
    from t2iflow.listing import BundledRecipe

    if isinstance(recipe, BundledRecipe):
        return recipe.name, None
    if isinstance(recipe, Mapping):
        return TEXT, "\n".join(_lines(recipe)) + "\n"
    if not isinstance(recipe, str | os.PathLike):
        raise mistaken(f"a recipe is a name, a path, a text or a mapping, not {shown(recipe)}")
    where = os.fspath(recipe)
    if not where:
        raise mistaken("a recipe is a name, a path, a text or a mapping, and this is an empty text")
    return (TEXT, where) if "\n" in where else (where, None)


def _lines(recipe: Mapping[str, Any]) -> Iterator[str]:
    """A recipe as YAML, each param and node on a line of its own, so that messages can show it."""
    from t2iflow.pipelines.text.yaml_writer import flow

    for key, value in recipe.items():
        if isinstance(value, Mapping) and value:
            yield f"{flow(key)}:"
            yield from (f"  {flow(name)}: {flow(plain(str(name), inner))}" for name, inner in value.items())
        else:
            yield f"{flow(key)}: {flow(plain(str(key), value))}"


def plain(name: str, value: Any) -> Any:
    """A value as YAML can have it; NumPy's and torch's become Python's."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {plain(name, key): plain(name, inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [plain(name, inner) for inner in value]
    raise mistaken(
        f"`{name}` can't be of type {type(value).__name__}: give a text, a number, a list or a mapping of these"
    )
